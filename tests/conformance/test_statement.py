# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Statements: made of a run, and every claim that the counts contradict is found."""

import copy
import json
from xml.etree import ElementTree

import pytest

import efm3
from efm3.conformance import cases, results, runner, statement


@pytest.fixture(scope="module")
def made():
    runs = [runner.run_all("writer", "@python"), runner.run_all("editor", "@python")]
    return statement.make(json.loads(results.as_json(runs)))


def codes(value):
    return [f.code for f in statement.problems(value)]


def resealed(value):
    own = {k: v for k, v in value.items() if k != "digest"}
    return own | {"digest": cases.digest_of(own)}


def test_a_statement_of_a_real_run_holds(made):
    assert codes(made) == []
    assert [statement.words_of(c) for c in made["claims"]] == ["Writer", "Editor"]
    assert made["set"] == runner.set_digest()


@pytest.mark.parametrize("change,code", [
    (lambda s: s.update(set="0" * 64), "K007"),
    (lambda s: s["claims"][0].update(ok=False), "K010"),
    (lambda s: s["claims"][0]["must"].update(total=3), "K008"),
    (lambda s: s["claims"][0]["must"].update(total=3, **{"pass": 3}), "K009"),
    (lambda s: s["claims"][0]["must"].update(fail=1, **{
        "pass": s["claims"][0]["must"]["pass"] - 1}), "K010"),
    (lambda s: s["claims"][0].update(known_failures=["write-plain"]), "K008"),
    (lambda s: s.pop("kit"), "K005"), (lambda s: s.update(extra=1), "K005"),
    (lambda s: s["claims"].clear(), "K005")])
def test_a_claim_that_is_not_true_is_found(made, change, code):
    value = copy.deepcopy(made)
    change(value)
    assert code in codes(resealed(value))


def test_a_change_after_the_seal_is_found(made):
    value = copy.deepcopy(made)
    value["implementation"]["name"] = "other"
    assert codes(value) == ["K006"]


@pytest.mark.parametrize("value", [None, [], 7, "x", {"statement_version": 99}])
def test_what_is_no_statement(value):
    assert codes(value) == ["K005"]


def test_a_part_is_stated_as_a_part():
    run = runner.run_all("writer", "@python", ["smoke"])
    made = statement.make(json.loads(results.as_json([run])))
    assert codes(made) == [] and statement.words_of(made["claims"][0]) == "Writer (part)"


@pytest.mark.parametrize("value,code", [
    ({}, "K002"), ({"run_version": 1, "runs": []}, "K002"),
    ({"run_version": 1, "runs": [1]}, "K002"),
    ({"run_version": 1, "runs": [{"implementation": {}}]}, "K002")])
def test_what_is_no_run(value, code):
    with pytest.raises(efm3.Efm3Error) as e:
        statement.make(value)
    assert e.value.code == code


def test_a_name_is_needed_and_may_be_given():
    run = results.Run("writer", "", "cmd", runner.set_digest(), outcomes=[
        results.Outcome("write-plain", "pass")])
    value = json.loads(results.as_json([run]))
    with pytest.raises(efm3.Efm3Error) as e:
        statement.make(value)
    assert e.value.code == "K004"
    assert statement.make(value, "mine", "1.0")["implementation"] == {
        "name": "mine", "version": "1.0"}


def test_runs_of_different_sets_do_not_mix():
    rows = [results.Run("writer", "", "c", d * 64, outcomes=[results.Outcome("x", "pass")],
                        implementation={"name": "t"}) for d in "01"]
    with pytest.raises(efm3.Efm3Error) as e:
        statement.make(json.loads(results.as_json(rows)))
    assert e.value.code == "K003"


def test_the_badge_is_svg_and_coloured_by_the_claims(made):
    good = statement.badge(made)
    assert ElementTree.fromstring(good).tag.endswith("svg") and "Writer, Editor" in good
    value = copy.deepcopy(made)
    value["claims"][0]["ok"] = False
    value["implementation"]["name"] = "<&>"
    bad = statement.badge(value)
    assert ElementTree.fromstring(bad) is not None and "not Writer" in bad
    assert "#2e7d32" in good and "#c62828" in bad
