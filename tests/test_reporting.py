# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Reports in every format: valid by their schema, safe on a terminal, stable."""

import json

import jsonschema
import pytest

import efm3
from efm3 import reporting
from efm3.conformance import sample
from efm3.conformance.examples import EXAMPLES, example
from efm3.findings import Finding, Report


def reports():
    out = [efm3.validate(example(code)[1]) for code in EXAMPLES]
    return [*out, efm3.validate("/nonexistent"), Report("nasty\x1b[2J\n.bin", 1, "values", [
        Finding("M022", "error", "a\x1b]0;x\x07b\n::error::c", 0, 1, "json.\x00", "\x1b", "%,:")])]


def test_json_holds_its_schema():
    schema = reporting.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    value = json.loads(reporting.as_json(reports()))
    jsonschema.validate(value, schema)
    assert not value["ok"] and len(value["reports"]) == len(EXAMPLES) + 2


def test_json_of_one_report_is_report_to_json():
    report = efm3.validate(example("M022")[1])
    assert json.loads(reporting.as_json([report]))["reports"] == [report.to_json()]
    assert [json.loads(x) for x in reporting.jsonl([report])] == [report.to_json()]


@pytest.mark.parametrize("form", [reporting.text, reporting.github])
def test_nothing_from_a_file_reaches_the_terminal_raw(form):
    for line in form(reports()):
        assert line.isprintable(), repr(line)


def test_text_ends_with_the_verdict():
    lines = list(reporting.text([efm3.validate(sample.sealed())]))
    assert lines == ["<bytes>: valid (values)"]
    lines = list(reporting.text([efm3.validate(example("M022")[1])], quiet=True))
    assert lines[-1] == "<bytes>: INVALID (values), 1 error, 1 info"
    assert any("M022" in x and "json.block_channels" in x for x in lines)
    assert not any("P008" in x for x in lines)
    assert list(reporting.text(reports()))[-1].startswith(f"{len(EXAMPLES) + 2} files: ")


def test_sarif():
    log = json.loads(reporting.sarif(reports()))
    assert log["version"] == "2.1.0"
    run = log["runs"][0]
    ids = [r["id"] for r in run["tool"]["driver"]["rules"]]
    assert {r["ruleId"] for r in run["results"]} == set(EXAMPLES) == set(ids)
    for r in run["results"]:
        assert ids[r["ruleIndex"]] == r["ruleId"]
        where = r["locations"][0]["physicalLocation"]
        assert where["artifactLocation"]["uri"].isascii()
        region = where.get("region")
        assert region is None or (region["byteOffset"] >= 0 and region["byteLength"] >= 0)
    notes = run["invocations"][0]["toolExecutionNotifications"]
    assert not run["invocations"][0]["executionSuccessful"] and len(notes) == 1


def test_github():
    lines = list(reporting.github([efm3.validate(example("M022")[1])]))
    assert any(x.startswith("::error file=<bytes>,title=M022::") for x in lines)


def test_printable_keeps_plain_text():
    assert reporting.printable("naïve ✓") == "naïve ✓"
    assert reporting.printable("\x9b\ud800") == "\\x9b\\ud800"
