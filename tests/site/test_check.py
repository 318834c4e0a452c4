# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The checker of a built site sees what is wrong, each thing alone."""

import pytest

from tools.site import check

HEAD = '<html><head><link rel="stylesheet" href="a.css"></head><body>'
SOUND = HEAD + ('<h1 id="top">x</h1><a href="b/c.html#d">c</a><a href="#top">t</a><a href=".">i</a>'
                '<a href="https://efm3.test/">away</a><img src="data:image/png;base64,AA==">'
                "<p>a - b 1. c <code># not | lost</code></p><pre>- x\n| y</pre>")


@pytest.fixture
def site(tmp_path):
    """A site in which nothing is wrong; a function that writes a page of it and asks."""
    (tmp_path / "b").mkdir()
    (tmp_path / "b/c.html").write_text('<h1 id="d">x</h1><a href="../index.html">up</a>')
    (tmp_path / "a.css").write_text("p { background: url(data:x) } b { mask: url(#m) }")

    def found(body, name="index.html"):
        (tmp_path / name).write_text(body)
        if name != "index.html":
            (tmp_path / "index.html").write_text(SOUND)
        return list(check.problems(tmp_path))
    return found


def test_a_sound_site(site):
    assert site(SOUND) == []
    assert site('<a href="/b/c.html">x</a><a href="/">x</a>', "404.html") == []


@pytest.mark.parametrize("part,said", [
    ('<a href="none.html">x</a>', "nothing there: none.html"),
    ('<a href="b/c.md">x</a>', "nothing there: b/c.md"),
    ('<a href="b/c.html#e">x</a>', "no such place: b/c.html#e"),
    ('<a href="#e">x</a>', "no such place: #e"),
    ('<a href="../x.html">x</a>', "nothing there: ../x.html"),
    ('<a href="/b/c.html">x</a>', "nothing there: /b/c.html"),
    ('<a href="b">x</a>', "nothing there: b"),
    ('<a href="http://efm3.test/">x</a>', "leads to another place: http://efm3.test/"),
    ('<a href="javascript:x">x</a>', "leads to another place: javascript:x"),
    ('<img src="none.png">', "nothing there: none.png"),
    ('<img srcset="a.css 1x, none.png 2x">', "nothing there: none.png"),
    ('<script src="https://efm3.test/x.js"></script>', "another place: https://efm3.test/x.js"),
    ('<script src="//efm3.test/x.js"></script>', "another place: //efm3.test/x.js"),
    ('<link rel="preconnect" href="https://efm3.test">', "another place: https://efm3.test"),
    ('<p style="background: url(https://efm3.test/x.png)">', "another place"),
    ('<style>@import "https://efm3.test/x.css";</style>', "another place"),
    ("<p>words\n- a list</p>", "Markdown is left"), ("<p>| a | b |</p>", "Markdown is left"),
    ("<p>::: efm3.model</p>", "Markdown is left"), ("<p>## head</p>", "Markdown is left"),
])
def test_each_thing_is_seen(site, part, said):
    (line,) = site(SOUND + part)
    assert line.startswith("index.html: ") and said in line


def test_a_style_sheet_and_no_site(site, tmp_path):
    (tmp_path / "a.css").write_text("@import url('https://efm3.test/font.css');")
    assert site(SOUND) == ["a.css: leads to another place: https://efm3.test/font.css"]
    (tmp_path / "empty").mkdir()
    assert list(check.problems(tmp_path / "empty")) == [f"no site: {tmp_path / 'empty'}"]


def test_a_public_name_that_is_not_described_is_seen(site, tmp_path):
    (tmp_path / "api").mkdir()
    found = site(SOUND.replace("b/c.html#d", "../b/c.html#d").replace("a.css", "../a.css"),
                 "api/index.html")
    assert "efm3.model: efm3.model.load is not on its page" in found
    (tmp_path / "api/efm3.model.html").write_text('<h2 id="efm3.model.load">load</h2>')
    found = list(check.problems(tmp_path))
    assert "efm3.model: efm3.model.save is not on its page" in found
    assert "efm3.model: efm3.model.load is not on its page" not in found
