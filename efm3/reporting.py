# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Reports as text, JSON, JSON lines, SARIF, JUnit XML and GitHub annotations."""

from __future__ import annotations

from collections import Counter
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


def _in_tree(source: str) -> str:
    """A path as services name files of a change: without the `./` of a folder that was walked."""
    while source.startswith("./") and (rest := source[2:].lstrip("/")):
        source = rest
    return source


def github(reports: Iterable[Report]) -> Iterable[str]:
    """Workflow commands that GitHub shows beside a change."""
    words = {"error": "error", "warning": "warning", "info": "notice"}
    for r in reports:
        file = safe(_in_tree(r.source), "property")
        if r.unreadable:
            yield (f"::error file={file},title=unreadable::"
                   f"{safe(r.unreadable, 'github')}")
        for f in r.findings:
            place = "" if f.offset is None else f" (byte {f.offset}, {f.path})"
            yield (f"::{words[f.severity]} file={file},title={f.code}::"
                   f"{safe(f.message + place, 'github')}")


def junit(reports: Iterable[Report], fail_on: str = "error") -> str:
    """JUnit XML, a case for each file.

    Findings of severity `fail_on` or higher are failures, the others lines of the case's output;
    where it is "never", which is about the exit code alone, as for "error".
    """
    from efm3.junit import Case, document

    floor = fail_on if fail_on in SEVERITIES else "error"
    cases = []
    for r in reports:
        failed = r.at_least(floor)
        cases.append(Case(r.source, "efm3.validate", [
            *([("error", r.unreadable, "unreadable")] if r.unreadable else []),
            *(("failure", _words(f), f.code) for f in failed)],
            [f"{f.severity} {_words(f)}" for f in r.findings if f not in failed]))
    return document("efm3 validate", [("efm3 validate", cases)])


def _words(f: Finding) -> str:
    """A finding in a line: code, field, byte, message."""
    place = "" if f.offset is None else f" at byte {f.offset}"
    return f"{f.code} {f.path or 'file'}{place}: {f.message}"


def sarif(reports: Iterable[Report]) -> str:
    """SARIF 2.1.0: byte regions, the field path as logical location, and fingerprints.

    A file has no lines; each region says line 1, for viewers show no result without a line.
    """
    from efm3.rules import load_rules

    rules = list(load_rules().values())
    index = {r.code: i for i, r in enumerate(rules)}
    results: list[dict[str, Any]] = []
    notes: list[dict[str, Any]] = []
    alike: Counter[str] = Counter()
    for r in reports:
        artifact = {"artifactLocation": {"uri": safe(_in_tree(r.source), "uri")}}
        if r.unreadable:
            notes.append({"level": "error", "message": {"text": r.unreadable},
                          "locations": [{"physicalLocation": artifact}]})
        for f in r.findings:
            region = {"startLine": 1}
            if f.offset is not None:
                region |= {"byteOffset": f.offset, "byteLength": f.length or 0}
            results.append({
                "ruleId": f.code, "ruleIndex": index[f.code],
                "level": SARIF_LEVELS[f.severity], "message": {"text": f.message},
                "locations": [{"physicalLocation": artifact | {"region": region},
                               "logicalLocations": [{"fullyQualifiedName": f.path or "file"}]}],
                "partialFingerprints": dict.fromkeys(FINGERPRINTS, _fingerprint(f, alike)),
                "properties": {"found": f.found, "expected": f.expected},
            })
    home = address()
    driver = {"name": "efm3", "version": __version__} | (
        {"informationUri": home} if home else {}) | {"rules": [
            {"id": r.code, "name": r.name, "shortDescription": {"text": r.what},
             "fullDescription": {"text": r.why}, "help": {"text": r.fix}}
            | ({"helpUri": page} if (page := page_of(r.code)) else {})
            | {"defaultConfiguration": {"level": SARIF_LEVELS[r.severity]}} for r in rules]}
    run = {"tool": {"driver": driver}, "results": results, "invocations": [
        {"executionSuccessful": not notes, "toolExecutionNotifications": notes}]}
    return dumps({"$schema": "https://json.schemastore.org/sarif-2.1.0.json",
                       "version": "2.1.0", "runs": [run]}, indent=2)


FINGERPRINTS = ("efm3/v1", "primaryLocationLineHash")
"""The names of a result's fingerprint: ours, and the one that code scanning compares."""


def _fingerprint(f: Finding, alike: Counter[str]) -> str:
    """What the next run's same finding has too: of its code, its field and what was found there.

    Neither the file's name is in it, nor where the field stands, nor other findings, nor words that
    another version may choose better. Those of a run that are alike in all three are numbered,
    for of results with one fingerprint a viewer may show one.
    """
    from hashlib import sha256

    # A text of a file may hold what no encoding can.
    parts = "\0".join((f.code, f.path, f.found)).encode("utf-8", "backslashreplace")
    digest = sha256(parts).hexdigest()[:32]
    alike[digest] += 1
    return f"{digest}:{alike[digest]}"


def page_of(code: str) -> str:
    """The https address of a code's page: in the documentation, where the project names one, else
    in its repository; "" where it names neither."""
    if site := address("Documentation"):
        return f"{site.rstrip('/')}/codes/{code}/"
    home = address()
    return f"{home.rstrip('/')}/blob/v{__version__}/spec/rules.md#{code.lower()}" if home else ""


def address(name: str = "Source") -> str:
    """The https address of the project's repository, `Source` of pyproject.toml, or of another
    thing there, as the installed package states it; "" where it is not installed, or its owner has
    not filled it in."""
    from importlib.metadata import PackageNotFoundError, metadata

    try:
        lines = metadata("efm3").get_all("Project-URL") or []
    except PackageNotFoundError:
        return ""
    start = f"{name}, "
    return next((line[len(start):] for line in lines if line.startswith(f"{start}https://")), "")


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
