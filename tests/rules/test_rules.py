# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Every rule passes the sample file and finds its own example, and nothing else beside it."""

import pytest

import efm3
from efm3 import rules
from efm3.codes import LEVELS
from efm3.codes import RULE_GROUPS as GROUPS
from efm3.conformance import sample
from efm3.conformance.examples import EXAMPLES, example
from efm3.rules import load_rules

RULES = load_rules()

def codes(data, level="values"):
    return {f.code for f in efm3.validate(data, level).findings} - {"P008"}


def test_every_rule_has_an_example_and_every_example_a_rule():
    assert list(EXAMPLES) == sorted(EXAMPLES, key=list(RULES).index)
    assert set(EXAMPLES) == set(RULES)


def test_the_sample_is_clean():
    assert codes(sample.base()) == set()
    assert efm3.validate(sample.sealed()).findings == []


@pytest.mark.parametrize("code", list(EXAMPLES))
def test_rule_finds_its_example_and_only_that(code):
    found = efm3.validate(example(code)[1], RULES[code].level)
    assert code in {f.code for f in found.findings}
    assert {f.code for f in found.at_least("warning")} <= {code}


@pytest.mark.parametrize("code", list(EXAMPLES))
def test_finding_is_whole(code):
    data = example(code)[1]
    rule = RULES[code]
    for f in efm3.validate(data).findings:
        if f.code == code:
            assert f.severity == rule.severity
            assert f.message and f.hint == rule.fix and f.clause == rule.clause
            if f.offset is not None:
                assert 0 <= f.offset <= len(data)
                assert f.offset + (f.length or 0) <= len(data)


@pytest.mark.parametrize("code", list(EXAMPLES))
def test_rule_speaks_at_its_level_and_not_below(code):
    data, level = example(code)[1], RULES[code].level
    assert code in codes(data, level) | {"P008"}
    for lower in LEVELS[:LEVELS.index(level)]:
        assert code not in codes(data, lower)


def test_docs_are_whole():
    assert len(RULES) >= 60
    for r in RULES.values():
        assert r.group in GROUPS
        assert r.what.endswith(".") and r.why.endswith(".") and not r.fix.endswith(".")


def test_select_and_ignore_take_prefixes():
    data = example("M022")[1]
    assert {f.code for f in efm3.validate(data, select=["M"]).findings} == {"M022"}
    assert {f.code for f in efm3.validate(data, ignore=["M02", "P"]).findings} == set()
    assert {f.code for f in efm3.validate(data, ignore=["T", "P"]).findings} == {"M022"}


def test_values_are_imported_for_their_level_alone(monkeypatch):
    for level, wanted in (("coherence", {*GROUPS} - {"values"}), ("values", {*GROUPS})):
        seen = set()
        monkeypatch.setattr(rules, "import_module", seen.add)
        rows = rules._chosen.__wrapped__(level, (), ())
        assert seen == {f"efm3.rules.{g}" for g in wanted}
        assert {r.level for _, r, _ in rows} == set(LEVELS[:LEVELS.index(level) + 1])


def test_every_rule_of_the_catalogue_has_its_check_and_no_other_has():
    assert [rules.check_of(code) for code in RULES] == [rules.CHECKS[c] for c in RULES]
    assert set(rules.CHECKS) == set(RULES)
    for taken_or_no_rule in ("X001", "C001", "Q999"):
        with pytest.raises(ValueError, match=taken_or_no_rule):
            rules._registry.rule(taken_or_no_rule)(lambda ctx: iter(()))


def test_a_rule_without_a_check_gets_one(monkeypatch):
    monkeypatch.delitem(rules.CHECKS, "C001")

    def check(ctx):
        return iter(())
    assert rules._registry.rule("C001")(check) is check is rules.CHECKS["C001"]


def test_the_digest_needs_no_thread(monkeypatch):
    def none(self):
        raise RuntimeError("can't start new thread")
    monkeypatch.setattr("threading.Thread.start", none)
    assert efm3.validate(sample.sealed()).findings == []
    assert "M042" in codes(example("M042")[1])


def test_unknown_level_is_refused():
    with pytest.raises(ValueError, match="level"):
        efm3.validate(sample.base(), "all")


def test_a_rule_as_json():
    rule = load_rules()["C001"].to_json()
    assert rule["code"] == "C001" and rule["clause"] == "spec/EFM3.md#c001"
    assert rule["what"] and rule["why"] and rule["fix"]
