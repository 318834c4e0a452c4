# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""JUnit XML: counts of cases, times, foreign text."""

from xml.etree import ElementTree

from efm3.junit import Case, document


def test_a_case_that_fails_twice_is_one():
    cases = [Case("a", "g", [("failure", "m", "X1"), ("failure", "n", "")]),
             Case("b", "g", [("error", "m", "")], seconds=0.5), Case("c", "g", lines=["x", "y"])]
    root = ElementTree.fromstring(document("all", [("one", cases), ("none", [])]))
    assert [(s.get("name"), s.get("tests"), s.get("failures"), s.get("errors"), s.get("time"))
            for s in root] == [("one", "3", "1", "1", "0.500"), ("none", "0", "0", "0", None)]
    a, b, c = root[0]
    assert [e.attrib for e in a] == [{"message": "m", "type": "X1"}, {"message": "n"}]
    assert b.get("time") == "0.5000" and a.get("time") is None
    assert c.find("system-out").text == "x\ny"


def test_foreign_text():
    bad = "\x1b]0;x\x07\n::error::\ufffe\udcff]]><x>&"
    text = document(bad, [(bad, [Case(bad, bad, [("error", bad, bad)], [bad])])])
    for e in ElementTree.fromstring(text).iter():
        for word in (*e.attrib.values(), e.text or ""):
            assert all(c == "\n" or c.isprintable() for c in word)
    assert "\n::error" not in text
