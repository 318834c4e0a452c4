# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The comparison of the page's Python with the command here; `make test-page` runs all of it."""

import pytest

from efm3.codes import LEVELS
from efm3.conformance.cases import corpus
from tools.page import in_node


def test_an_answer_that_differs_is_told():
    asked = [["validate", "a"], ["inspect", "a"], ["where", "a"]]
    a = [[0, "one\ntwo\n", ""], [1, "same\n", ""], [0, "", ""]]
    b = [[0, "one\nthree\n", ""], [1, "same\n", ""], [3, "", "efm3: a: gone\n"]]
    assert in_node.differing(asked, a, a) == []
    assert in_node.differing(asked, a, b) == ["efm3 validate a: 'two' is 'three'",
                                              "efm3 where a: '0' is '3'"]


def test_the_words_of_a_newer_json_are_no_difference():
    old = [1, "Expecting value at 288", ""]
    new = [1, "Illegal trailing comma before end of array at 287", ""]
    assert in_node.of_python(old, new) and in_node.of_python(new, old)
    assert not in_node.of_python(new, [1, f"{new[1]} or so", ""])
    assert not in_node.of_python(old, [1, "Expecting ',' delimiter", ""])


def test_every_file_is_asked_about_at_every_level():
    asked = in_node.questions(["a", "b", "c"], step=2)
    for name in "abc":
        for level in LEVELS:
            assert in_node.report(level, "jsonl", name) in asked
    assert ["inspect", "--json", "c"] in asked and ["diff", "--json", "a", "c"] in asked


def test_what_is_missing_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(in_node, "PYODIDE", tmp_path)
    assert "install_page.sh" in in_node.missing() or in_node.missing() == "no node"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert in_node.missing() == "no node"


@pytest.mark.skipif(bool(in_node.missing()), reason=in_node.missing() or "all is there")
def test_some_files_in_pyodide(tmp_path):
    """A value of every kind that a rule looks for, and files of other kinds."""
    cases = [c for c in corpus()
             if any(code.startswith(("V", "C01", "C02")) for code in c.tests)]
    names = in_node.write_cases(tmp_path, cases)
    assert len(names) > 30
    asked = in_node.questions(names, step=5)
    found = in_node.in_pyodide(tmp_path, asked)
    assert in_node.differing(asked, in_node.here(tmp_path, asked), found.said) == []
    assert any("V013" in out for _, out, _ in found.said)
