# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Conformance statements: what an implementation passed, of which set; made, read, checked.

A statement is an unsigned claim by whoever wrote it. What is checked here is whether it contradicts
itself or the set of cases; whether it is true only a run can tell (`efm3.conformance.rerun`).
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from unicodedata import category

from efm3 import mirror
from efm3.codes import LEVELS
from efm3.conformance.cases import Case, corpus, digest_of
from efm3.conformance.requirements import CLASSES
from efm3.conformance.results import RUN_VERSION, VERDICTS
from efm3.conformance.results import schema as run_schema
from efm3.conformance.runner import cases_of, set_digest
from efm3.findings import Finding, error, refuse, shown
from efm3.precision import PRECISIONS
from efm3.source import Source, name_of, open_regular
from efm3.version import __version__

STATEMENT_VERSION = 2
"""Version 1 counts the cases that did not pass and names the known failures alone; it is read."""

MAX_STATEMENT, MAX_VALUES = 1 << 20, 20_000
"""Most bytes of a statement, and most values in it: of nine claims in which all cases fail there
are half as many."""

OLDER = ("fp32", "fp16", "bf16", "int8")
"""What precisions were called before cases had bounds of their own. The first is f32, as is none at
all; the others are no names of today's, and stay what they are."""

LISTED = VERDICTS[1:]
"""The verdicts whose cases a statement names: every other case passed."""

BLANK = "\u115f\u1160\u2800\u3164\uffa0"
"""Letters and signs without a mark: the fillers of Hangul, the empty cell of Braille."""

ABOUT = ("name", "version", "language", "homepage", "issues")
"""What a statement says of the implementation, as far as it is known."""


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties),
            "additionalProperties": False}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{name}"}


def _only(key: str, one: str) -> dict[str, Any]:
    """That `key` says something where the claim is of the class `one`, and nothing elsewhere."""
    return {"if": {"properties": {"class": {"const": one}}},
            "then": {"properties": {key: {"minLength": 1}}},
            "else": {"properties": {key: {"maxLength": 0}}}}


def _claim(version: int) -> dict[str, Any]:
    own = {"known_failures": _ref("ids")} if version == 1 else {
        "selected": _ref("words"), "cases": _object(**dict.fromkeys(LISTED, _ref("ids")))}
    made = _object(**{
        "class": {"enum": list(CLASSES)}, "level": {"enum": ["", *LEVELS]},
        "precision": {"enum": ["", *PRECISIONS, *OLDER]}, "complete": {"type": "boolean"},
        "ok": {"type": "boolean"}, "must": _ref("counts"), "should": _ref("counts")} | own)
    made["required"].remove("precision")
    return made | {"allOf": [_only("level", "reader"), _only("precision", "engine")]}


def schema() -> dict[str, Any]:
    """The statement's JSON Schema, of both versions."""
    text, count = ({"type": "string", "maxLength": 500},
                   {"type": "integer", "minimum": 0, "maximum": MAX_VALUES})
    ids = {"type": "array", "items": _ref("text"), "maxItems": MAX_VALUES}
    names = dict.fromkeys(ABOUT, _ref("text")) | {"name": text | {"minLength": 1}}
    about = {"type": "object", "required": ["name", "version"], "properties": names}

    def statement(version: int, about: dict[str, Any]) -> dict[str, Any]:
        return _object(statement_version={"const": version}, kit=_ref("text"), set=_ref("sha256"),
                       implementation=about, digest=_ref("sha256"), claims={
                           "type": "array", "items": _claim(version), "minItems": 1,
                           "maxItems": 64})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "EFM3 conformance statement",
        "oneOf": [_ref("v1"), _ref("v2")],
        "$defs": {
            "v1": statement(1, about),
            "v2": statement(2, about | {"additionalProperties": False}),
            "text": text, "ids": ids, "words": ids | {"maxItems": 100},
            "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "counts": _object(**dict.fromkeys(("total", *VERDICTS), count))}}


@lru_cache(maxsize=2)
def _checker(version: int) -> Callable[[Any], str]:
    own = schema()
    del own["oneOf"]
    return mirror.checker(own | _ref(f"v{version}"))


@dataclass(frozen=True)
class Claim:
    """What is claimed of one class at one level or precision, from a statement of any version.

    `cases` names those that did not pass, by verdict. `named` is False where a statement of
    version 1 only counts them, or does not say which part of the set it is of.
    """

    subject: str
    level: str
    precision: str
    complete: bool
    ok: bool
    selected: tuple[str, ...]
    cases: Mapping[str, tuple[str, ...]]
    named: bool
    must: Mapping[str, int]
    should: Mapping[str, int]

    @property
    def column(self) -> tuple[str, str, str]:
        """What the claim is about: class, level, precision."""
        return self.subject, self.level, self.precision

    @property
    def whole(self) -> bool:
        """True where every MUST case of the set passed: none is a known failure or left out."""
        return self.ok and self.complete and not self.cases["known"]

    def stated(self) -> dict[str, str]:
        """The verdict of each case that did not pass."""
        return {case: verdict for verdict, ids in self.cases.items() for case in ids}

    @property
    def name(self) -> str:
        """What is claimed to conform: the class, with its level and precision."""
        what = {"structure": "Reader", "": self.subject.title()}.get(
            self.level, f"strict Reader ({self.level})")
        return what + (f" {self.precision}" if self.precision not in ("", PRECISIONS[0]) else "")

    @property
    def words(self) -> str:
        """The claim in a few words, for the badge and the terminal."""
        known = len(self.cases["known"])
        return ("" if self.ok else "not ") + self.name + (
            "" if self.complete else " (part)") + (
            f" ({known} known failure{'s'[:known != 1]})" if known else "")


def claims(statement: Mapping[str, Any]) -> list[Claim]:
    """The claims of a statement in which `problems` found none of K005."""
    out = []
    for c in statement["claims"]:
        two = "cases" in c
        cases = c["cases"] if two else {"known": c["known_failures"]}
        named = two or (c["complete"] and not any(
            counts[v] for counts in (c["must"], c["should"]) for v in LISTED if v != "known"))
        # A JSON Schema takes 7.0 for an integer.
        must, should = ({k: int(n) for k, n in c[key].items()} for key in ("must", "should"))
        stated = c.get("precision", OLDER[0] if c["class"] == "engine" else "")
        out.append(Claim(c["class"], c["level"],
                         PRECISIONS[0] if stated == OLDER[0] else stated, c["complete"], c["ok"],
                         tuple(c.get("selected", ())),
                         {v: tuple(cases.get(v, ())) for v in LISTED}, named, must, should))
    return out


def read(file: Source) -> dict[str, Any]:
    """The JSON object of a statement's file, of which nothing is checked but its grammar.

    Raises Efm3Error, and Unreadable where there is no file.
    """
    if isinstance(file, (str, os.PathLike)):
        with open_regular(os.fspath(file)) as f:
            data = f.read(MAX_STATEMENT + 1)
    else:
        data = bytes(file if isinstance(file, (bytes, bytearray, memoryview)) else
                     file.read(MAX_STATEMENT + 1))
    if len(data) > MAX_STATEMENT:
        refuse("K012", f"it is longer than {MAX_STATEMENT} bytes", name_of(file))
    try:
        return mirror.parse(data.strip(b" \t\r\n"))
    except mirror.MirrorProblem as e:
        refuse("K012", e.message.replace("the mirror", "it"), name_of(file))


def make(results: Mapping[str, Any], name: str = "", version: str = "",
         language: str = "") -> dict[str, Any]:
    """The statement of what `run --format json` gave. Raises Efm3Error where it gave none.

    `name`, `version` and `language` are the implementation's, where the run does not know them.
    """
    runs = results.get("runs")
    if results.get("run_version") != RUN_VERSION or not isinstance(runs, list) or not runs:
        refuse("K002", "these are not results of `efm3 conformance run --format json`")
    given = {k: v for k, v in (("name", name), ("version", version), ("language", language)) if v}
    wrong = mirror.checker(run_schema())(results)
    if wrong:
        refuse("K002", f"they are no results: {wrong}")
    for i, run in enumerate(runs):
        _of_cases(run, f"runs[{i}].outcomes")
    known = [{k: r["implementation"][k] for k in ABOUT if k in r["implementation"]} | given
             for r in runs]
    sets = {(r["set"], r["efm3"]) for r in runs}
    stated = [_stated(r) for r in runs]
    if len(sets) != 1:
        refuse("K003", "the runs are of different sets of cases", "set")
    abouts = [a for a in known if _visible(a.get("name", ""))]
    if not abouts:
        refuse("K004", "the implementation has no name: give --name and --version",
               "implementation.name", next((a["name"] for a in known if a.get("name")), None))
    for other in abouts[1:]:
        if [other[k] for k in ("name", "version") if k in other] != [
                abouts[0][k] for k in ("name", "version") if k in abouts[0]]:
            refuse("K011", "", "implementation", other, abouts[0])
    (digest, kit), = sets
    out = {"statement_version": STATEMENT_VERSION, "kit": kit, "set": digest,
           "implementation": {"version": ""} | abouts[0], "claims": stated}
    out |= {"digest": digest_of(out)}
    try:
        wrong = _checker(STATEMENT_VERSION)(mirror.parse(json.dumps(out).encode()))
    except mirror.MirrorProblem as e:
        wrong = e.message
    if wrong:
        refuse("K002", f"they make no statement: {wrong}")
    return out


def _visible(name: Any) -> bool:
    """False for a name that nobody sees: no letter, digit or sign in it, or blank ones alone."""
    return not isinstance(name, str) or any(
        category(c)[0] in "LNPS" and c not in BLANK for c in name)


def _of_cases(run: Mapping[str, Any], path: str) -> None:
    """Refuse outcomes of what is no case of the run's class, and two of one case (K002)."""
    of = {run["class"]} | ({"reader"} if run["class"] == "engine" else set())
    known, seen = {c.id for c in corpus(True) if c.kind in of}, set[str]()
    for i, row in enumerate(run["outcomes"]):
        if row["case"] not in known:
            refuse("K002", f"no case of class {shown(run['class'])} is named "
                   f"{shown(row['case'])} here", f"{path}[{i}].case", row["case"])
        if row["case"] in seen:
            refuse("K002", "a case has two outcomes", f"{path}[{i}].case", row["case"])
        seen.add(row["case"])


def _stated(run: Mapping[str, Any]) -> dict[str, Any]:
    rows = run["outcomes"]

    def counts(level: str) -> dict[str, int]:
        own = [o["verdict"] for o in rows if o["level"] == level]
        return {"total": len(own)} | {v: own.count(v) for v in VERDICTS}
    return {"class": run["class"], "level": run["level"], "precision": run["precision"],
            "complete": not run["selected"], "ok": run["ok"], "selected": list(run["selected"]),
            "cases": {v: sorted(o["case"] for o in rows if o["verdict"] == v) for v in LISTED},
            "must": counts("MUST"), "should": counts("SHOULD")}


def problems(statement: Any) -> Iterator[Finding]:
    """Everything in which a statement contradicts itself or this kit's set.

    None of it says that the claims are true: whoever edits counts computes the digest anew.
    """
    said = statement.get("statement_version") if isinstance(statement, dict) else None
    # The schema looks at every value, even of a list that it refuses for its length.
    against = f"it holds over {MAX_VALUES} values" if _many(statement) else \
        _checker(1 if said == 1 else STATEMENT_VERSION)(statement)
    if against:
        yield error("K005", f"against the schema: {against}").finding
        return
    if not _visible(statement["implementation"]["name"]):
        yield error("K005", "the implementation's name has nothing to be seen",
                    "implementation.name", statement["implementation"]["name"]).finding
        return
    own = {k: v for k, v in statement.items() if k != "digest"}
    if digest_of(own) != statement["digest"]:
        yield error("K006", "the statement was changed after it was made", "digest",
                    statement["digest"], digest_of(own)).finding
    made = claims(statement)
    twice = [c for c, n in Counter(c.column for c in made).items() if n > 1]
    if twice:
        yield error("K008", f"two claims of one class: {' '.join(twice[0])}", "claims").finding
        return
    for i, claim in enumerate(made):
        yield from _of_itself(claim, f"claims[{i}]")
    if statement["set"] != set_digest():
        yield error("K007", f"it is of another set of cases (kit {statement['kit']}, this is "
                    f"{__version__})", "set", statement["set"], set_digest()).finding
        return
    for i, claim in enumerate(made):
        yield from _of_the_set(claim, f"claims[{i}]")


def _many(value: Any) -> bool:
    """True for a value of over MAX_VALUES values."""
    todo, seen = [value], 0
    while todo and seen <= MAX_VALUES:
        one = todo.pop()
        todo += one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        seen += 1
    return seen > MAX_VALUES


def _of_itself(claim: Claim, path: str) -> Iterator[Finding]:
    """Where a claim contradicts itself."""
    for key, counts in (("must", claim.must), ("should", claim.should)):
        total = sum(counts[v] for v in VERDICTS)
        if total != counts["total"]:
            yield error("K008", "the verdicts do not add up", f"{path}.{key}", total,
                        counts["total"]).finding
    for verdict, ids in claim.cases.items():
        due = claim.must[verdict] + claim.should[verdict]
        if (claim.named or verdict == "known") and len(ids) != due:
            yield error("K008", f"it names {len(ids)} cases as {verdict} and counts {due}",
                        f"{path}.cases.{verdict}", len(ids), due).finding
    if len(claim.stated()) != sum(map(len, claim.cases.values())):
        yield error("K008", "a case has two verdicts", f"{path}.cases").finding
    if claim.complete and claim.selected:
        yield error("K008", "it is complete and yet of selected cases", f"{path}.selected",
                    ", ".join(claim.selected), "none").finding
    # No run skips a MUST case: a claim that does so shows nothing.
    wrong = sum(claim.must[v] for v in LISTED if v != "known") + \
        claim.should["broken"] + claim.should["unexpected"]
    ok = wrong == 0 and claim.must["total"] + claim.should["total"] > 0
    if claim.ok != ok:
        yield error("K010", f"it says {'ok' if claim.ok else 'not ok'}, the counts say "
                    "otherwise", f"{path}.ok", claim.ok, ok).finding


def _of_the_set(claim: Claim, path: str) -> Iterator[Finding]:
    """Where a claim contradicts the cases of this kit."""
    cases: dict[str, Case] = {c.id: c for c in cases_of(claim.subject, claim.selected)}
    unknown = [i for i in claim.stated() if i not in cases]
    if unknown:
        yield error("K015", f"no case of this class is named {unknown[0]!r}",
                    f"{path}.cases", unknown[0]).finding
    for key, counts in (("must", claim.must), ("should", claim.should)):
        level = key.upper()
        due = sum(c.level == level for c in cases.values())
        if claim.complete and counts["total"] != due:
            yield error("K009", f"a complete run has {due} {level} cases", f"{path}.{key}.total",
                        counts["total"], due).finding
        elif claim.selected and counts["total"] != due:
            yield error("K008", f"the selection has {due} {level} cases", f"{path}.{key}.total",
                        counts["total"], due).finding
        for verdict, ids in claim.cases.items():
            own = sum(i in cases and cases[i].level == level for i in ids)
            if claim.named and not unknown and own != counts[verdict]:
                yield error("K008", f"it names {own} {level} cases as {verdict} and counts "
                            f"{counts[verdict]}", f"{path}.cases.{verdict}", own,
                            counts[verdict]).finding
