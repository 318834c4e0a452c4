# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Results of an implementation: answers, outcomes, a run, as text, JSON and JUnit."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from efm3.findings import plain, printable, refuse
from efm3.junit import Case, document
from efm3.texts import dumps
from efm3.version import __version__

RUN_VERSION = 1
VERDICTS = ("pass", "fail", "broken", "known", "unexpected", "skipped")
"""pass and fail judge the implementation; broken is its harness; known is a listed failure;
unexpected is a listed case that passes; skipped was not asked for by the level."""


@dataclass(frozen=True)
class Answer:
    """The answer to a case: ok (with a value), refused or broken (with a reason)."""

    kind: str
    reason: str = ""
    value: Any = None


@dataclass(frozen=True)
class Outcome:
    """The verdict on one case, with what was wrong; `seconds` is the time of the answer."""

    case: str
    verdict: str
    about: str = ""
    tests: tuple[str, ...] = ()
    level: str = "MUST"
    detail: str = ""
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """The outcome as a JSON object."""
        return asdict(self) | {"tests": list(self.tests), "seconds": round(self.seconds, 4)}


@dataclass
class Run:
    """All outcomes of a run of one class at one level."""

    subject: str
    level: str
    command: str
    digest: str
    precision: str = ""
    selected: tuple[str, ...] = ()
    implementation: dict[str, Any] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)

    def count(self, verdict: str) -> int:
        """How many outcomes have this verdict."""
        return sum(o.verdict == verdict for o in self.outcomes)

    @property
    def failed(self) -> bool:
        """True where a MUST case failed or a listed failure passes."""
        return any(o.verdict in ("fail", "unexpected") for o in self.outcomes
                   if o.level == "MUST" or o.verdict == "unexpected")

    @property
    def ok(self) -> bool:
        """True where every MUST case passed or is a known failure, and nothing was broken."""
        return not self.failed and not self.count("broken") and bool(self.outcomes)

    def to_json(self) -> dict[str, Any]:
        """The run as a JSON object (spec/run.schema.json)."""
        return {
            "run_version": RUN_VERSION, "efm3": __version__, "class": self.subject,
            "level": self.level, "precision": self.precision, "command": self.command,
            "selected": list(self.selected), "set": self.digest, "ok": self.ok,
            "implementation": self.implementation,
            "counts": {v: self.count(v) for v in VERDICTS},
            "outcomes": [o.to_json() for o in self.outcomes]}


Style = Callable[..., str]
_COLOURS = {"fail": "red", "broken": "magenta", "unexpected": "yellow", "known": "blue"}


def line(o: Outcome, style: Style = plain) -> Iterator[str]:
    """An outcome that needs attention: the case, its description, what was wrong."""
    word = f"{o.verdict:10}" if o.level == "MUST" else f"{o.verdict + ' (should)':16}"
    yield (f"{style(word, fg=_COLOURS.get(o.verdict), bold=True)} {o.case}  "
           f"{style(' '.join(o.tests[:4]), dim=True)}")
    width = min(shutil.get_terminal_size((96, 24)).columns, 110) - 4
    for words in filter(None, (o.about, o.detail)):
        # Again for each row: another word begins it.
        yield from (f"    {printable(row)}" for row in textwrap.wrap(printable(words), width))


def summary(run: Run, style: Style = plain) -> Iterator[str]:
    """The counts, and the verdict as the last line."""
    counts = [f"{run.count(v)} {v}" for v in VERDICTS if run.count(v)]
    should = sum(o.level == "SHOULD" and o.verdict == "fail" for o in run.outcomes)
    yield ", ".join(counts) + (f" ({should} of the failed are SHOULD)" if should else "")
    what = run.subject + (f" at level {run.level}" if run.subject == "reader" else "") + (
        f" in {run.precision}" if run.precision else "")
    part = f" on {', '.join(run.selected)} alone" if run.selected else ""
    words = "conforms" if run.ok else "does NOT conform"
    yield style(f"{run.subject}: {words} as {what}{part}", bold=True,
                fg="green" if run.ok else "red")


def text(run: Run, style: Style = plain) -> Iterator[str]:
    """The run as text; only cases that did not pass are listed."""
    for o in run.outcomes:
        if o.verdict not in ("pass", "skipped"):
            yield from line(o, style)
    yield from summary(run, style)


_TAGS = {"fail": "failure", "unexpected": "failure", "broken": "error", "known": "skipped",
         "skipped": "skipped"}


def junit(runs: Sequence[Run]) -> str:
    """The runs as JUnit XML: one suite per run; broken cases are errors, others failures."""
    return document("efm3 conformance", [
        (" ".join(filter(None, (run.subject, run.level, run.precision))),
         [Case(o.case, f"efm3.{run.subject}",
               [(_TAGS[o.verdict], o.detail or o.about, "")] if o.verdict in _TAGS else (),
               seconds=o.seconds) for o in run.outcomes]) for run in runs])


def as_json(runs: Iterable[Run]) -> str:
    """The runs as one JSON object."""
    rows = [r.to_json() for r in runs]
    return dumps({"run_version": RUN_VERSION, "ok": all(r["ok"] for r in rows),
                       "runs": rows}, indent=2)


def schema() -> dict[str, Any]:
    """The JSON Schema of `as_json`."""
    text, count = {"type": "string"}, {"type": "integer", "minimum": 0}
    words = {"type": "array", "items": text}

    def whole(**properties: Any) -> dict[str, Any]:
        return {"type": "object", "properties": properties, "required": list(properties),
                "additionalProperties": False}
    outcome = whole(case=text, verdict={"enum": list(VERDICTS)}, about=text, tests=words,
                    level={"enum": ["MUST", "SHOULD"]}, detail=text, seconds={"type": "number"})
    run = whole(**{
        "run_version": {"const": RUN_VERSION}, "efm3": text, "class": text, "level": text,
        "precision": text, "command": text, "selected": words,
        "set": {"type": "string", "pattern": "^[0-9a-f]{64}$"}, "ok": {"type": "boolean"},
        "implementation": {"type": "object"}, "counts": whole(**dict.fromkeys(VERDICTS, count)),
        "outcomes": {"type": "array", "items": outcome}})
    return {"$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "EFM3 conformance run",
            **whole(run_version={"const": RUN_VERSION}, ok={"type": "boolean"},
                    runs={"type": "array", "items": run})}


def known_failures(text: str, ids: Iterable[str]) -> set[str]:
    """The case IDs of a known-failures file: one per line, `#` begins a comment.

    Raises Efm3Error for an ID that is not a case: such an entry would never expire.
    """
    known = set(ids)
    out = {line.split("#")[0].strip() for line in text.splitlines()} - {""}
    strange = sorted(out - known)
    if strange:
        refuse("K001", f"the known-failures file names {strange[0]!r}, which is not a case",
               strange[0])
    return out


def expire(outcome: Outcome, known: set[str]) -> Outcome:
    """The outcome with the known failures applied."""
    if outcome.case not in known or outcome.verdict not in ("pass", "fail"):
        return outcome
    verdict = "known" if outcome.verdict == "fail" else "unexpected"
    detail = outcome.detail if verdict == "known" else (
        "listed as a known failure, but passes: remove it from the list")
    return Outcome(**vars(outcome) | {"verdict": verdict, "detail": detail})
