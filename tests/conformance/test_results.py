# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Runs: what counts as conforming, known failures that expire, text, JSON and JUnit."""

import json
from xml.etree import ElementTree

import pytest

import efm3
from efm3 import mirror
from efm3.conformance import results
from efm3.conformance.results import Outcome, Run


def run(*verdicts, level="MUST", **keys):
    rows = [Outcome(f"case-{i}", v, "about", ("H004",), level, "why") for i, v in
            enumerate(verdicts)]
    return Run("reader", "structure", "cmd", "0" * 64, outcomes=rows, **keys)


@pytest.mark.parametrize("verdicts,level,ok", [
    (["pass"], "MUST", True), (["pass", "fail"], "MUST", False), (["pass", "fail"], "SHOULD", True),
    (["pass", "broken"], "MUST", False), (["pass", "broken"], "SHOULD", False), ([], "MUST", False),
    (["pass", "known"], "MUST", True), (["pass", "unexpected"], "SHOULD", False)])
def test_conforming(verdicts, level, ok):
    assert run(*verdicts, level=level).ok is ok


def test_broken_is_not_failed():
    assert not run("broken").failed and run("fail").failed and run("unexpected").failed


def test_the_last_line_of_the_text_is_the_verdict():
    lines = list(results.text(run("pass", "fail", "broken")))
    assert lines[-1] == "reader: does NOT conform as reader at level structure"
    assert lines[-2] == "1 pass, 1 fail, 1 broken"
    assert any("case-1" in line for line in lines) and not any("case-0" in line for line in lines)
    assert list(results.text(run("pass", selected=("smoke",))))[-1].endswith("on smoke alone")


def test_what_a_program_says_cannot_reach_the_terminal():
    rows = [Outcome("x", "fail", detail="\x1b[31mred\n")]
    assert "\x1b" not in "".join(results.text(Run("reader", "", "", "", outcomes=rows)))


def test_json_follows_its_schema():
    value = json.loads(results.as_json([run("pass"), run("fail")]))
    assert value["ok"] is False and value["runs"][0]["counts"]["pass"] == 1
    check = mirror.checker(results.schema())
    assert check(value) == ""
    value["runs"][0]["outcomes"][0]["verdict"] = "fine"
    assert check(value)


def test_junit_tells_errors_from_failures():
    root = ElementTree.fromstring(results.junit([run("pass", "fail", "broken", "known",
                                                     "unexpected")]))
    suite = root[0]
    assert suite.get("name") == "reader structure"
    assert {k: suite.get(k) for k in ("tests", "failures", "errors", "skipped")} == {
        "tests": "5", "failures": "2", "errors": "1", "skipped": "1"}
    assert [[child.tag for child in case] for case in suite] == [
        [], ["failure"], ["error"], ["skipped"], ["failure"]]


def test_known_failures_are_read_and_strange_ones_refused():
    text = "# old\ncase-1  # since 0.1\n\ncase-2\n"
    assert results.known_failures(text, ["case-1", "case-2"]) == {"case-1", "case-2"}
    with pytest.raises(efm3.Efm3Error, match="not a case") as e:
        results.known_failures(text, ["case-1"])
    assert e.value.code == "K001"


def test_known_failures_expire():
    def expire(verdict):
        return results.expire(Outcome("case-1", verdict), {"case-1"}).verdict
    assert [expire(v) for v in ("fail", "pass", "broken")] == ["known", "unexpected", "broken"]
    assert results.expire(Outcome("case-2", "fail"), {"case-1"}).verdict == "fail"
