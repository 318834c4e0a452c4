# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The search finds a planted disagreement, minimises it, and prints a correct case."""

import efm3
from efm3.conformance import author, cases, disagree
from efm3.conformance.builtin import Own
from efm3.conformance.recipe import render
from efm3.conformance.results import Answer
from efm3.conformance.subject import Subject


class Lax(Own):
    """Our reader, but for one rule that it does not know."""

    def __init__(self, rule):
        super().__init__()
        self.rule = rule

    def read(self, data, level):
        report = efm3.validate(data, level, ignore=[self.rule])
        return Answer("ok") if report.ok else Answer("refused", "no")


def found(rule, files=400, **options):
    return list(disagree.search(Lax(rule), Own(), files, **options))


def test_a_rule_that_one_reader_lacks_is_found_and_made_small():
    rows = found("H017")
    assert rows
    for row in rows:
        assert len(row.recipe["patch"]) == 1 and "A accepts, B refuses" in row.words
        assert row.recipe["patch"][0].get("path", "").startswith("arch.stages[") or \
            row.recipe["patch"][0]["op"] == "put"
        errors = efm3.validate(render(row.recipe), "structure").at_least("error")
        assert {f.code for f in errors} == {"H017"}


def test_the_printed_case_is_a_case_of_the_corpus_form():
    row = found("T014", enough=1)[0]
    case = cases.parse(author.text(row.recipe, row.words), "found", "invalid")
    assert case.data() == render(row.recipe)
    assert {f.code for f in case.findings} == {"T014"} and case.status == "E_TRAILING"


def test_readers_that_agree_agree_and_a_seed_gives_the_same_files():
    assert list(disagree.search(Own(), Own(), 200)) == []
    one, two = (disagree.Mutator(5) for _ in range(2))
    assert [one.recipe() for _ in range(50)] == [two.recipe() for _ in range(50)]


def test_the_search_ends_when_it_is_told_to():
    ticks = iter([True, True, False])
    asked = []

    class Counting(Subject):
        def read(self, data, level):
            asked.append(data)
            return Answer("ok")
    list(disagree.search(Counting(), Counting(), 100, tick=lambda: next(ticks)))
    assert len(asked) <= 4


def test_compare():
    ok, no, broken = Answer("ok", value={"a": 1}), Answer("refused", "x"), Answer("broken", "y")
    assert disagree.compare(ok, ok) == "" and disagree.compare(no, Answer("refused", "z")) == ""
    assert disagree.compare(ok, no).startswith("A accepts, B refuses: B: x")
    assert "is broken" in disagree.compare(no, broken)
    assert "documents differ" in disagree.compare(ok, Answer("ok", value={"a": 2}))
    assert disagree.compare(ok, Answer("ok")) == ""


def test_python_and_c_agree():
    from efm3.conformance.builtin import Loader
    assert list(disagree.search(Own(), Loader(), 1500, seed=11)) == []
