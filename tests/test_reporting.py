# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Reports in every format: valid by their schema, safe on a terminal, stable."""

import importlib.metadata
import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

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


def sarif(found):
    return json.loads(reporting.sarif(found))


def test_sarif():
    log = sarif(reports())
    assert log["version"] == "2.1.0"
    run = log["runs"][0]
    ids = [r["id"] for r in run["tool"]["driver"]["rules"]]
    assert {r["ruleId"] for r in run["results"]} == set(EXAMPLES) == set(ids)
    for r in run["results"]:
        assert ids[r["ruleIndex"]] == r["ruleId"]
        where = r["locations"][0]["physicalLocation"]
        assert where["artifactLocation"]["uri"].isascii()
        region = where["region"]
        assert region["startLine"] == 1  # or code scanning shows nothing
        assert set(region) - {"startLine"} in (set(), {"byteOffset", "byteLength"})
        assert region.get("byteOffset", 0) >= 0 and region.get("byteLength", 0) >= 0
    notes = run["invocations"][0]["toolExecutionNotifications"]
    assert not run["invocations"][0]["executionSuccessful"] and len(notes) == 1


SCHEMA = Path(__file__).resolve().parent.parent / "build/sarif/sarif-2.1.0-rtm.5.json"


def test_sarif_holds_the_standards_schema(monkeypatch):
    if not SCHEMA.is_file():
        pytest.skip("SARIF's schema is not in build/sarif: run tools/foreign/install_sarif.sh")
    check = jsonschema.Draft4Validator(json.loads(SCHEMA.read_text()),
                                       format_checker=jsonschema.FormatChecker())
    monkeypatch.setattr(reporting, "address", lambda name="Source": HOME)
    log = sarif(reports())
    check.validate(log)
    log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] = 0
    assert not check.is_valid(log)


HOME = "https://efm3.test/efm3/"


def test_sarif_links_to_where_the_project_is(monkeypatch):
    """And to nowhere while its owner has named no place."""
    def driver():
        return sarif([])["runs"][0]["tool"]["driver"]
    named: dict[str, str] = {}
    monkeypatch.setattr(reporting, "address", lambda name="Source": named.get(name, ""))
    assert "informationUri" not in driver() and "helpUri" not in driver()["rules"][0]
    named["Source"] = HOME
    assert driver()["informationUri"] == HOME
    page = (SCHEMA.parents[2] / "spec/rules.md").read_text(encoding="utf-8").lower()
    for rule in driver()["rules"]:
        file, mark, anchor = rule["helpUri"].partition("#")
        assert file == f"{HOME}blob/v{efm3.__version__}/spec/rules.md" and mark
        assert f"\n### {anchor}\n" in page
    named["Documentation"] = "https://efm3.test/docs"
    for rule in driver()["rules"]:
        assert rule["helpUri"] == f"https://efm3.test/docs/codes/{rule['id']}/"
    assert driver()["informationUri"] == HOME


def test_the_address_is_the_packages(monkeypatch):
    lines = ["Issues, https://efm3.test/issues", f"Source, {HOME}"]

    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    def stated(name):
        return type("Metadata", (), {"get_all": lambda self, key: lines})()
    monkeypatch.setattr(importlib.metadata, "metadata", stated)
    assert reporting.address() == HOME and reporting.address("Documentation") == ""
    lines[1] = "Source, OWNER"
    assert reporting.address() == ""
    monkeypatch.setattr(importlib.metadata, "metadata", missing)
    assert reporting.address() == ""


def prints(found):
    out = [tuple(r["partialFingerprints"].values()) for r in sarif(found)["runs"][0]["results"]]
    assert all(len(set(values)) == 1 for values in out)
    return [values[0] for values in out]


def test_a_fingerprint_stays_and_is_its_own():
    report = efm3.validate(example("M022")[1])
    before = prints([report])
    assert len(set(before)) == len(before) == 2
    moved = replace(report, source="elsewhere/x.bin", size=report.size + 1)
    assert prints([moved]) == before
    shifted = replace(report, findings=[replace(f, offset=(f.offset or 0) + 8, message="other")
                                        for f in report.findings])
    assert prints([shifted]) == before
    assert prints([replace(report, findings=report.findings[::-1])]) == before[::-1]
    other = Finding("M021", "error", "m", path="json", found="x")
    assert set(before) < set(prints([replace(report, findings=[other, *report.findings])]))
    # Of two copies each has its own, and that of the first stays.
    twice = prints([report, report])
    assert twice[:2] == before and len(set(twice)) == 4
    for key in ("code", "path", "found"):
        changed = replace(report.findings[0], **{key: "M023"})
        assert prints([replace(report, findings=[changed])])[0] != before[0], key


def test_junit():
    good, bad = efm3.validate(sample.sealed()), efm3.validate(example("M022")[1])
    root = ElementTree.fromstring(reporting.junit([good, bad, efm3.validate("/nonexistent")]))
    suite = root[0]
    assert {k: suite.get(k) for k in ("tests", "failures", "errors", "skipped")} == {
        "tests": "3", "failures": "1", "errors": "1", "skipped": "0"}
    assert [[e.tag for e in case] for case in suite] == [[], ["failure", "system-out"], ["error"]]
    assert suite[1][0].get("type") == "M022" and "json.block_channels" in suite[1][0].get("message")
    assert suite[1][1].text.startswith("info P008 ")


def test_junit_fails_what_the_command_fails():
    warned = efm3.validate(example("M029")[1])

    def failed(fail_on):
        case = ElementTree.fromstring(reporting.junit([warned], fail_on))[0][0]
        return [e.get("type") for e in case.iter("failure")]
    assert failed("error") == failed("never") == [] and failed("warning") == ["M029"]
    assert set(failed("info")) == {f.code for f in warned.findings}


def test_github():
    lines = list(reporting.github([efm3.validate(example("M022")[1])]))
    assert any(x.startswith("::error file=<bytes>,title=M022::") for x in lines)


@pytest.mark.parametrize("source,shown", [("./a.bin", "a.bin"), ("././/a", "a"), ("../a", "../a"),
                                          ("/a", "/a"), ("./.a", ".a"), (".a", ".a")])
def test_services_name_a_file_as_git_does(source, shown):
    report = replace(efm3.validate(example("M022")[1]), source=source)
    assert all(f" file={shown}," in line for line in reporting.github([report]))
    for r in sarif([report])["runs"][0]["results"]:
        assert r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == shown


def test_printable_keeps_plain_text():
    assert reporting.printable("naïve ✓") == "naïve ✓"
    assert reporting.printable("\x9b\ud800") == "\\x9b\\ud800"
