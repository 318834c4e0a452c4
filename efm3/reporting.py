# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Reports as text, JSON, JSON lines, SARIF and GitHub annotations."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from efm3.codes import LEVELS
from efm3.findings import REPORT_VERSION, SEVERITIES, Finding, Report, plain, printable
from efm3.texts import dumps, safe
from efm3.version import __version__

COLOURS = {"error": "red", "warning": "yellow", "info": "blue"}
SARIF_LEVELS = {"error": "error", "warning": "warning", "info": "note"}

Style = Callable[..., str]


def verdict(report: Report) -> str:
    """One plain line: can this file be used?"""
    name = printable(report.source)
    if report.unreadable:
        return f"{name}: unreadable"
    counts = [f"{n} {s}{'s' if n > 1 and s != 'info' else ''}"
              for s in reversed(SEVERITIES) if (n := report.count(s))]
    word = "valid" if report.ok else "INVALID"
    return f"{name}: {word} ({report.level})" + (f", {', '.join(counts)}" if counts else "")


def text(reports: Iterable[Report], style: Style = plain, quiet: bool = False) -> Iterable[str]:
    """Lines for a person; infos are left out where `quiet`. The last one is the verdict."""
    total, bad = 0, 0
    for report in reports:
        total += 1
        bad += not report.ok
        if report.unreadable:
            yield style(printable(report.unreadable), fg="red")
        for f in report.at_least("warning" if quiet else "info"):
            yield from _finding(f, style)
        yield style(verdict(report), bold=True, fg="green" if report.ok else "red")
    if total != 1:
        yield style(f"{total} files: {total - bad} valid, {bad} not", bold=True)


def _finding(f: Finding, style: Style) -> Iterable[str]:
    place = "" if f.offset is None else f"  byte {f.offset}" + (f"+{f.length}" if f.length else "")
    head = style(f"{f.severity} {f.code}", fg=COLOURS[f.severity], bold=True)
    yield f"{head}  {printable(f.path or 'file')}{style(place, dim=True)}"
    yield f"    {printable(f.message)}"
    if f.found and f.expected:
        yield style(f"    found {printable(f.found)}, expected {printable(f.expected)}", dim=True)
    if f.severity != "info":
        yield f"    fix: {f.hint}"


def as_json(reports: Iterable[Report]) -> str:
    """All reports as one JSON object (spec/report.schema.json)."""
    rows = [r.to_json() for r in reports]
    return dumps({"report_version": REPORT_VERSION, "efm3": __version__,
                       "ok": all(r["ok"] for r in rows), "reports": rows}, indent=2)


def jsonl(reports: Iterable[Report]) -> Iterable[str]:
    """One line of JSON per report."""
    for r in reports:
        yield dumps(r.to_json(), separators=(",", ":"))


def github(reports: Iterable[Report]) -> Iterable[str]:
    """Workflow commands that GitHub shows beside a change."""
    words = {"error": "error", "warning": "warning", "info": "notice"}
    for r in reports:
        if r.unreadable:
            yield (f"::error file={safe(r.source, 'property')},title=unreadable::"
                   f"{safe(r.unreadable, 'github')}")
        for f in r.findings:
            place = "" if f.offset is None else f" (byte {f.offset}, {f.path})"
            yield (f"::{words[f.severity]} file={safe(r.source, 'property')},title={f.code}::"
                   f"{safe(f.message + place, 'github')}")


def sarif(reports: Iterable[Report]) -> str:
    """SARIF 2.1.0 with byte regions, and the field path as logical location."""
    from efm3.rules import load_rules

    rules = list(load_rules().values())
    index = {r.code: i for i, r in enumerate(rules)}
    results: list[dict[str, Any]] = []
    notes: list[dict[str, Any]] = []
    for r in reports:
        uri = safe(r.source, "uri")
        if r.unreadable:
            notes.append({"level": "error", "message": {"text": r.unreadable}})
        for f in r.findings:
            physical: dict[str, Any] = {"artifactLocation": {"uri": uri}}
            if f.offset is not None:
                physical["region"] = {"byteOffset": f.offset, "byteLength": f.length or 0}
            results.append({
                "ruleId": f.code, "ruleIndex": index[f.code],
                "level": SARIF_LEVELS[f.severity], "message": {"text": f.message},
                "locations": [{"physicalLocation": physical,
                               "logicalLocations": [{"fullyQualifiedName": f.path or "file"}]}],
                "properties": {"found": f.found, "expected": f.expected},
            })
    driver = {"name": "efm3", "version": __version__, "rules": [
        {"id": r.code, "name": r.name, "shortDescription": {"text": r.what},
         "fullDescription": {"text": r.why}, "help": {"text": r.fix},
         "defaultConfiguration": {"level": SARIF_LEVELS[r.severity]}} for r in rules]}
    run = {"tool": {"driver": driver}, "results": results, "invocations": [
        {"executionSuccessful": not notes, "toolExecutionNotifications": notes}]}
    return dumps({"$schema": "https://json.schemastore.org/sarif-2.1.0.json",
                       "version": "2.1.0", "runs": [run]}, indent=2)


def schema() -> dict[str, Any]:
    """The JSON Schema of `as_json`'s object."""
    text_ = {"type": "string"}
    number = {"type": ["integer", "null"], "minimum": 0}
    finding = {k: text_ for k in Finding.__dataclass_fields__} | {
        "severity": {"enum": list(SEVERITIES)}, "offset": number, "length": number,
        "code": {"type": "string", "pattern": "^[A-Z]+[0-9]{3}$"}}
    count = {"type": "integer", "minimum": 0}
    report = {
        "report_version": {"const": REPORT_VERSION}, "source": text_, "size": count,
        "level": {"enum": list(LEVELS)}, "ok": {"type": "boolean"},
        "unreadable": text_,
        "counts": _object({s: count for s in SEVERITIES}),
        "findings": {"type": "array", "items": _object(finding)}}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "EFM3 validation report"} | _object({
                "report_version": {"const": REPORT_VERSION}, "efm3": text_,
                "ok": {"type": "boolean"},
                "reports": {"type": "array", "items": _object(report)}})


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties),
            "additionalProperties": False}
