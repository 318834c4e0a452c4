# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a notebook shows of a report: its findings, the worst first; of hostile text only text."""

import re
from html.parser import HTMLParser

import pytest

import efm3
from efm3 import notebook
from efm3.conformance import sample
from efm3.conformance.examples import example
from efm3.findings import Finding, Report
from tests.hostile_names import COUNT, fragment, hostile


class Text(HTMLParser):
    """What a reader sees, cell by cell; every tag is closed in its order."""

    def __init__(self, html):
        super().__init__()
        self.words, self.open = [], []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def seen(html):
    return " ".join("\n".join(Text(html).words).split())


def test_a_sound_file():
    html = efm3.validate(sample.base())._repr_html_()
    fragment(html)
    assert seen(html).startswith("<bytes> valid at level values, ")
    assert "<table" not in Report("x", 1, "values")._repr_html_()


@pytest.mark.parametrize("code", ["C002", "H003", "T012", "M021"])
def test_a_finding_is_there_whole(code):
    report = efm3.validate(example(code)[1])
    html = report._repr_html_()
    fragment(html)
    (f, *_) = [f for f in report.findings if f.code == code]
    for word in (f.code, f.message, f.path, f.found, f.expected, f.hint, f"byte {f.offset:,}"):
        assert " ".join(word.split()) in seen(html)
    assert "invalid" in seen(html) and f"{report.count('error')} error" in seen(html)


def test_an_unreadable_file(tmp_path):
    html = efm3.validate(tmp_path / "<gone>")._repr_html_()
    fragment(html)
    assert "unreadable" in seen(html) and "<gone>" in seen(html)


@pytest.mark.parametrize("name", hostile(COUNT))
def test_hostile_text_everywhere(name):
    f = Finding("C001", "error", name, 1, 2, name, name, name, name, name)
    html = Report(name, 1, "values", [f], name)._repr_html_()
    fragment(html)
    Text(html)


def test_the_worst_first_and_never_more_than_some():
    kinds = ("info", "warning", "error")
    findings = [Finding("C001", kinds[i % 3], "&" * 600, 1 << 40, 1 << 40, "\x1b" * 200,
                        '"' * 200, "'" * 200, "x") for i in range(9000)]
    html = Report("<" * 9000, 1, "values", findings)._repr_html_()
    fragment(html)
    words = seen(html)
    assert "3,000 warnings" in words and "3,000 info" in words and "8,960 more" in words
    assert html.count("<tr>") == notebook.MOST_FINDINGS
    assert len(html) < 300_000
    few = Report("x", 1, "values", findings[:6])._repr_html_()
    rows = re.findall(r"background:(#\w+);", few.partition("<table")[2])
    assert rows == [notebook.COLOURS[k] for k in reversed(kinds) for _ in range(2)]


def test_white_letters_are_legible_on_every_colour():
    """Relative luminance and contrast as WCAG 2 defines them; 4.5 is its level AA."""
    def luminance(colour):
        parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
        line = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), line, strict=True))

    for colour in notebook.COLOURS.values():
        assert 1.05 / (luminance(colour) + 0.05) >= 5


def test_no_colour_of_letters_but_on_a_background_of_ours():
    html = efm3.validate(example("H003")[1])._repr_html_()
    for style in re.findall('style="([^"]*)"', html):
        assert ("background:" in style) == bool(re.search("(^|;)color:", style))
