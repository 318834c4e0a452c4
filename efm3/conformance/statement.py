# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Conformance statements: what an implementation passed, of which set; made, checked, drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from xml.sax.saxutils import escape

from efm3 import mirror
from efm3.codes import LEVELS
from efm3.conformance.cases import digest_of
from efm3.conformance.engines import PRECISIONS
from efm3.conformance.requirements import CLASSES
from efm3.conformance.results import RUN_VERSION, VERDICTS
from efm3.conformance.runner import cases_of, set_digest
from efm3.findings import Finding, error
from efm3.version import __version__

STATEMENT_VERSION = 1
_COUNTS = {"type": "object", "required": ["total", *VERDICTS], "additionalProperties": False,
           "properties": {k: {"type": "integer", "minimum": 0} for k in ("total", *VERDICTS)}}
_TEXT = {"type": "string", "maxLength": 500}
_SHA = {"type": "string", "pattern": "^[0-9a-f]{64}$"}


def schema() -> dict[str, Any]:
    """The statement's JSON Schema."""
    claim = {
        "type": "object", "additionalProperties": False,
        "required": ["class", "level", "precision", "complete", "ok", "known_failures", "must",
                     "should"],
        "properties": {
            "class": {"enum": list(CLASSES)}, "level": {"enum": ["", *LEVELS]},
            "precision": {"enum": ["", *PRECISIONS]}, "complete": {"type": "boolean"},
            "ok": {"type": "boolean"},
            "known_failures": {"type": "array", "items": _TEXT, "uniqueItems": True},
            "must": _COUNTS, "should": _COUNTS}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "EFM3 conformance statement", "type": "object", "additionalProperties": False,
        "required": ["statement_version", "kit", "set", "implementation", "claims", "digest"],
        "properties": {
            "statement_version": {"const": STATEMENT_VERSION}, "kit": _TEXT, "set": _SHA,
            "implementation": {"type": "object", "required": ["name", "version"],
                               "properties": {"name": _TEXT | {"minLength": 1}, "version": _TEXT}},
            "claims": {"type": "array", "items": claim, "minItems": 1}, "digest": _SHA}}


def make(results: Mapping[str, Any], name: str = "", version: str = "") -> dict[str, Any]:
    """The statement of what `run --format json` gave. Raises Efm3Error where it gave none.

    `name` and `version` are the implementation's, where the run does not know them.
    """
    runs = results.get("runs")
    if results.get("run_version") != RUN_VERSION or not isinstance(runs, list) or not runs:
        raise error("K002", "these are not results of `efm3 conformance run --format json`")
    try:
        about = {**runs[0]["implementation"]}
        about |= {k: v for k, v in (("name", name), ("version", version)) if v}
        sets = {r["set"] for r in runs}
        claims = [_claim(r) for r in runs]
    except (KeyError, TypeError, AttributeError) as e:
        raise error("K002", f"the results lack {e}") from None
    if len(sets) != 1:
        raise error("K003", "the runs are of different sets of cases", "set")
    if not about.get("name"):
        raise error("K004", "the implementation has no name: give --name and --version",
                      "implementation.name")
    about.setdefault("version", "")
    out = {"statement_version": STATEMENT_VERSION, "kit": __version__, "set": sets.pop(),
           "implementation": about, "claims": claims}
    return out | {"digest": digest_of(out)}


def _claim(run: Mapping[str, Any]) -> dict[str, Any]:
    rows = run["outcomes"]

    def counts(level: str) -> dict[str, int]:
        own = [o["verdict"] for o in rows if o["level"] == level]
        return {"total": len(own)} | {v: own.count(v) for v in VERDICTS}
    return {"class": run["class"], "level": run["level"], "precision": run["precision"],
            "complete": not run["selected"], "ok": run["ok"],
            "known_failures": [o["case"] for o in rows if o["verdict"] == "known"],
            "must": counts("MUST"), "should": counts("SHOULD")}


def problems(statement: Any) -> Iterator[Finding]:
    """Everything that makes a statement invalid for this kit's set."""
    against = mirror.checker(schema())(statement)
    if against:
        yield error("K005", f"against the schema: {against}").finding
        return
    own = {k: v for k, v in statement.items() if k != "digest"}
    if digest_of(own) != statement["digest"]:
        yield error("K006", "the statement was changed after it was made", "digest",
                      statement["digest"], digest_of(own)).finding
    if statement["set"] != set_digest():
        yield error("K007", f"it is of another set of cases (kit {statement['kit']}, this is "
                      f"{__version__})", "set", statement["set"], set_digest()).finding
        return
    for i, claim in enumerate(statement["claims"]):
        yield from _claim_problems(claim, f"claims[{i}]")


def _claim_problems(claim: Mapping[str, Any], path: str) -> Iterator[Finding]:
    cases = cases_of(claim["class"])
    for key, level in (("must", "MUST"), ("should", "SHOULD")):
        counts, due = claim[key], sum(c.level == level for c in cases)
        if sum(counts[v] for v in VERDICTS) != counts["total"]:
            yield error("K008", "the verdicts do not add up", f"{path}.{key}",
                          sum(counts[v] for v in VERDICTS), counts["total"]).finding
        if claim["complete"] and counts["total"] != due:
            yield error("K009", f"a complete run has {due} {level} cases", f"{path}.{key}.total",
                          counts["total"], due).finding
    if claim["must"]["known"] + claim["should"]["known"] != len(claim["known_failures"]):
        yield error("K008", "the known failures do not add up", f"{path}.known_failures").finding
    must = claim["must"]
    wrong = must["fail"] + must["broken"] + must["unexpected"] + claim["should"]["broken"] + \
        claim["should"]["unexpected"]
    if claim["ok"] != (wrong == 0 and must["total"] > 0):
        yield error("K010", f"it says {'ok' if claim['ok'] else 'not ok'}, the counts say "
                      "otherwise", f"{path}.ok", claim["ok"], not claim["ok"]).finding


def words_of(claim: Mapping[str, Any]) -> str:
    """A claim in a few words, for the badge and the terminal."""
    what = {"structure": "Reader", "": claim["class"].title()}.get(
        claim["level"], f"strict Reader ({claim['level']})")
    extra = f" {claim['precision']}" if claim["precision"] not in ("", "fp32") else ""
    tail = "" if claim["complete"] else " (part)"
    known = f" ({len(claim['known_failures'])} known failures)" if claim["known_failures"] else ""
    return f"{what}{extra}{tail}{known}" if claim["ok"] else f"not {what}"


def badge(statement: Mapping[str, Any]) -> str:
    """The statement as an SVG badge: green where every claim holds fully, else amber or red."""
    claims = statement["claims"]
    whole = all(c["ok"] and c["complete"] and not c["known_failures"] for c in claims)
    colour = "#2e7d32" if whole else "#b26a00" if all(c["ok"] for c in claims) else "#c62828"
    left, right = "EFM3", ", ".join(words_of(c) for c in claims)
    # Verdana at 11 px is 6.6 px wide on average.
    a, b = 10 + round(6.6 * len(left)), 10 + round(6.6 * len(right))
    title = escape(f"{statement['implementation']['name']} {right}, set {statement['set'][:12]}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{a + b}" height="20" role="img" '
        f'aria-label="{left}: {escape(right)}"><title>{title}</title>'
        f'<rect width="{a}" height="20" fill="#444"/>'
        f'<rect x="{a}" width="{b}" height="20" fill="{colour}"/>'
        '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" '
        'text-anchor="middle">'
        f'<text x="{a / 2}" y="14">{left}</text><text x="{a + b / 2}" y="14">{escape(right)}'
        '</text></g></svg>\n')
