# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The page: what it says, that it is bounded and loads nothing; test_names.py has hostile names."""

import pytest

from efm3 import reporting
from efm3.codes import CODES
from efm3.conformance import sample
from efm3.conformance.examples import example
from efm3.network import layers
from efm3.report import page as pages
from efm3.report.facts import checked
from efm3.scan import scan
from tests.hostile_names import page as judged
from tests.report.pages import PLAIN, Seen, page
from tools import ROOT

NEEDS = ("jinja2",)


def test_what_it_says():
    text = page(("some.bin", sample.sealed()))
    judged(text)
    said = Seen(text).words
    assert "some.bin" in said and "✔ valid" in said and f"{len(sample.sealed()):,} bytes" in said
    for word in ("Label", "Coherence", "Topology", "Weights", "First bytes", "stem.conv.w"[:4],
                 "gdconv 7×7", "arch.stages[0].t", "block_channels", "INT8 equivalent"):
        assert word in said, word
    assert "INVALID" not in said and "What the codes mean" not in said


def test_a_finding_has_cause_fix_and_a_link():
    text = page(("bad.bin", example("M022")[1]))
    judged(text)
    seen = Seen(text)
    said = seen.words
    assert "✘ INVALID" in said and CODES["M022"].why in said and CODES["M022"].fix in said
    assert seen.of("a", "href").count("#code-M022") == 1
    assert "code-M022" in seen.of("section", "id")
    assert "efm3 explain M022" in said and "✘ differs" in said


def test_commands_are_shown_as_code():
    """What the catalogue and the messages write between backticks."""
    text = page(("pointer.bin", example("C010")[1]))
    judged(text)
    assert text.count("<code>git lfs pull</code>") == 3 and "`" not in text
    assert pages._coded("`<b>` `") == "<bdi><code>&lt;b&gt;</code> `</bdi>"


def test_a_code_links_to_its_page(monkeypatch):
    monkeypatch.setattr(reporting, "address", lambda name="Source": "https://a.example/x")
    seen = Seen(page(("bad.bin", example("M022")[1])))
    out = {link for link in seen.of("a", "href") if not link.startswith("#")}
    assert len(out) == 2  # and P008
    assert "https://a.example/x/codes/M022/" in out


def test_many_findings_of_a_code_are_folded():
    """Sizes that another header needs: a tensor each."""
    data = sample.field("arch.block_channels", 24)(sample.base())
    seen = Seen(page(("x.bin", data)))
    found = checked(data).report.findings
    many = max({f.code for f in found}, key=[f.code for f in found].count)
    assert len([f for f in found if f.code == many]) > pages.ALIKE
    assert f"more of {many}" in seen.words
    listed = [link for link in seen.of("a", "href") if link.startswith("#code-")]
    assert len(listed) == min(len(found), pages.FINDINGS)


def test_of_many_files_the_worst_have_sections(monkeypatch):
    monkeypatch.setattr(pages, "SECTIONS", 2)
    monkeypatch.setattr(pages, "ROWS", 4)
    good, bad = ("good.bin", sample.sealed()), ("bad.bin", example("M022")[1])
    text = page(good, good, bad, good, bad, bad, unfold=False)
    judged(text)
    seen = Seen(text)
    kept = [name for name in seen.of("section", "id") if name.startswith("file-")]
    assert kept == ["file-3", "file-5"]
    said = seen.words
    assert "3 valid, 3 not." in said and "2 files more are not listed" in said
    assert "The 2 with the gravest findings" in said
    assert not seen.of("details", "open")


def test_the_same_files_give_the_same_bytes():
    assert page(*PLAIN[:2]) == page(*PLAIN[:2])


def test_the_largest_size_takes_at_most_300_kb():
    text = page(("facex_xs.bin", (ROOT / "weights" / "facex_xs.bin").read_bytes()))
    assert 100_000 < len(text.encode()) <= 300_000
    assert text.count('class="hist"') == 283 and text.count("<title>") == 1 + 50


def test_what_is_left_out_of_a_large_file_is_counted(monkeypatch):
    for name, most in (("LAYERS", 6), ("TENSORS", 10), ("KEYS", 2)):
        monkeypatch.setattr(pages, name, most)
    monkeypatch.setitem(pages._environment().globals, "TENSORS", 10)
    monkeypatch.setattr(pages.facts, "MIRROR", 100)
    data = sample.with_mirror(lambda m: m | {"meta": dict.fromkeys("abcde", "x" * 999)})(
        sample.base())
    text = page(("x.bin", data))
    judged(text)
    seen, walk = Seen(text), layers(sample.ARCH)
    assert text.count('class="hist"') == 10
    assert f"{len(scan(data).tensors) - 10} more:" in seen.words
    assert f"{len(walk) - 6} layers before them are left out" in seen.words
    assert "3 more: efm3 inspect --json" in seen.words and "x" * 300 not in seen.words
    assert f"{scan(data).json_len - 100:,} bytes more" in seen.words


def test_nothing_can_be_loaded_or_run():
    text = page(*PLAIN)
    judged(text)
    seen = Seen(text)
    rule, = [a["content"] for t, a in seen.tags if t == "meta" and "http-equiv" in a]
    assert rule.startswith("default-src 'none'; style-src 'unsafe-inline'")
    style = text[text.index("<style>"):text.index("</style>")]
    assert "url(" not in style and "@import" not in style


def test_an_undefined_name_in_a_template_is_an_error():
    jinja2 = pytest.importorskip("jinja2")
    with pytest.raises(jinja2.UndefinedError):
        pages._environment().from_string("{{ nothing }}").render()
    made = pages._environment().from_string("{{ x }}{{ x | foreign }}").render(x="<\x1b&")
    assert made == "&lt;\\x1b&amp;<bdi>&lt;\\x1b&amp;</bdi>"
