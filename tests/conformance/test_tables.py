# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The table: its rows, sets and failures, and that no foreign text does anything in a page."""

import itertools
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

import efm3
from efm3.conformance import _table_html, runner, tables
from efm3.conformance.badges import MAX_WORDS
from efm3.texts import cut
from tests.statements import HOSTILE, claim, sealed, stated, version_1

CASES = {c.id: c for c in runner.cases_of("writer")}
IDS = [i for i, c in CASES.items() if c.level == "MUST"]
VOID = {"meta", "img", "br"}


def table(*values):
    return tables.table({f"{i}.json": v for i, v in enumerate(values)})


class Page(HTMLParser):
    """Tags, attributes and texts, with every tag closed in its order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.cells, self.texts = [], set(), {}, [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, []).append(value)
        if tag in ("td", "th"):
            self.cells.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.texts.append(data)
        if {"td", "th"} & set(self.open):
            self.cells[-1] += data


def markdown(sets):
    """The parsed tables' cells, and every token, of the Markdown page."""
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(tables.markdown(sets))
    flat = [t for token in tokens for t in (token, *(token.children or ()))]
    cells = ["".join(c.content for c in inner.children if c.type in ("text", "text_special"))
             for opened, inner in itertools.pairwise(tokens)
             if opened.type in ("td_open", "th_open")]
    return cells, flat


def test_rows_and_columns():
    (one,) = table(
        stated(claim("writer"), name="b"), stated(claim("reader", "values"), name="a"),
        stated(claim("reader"), claim("engine", precision="fast"), name="a"))
    assert one.own and [r.about["name"] for r in one.rows] == ["a", "b"]
    assert [name for _, name in one.columns] == [
        "Reader", "strict Reader (values)", "Writer", "Engine fast"]
    assert [len(r.claims) for r in one.rows] == [3, 1] and len(one.rows[0].digests) == 2


def test_the_order_of_the_statements_says_nothing():
    values = [stated(claim("writer"), name=n, version=v) for n, v in ("a1", "B1", "B2")]
    values.append(stated(claim("editor"), **{"set": "f" * 64}))
    pages = {(tables.markdown(s), _table_html.page(s), str(tables.to_json(s)))
             for order in itertools.permutations(values) for s in [table(*order)]}
    assert len(pages) == 1
    assert table(*values, *values) == table(*values)


def test_one_claim_made_twice_stands_in_two_rows():
    (one,) = table(stated(claim("writer")), stated(claim("writer", fail=IDS[:1])))
    assert [r.about["name"] for r in one.rows] == ["mine", "mine"]
    assert {r.claims["writer", "", ""].ok for r in one.rows} == {True, False}


def test_sets_are_not_mixed():
    own, other = stated(claim("writer")), stated(claim("writer", fail=IDS[:1]), **{
        "set": "0" * 64, "kit": "9.9"})
    one, two = sets = table(other, own)
    assert (one.own, two.own, two.kit) == (True, False, "9.9")
    for page in (tables.markdown(sets), _table_html.page(sets)):
        assert page.count(tables.MIXED) == page.count(tables.OTHER) == 1
        assert two.digest[:12] in page
    assert tables.to_json(sets)["mixed"]
    assert tables.codes_of(two, IDS[:1]) == [] != tables.codes_of(one, IDS[:1])
    assert tables.MIXED not in tables.markdown(table(own))


def test_what_contradicts_itself_is_refused_with_its_file():
    wrong = stated(claim("writer"))
    wrong["claims"][0]["ok"] = False
    for value, code in ((sealed(wrong), "K010"), (wrong, "K006"), ({}, "K005"),
                        (sealed(wrong | {"set": "0" * 64}), "K010")):
        with pytest.raises(efm3.Efm3Error) as e:
            table(stated(claim("editor")), value)
        assert e.value.code == code and "1.json" in str(e.value)


def test_cells_and_failures():
    soft = next(i for i, c in CASES.items() if c.level == "SHOULD")
    sets = table(stated(claim("writer", fail=[*IDS[:2], soft], broken=IDS[2:3]),
                        claim("editor", selected=("smoke",)), name="bad"),
                 stated(claim("writer", known=IDS[:1]), claim("editor"), name="good"))
    due, should = (sum(c.level == w for c in CASES.values()) for w in ("MUST", "SHOULD"))
    for cells in (markdown(sets)[0], Page(_table_html.page(sets)).cells):
        text = " ".join(cells)
        assert f"✗ failsMUST {due - 3} of {due}SHOULD {should - 1} of {should}" in text
        assert "◐ passes a part" in text and "✓ passes" in text
        assert f"◐ passes but for 1 known failureMUST {due - 1} of {due}" in text
    codes = tables.codes_of(sets[0], [*IDS[:3], soft])
    assert set(codes) == {t for i in [*IDS[:3], soft] for t in CASES[i].tests}
    plain = tables.markdown(sets).replace("\\", "")
    assert f"- Writer: {', '.join(codes)}\n" in plain
    assert f"  - fail: {', '.join(sorted([*IDS[:2], soft]))}\n  - broken: {IDS[2]}\n" in plain
    texts = "".join(Page(_table_html.page(sets)).texts)
    assert all(i in texts for i in [*IDS[:3], soft]) and f"Writer: {', '.join(codes)}" in texts
    rows = tables.to_json(sets)["sets"][0]["implementations"]
    assert [c["status"] for r in rows for c in r["claims"]] == ["fails", "part", "known", "passes"]
    assert rows[0]["claims"][0]["codes"] == codes


def test_version_1_does_not_name_them():
    sets = table(version_1(stated(claim("writer", fail=IDS[:1]))))
    for page in (tables.markdown(sets), _table_html.page(sets)):
        assert "(the cases that failed are not named)" in page


def test_the_page_says_what_it_is_worth():
    sets = table(stated(claim("writer")))
    for text in (tables.markdown(sets), "".join(Page(_table_html.page(sets)).texts)):
        assert tables.WORTH in text and "--rerun" in text
    assert tables.to_json(sets)["worth"] == tables.WORTH


def hostile(text):
    value = stated(claim("writer"), name=text, version=text, language=text, kit=text)
    other = stated(claim("editor"), name=text, version=text, language=text,
                   **{"set": "1" * 64, "kit": text})
    other["claims"][0]["cases"]["fail"] = [text]
    other["claims"][0]["must"] |= {"fail": 1, "pass": other["claims"][0]["must"]["pass"] - 1}
    other["claims"][0]["ok"] = False
    return table(value, sealed(other))


@pytest.mark.parametrize("kind", list(HOSTILE))
def test_no_text_does_anything_in_html(kind):
    page = _table_html.page(hostile(HOSTILE[kind]))
    page.encode("utf-8")
    found, plain = Page(page), Page(_table_html.page(hostile("mine")))
    assert found.tags == plain.tags and "script" not in found.tags
    assert set(found.attributes) == set(plain.attributes)
    assert not {"href", "src", "onerror"} & set(found.attributes)
    assert found.cells.count(cut(HOSTILE[kind], MAX_WORDS)) == 6
    assert all(c.isprintable() or c == "\n" for c in page)


@pytest.mark.parametrize("kind", list(HOSTILE))
def test_no_text_does_anything_in_markdown(kind):
    cells, tokens = markdown(hostile(HOSTILE[kind]))
    plain, others = markdown(hostile("mine"))
    assert [t.type for t in tokens if t.type not in ("text", "text_special")] == [
        t.type for t in others if t.type not in ("text", "text_special")]
    assert {t.content for t in tokens if t.type == "html_inline"} == {"<br>"}
    assert cells == [cut(HOSTILE[kind], MAX_WORDS) if c == "mine" else c for c in plain]
    assert cells.count(cut(HOSTILE[kind], MAX_WORDS)) == 6


def test_html_is_one_file():
    page = _table_html.page(table(stated(claim("writer"))))
    assert "default-src 'none'" in page and "<script" not in page and "@import" not in page
    assert "url(" not in page and "http" not in page.replace("http-equiv", "")
    for needed in ("prefers-color-scheme: dark", "width=device-width", "<!doctype html>"):
        assert needed in page
