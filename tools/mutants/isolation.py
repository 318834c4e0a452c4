# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Is each check of each program seen alone? A case must be got wrong by the program that lacks it.

A case that a program refuses is refused by one check, the first that does not hold; a program with
another check taken out refuses it too. So for each check the cases that it refused are given to
the program without it, and one of them must be accepted. What no case can isolate is listed in
`unisolated.toml` with the reason; a listed check that is isolated is wrong as well.
"""

from __future__ import annotations

import fnmatch
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from efm3.conformance.cases import LARGE, Case, corpus, named
from efm3.conformance.requirements import REQUIREMENTS
from efm3.rules import load_rules
from efm3.scan import scan
from tools import ROOT
from tools.mutants import programs as planted
from tools.mutants._grammar import Grammar
from tools.mutants._isolated import Program, programs
from tools.mutants._switches import LENIENT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LISTED = ROOT / "tools" / "mutants" / "unisolated.toml"


@dataclass(frozen=True)
class Seen:
    """A check of a program, the cases that the program without it gets wrong, how many it breaks
    on, and why it may have none of the former."""

    program: str
    check: str
    code: str
    cases: tuple[str, ...]
    broken: int
    why: str

    @property
    def wrong(self) -> str:
        """What is wrong with it, "" where nothing."""
        if self.cases and self.why:
            return "listed, but isolated"
        return "" if self.cases or self.why else "not isolated"


def listed() -> dict[str, list[dict[str, Any]]]:
    """unisolated.toml: `check` (programs, checks, why) and `rule` (codes, why)."""
    out: dict[str, list[dict[str, Any]]] = tomllib.loads(LISTED.read_text(encoding="utf-8"))
    return out


def refused(case: Case, level: str) -> bool:
    """True where the right answer of the case's program is a refusal."""
    return not case.valid(level) if case.kind == "reader" else case.negative


def is_listed(check: str, entry: str) -> bool:
    """True where an entry names the check: its text, or its beginning and `...`."""
    return check == entry or (entry.endswith("...") and check.startswith(entry[:-3]))


def why_not(program: str, check: str, rows: Iterable[dict[str, Any]]) -> str:
    """The reason of the row that lists a check, "" where none does."""
    return next((str(r["why"]) for r in rows if any(is_listed(check, e) for e in r["checks"])
                 and any(fnmatch.fnmatchcase(program, p) for p in r["programs"])), "")


def gone(found: Iterable[Seen]) -> list[str]:
    """Listed checks that no program has, of the programs that were run."""
    found = list(found)
    return [entry for row in listed()["check"] for entry in row["checks"]
            if any(fnmatch.fnmatchcase(s.program, p) for s in found for p in row["programs"])
            and not any(is_listed(s.check, entry) for s in found)]


def cases_of(program: Program) -> list[Case]:
    """The cases with one right answer that the program is asked."""
    return [c for c in corpus() if c.kind in program.kinds and not c.either]


def seen(program: Program, every: bool = False) -> Iterator[Seen]:
    """Each check of the program. `every`: each removal meets every case, also those that another
    check refused, and RuntimeError where one of these is accepted.
    """
    cases, rows = cases_of(program), listed()["check"]
    found: list[dict[str, None]] = [{} for _ in program.checks]
    broken = [0] * len(program.checks)
    for level in program.levels:
        first = program.run(cases, -1, level)
        wrong = [c.id for c, d in zip(cases, first, strict=True)
                 if d.verdict != ("refused" if refused(c, level) else "accepted")]
        if wrong:
            raise RuntimeError(f"{program.name} as it stands is wrong in {wrong[:5]}")
        for k in range(len(program.checks)):
            own = {c.id for c, d in zip(cases, first, strict=True)
                   if d.verdict == "refused" and d.check == k}
            asked = cases if every else [c for c in cases if c.id in own]
            for case, did in zip(asked, program.run(asked, k, level), strict=True):
                broken[k] += did.verdict == "broken"
                if did.verdict == "accepted" and refused(case, level):
                    found[k][case.id] = None
                    if case.id not in own:
                        raise RuntimeError(f"{program.name}: {case.id} fails for two checks")
    for check, ids, crashed in zip(program.checks, found, broken, strict=True):
        yield Seen(program.name, check.name, check.code, tuple(ids), crashed,
                   why_not(program.name, check.name, rows))


def large() -> Iterator[Seen]:
    """The checks of the reader scaffolds that the large cases isolate. No reason is needed."""
    cases = [c for c in named([LARGE]) if c.kind == "reader"]
    for program in programs():
        if program.name.startswith("reader."):
            level = program.levels[0]
            due = {did.check: c for c, did in zip(cases, program.run(cases, -1, level), strict=True)
                   if refused(c, level)}
            for k, case in due.items():
                (did,) = program.run([case], k, level)
                yield Seen(program.name, program.checks[k].name, program.checks[k].code,
                           (case.id,) if did.verdict == "accepted" else (),
                           int(did.verdict == "broken"), "")
        program.close()


def results(every: bool = False) -> list[Seen]:
    """Every check of every program."""
    out: list[Seen] = []
    for program in programs():
        try:
            out += seen(program, every)
        finally:
            program.close()
    return out


@dataclass(frozen=True)
class Row:
    """A rule of severity error or a requirement, and its isolating cases; or why it has none."""

    code: str
    cases: tuple[str, ...]
    why: str

    @property
    def wrong(self) -> str:
        """What is wrong with it, "" where nothing."""
        if self.cases and self.why:
            return "listed, but isolated"
        return "" if self.cases or self.why else "not isolated"


def by_code(found: Iterable[Seen]) -> list[Row]:
    """The table by rule and requirement.

    A case isolates a rule where the rule alone finds an error in it, and a program without its
    check, or with a planted mistake, accepts it; the rules of level values are our validator's
    alone. It isolates a requirement where a program fails whose planted mistake breaks it.
    """
    rules, why = load_rules(), {c: r["why"] for r in listed()["rule"] for c in r["codes"]}
    by_id = {c.id: c for c in corpus()}
    errors = {i: {f.code for f in c.findings if rules[f.code].severity == "error"}
              for i, c in by_id.items()}
    wrong = dict.fromkeys(i for s in found for i in s.cases if s.program.startswith("reader.")
                          or (s.program == "efm3.validate values" and s.code.startswith("V")))
    killed: dict[str, dict[str, None]] = {}
    for m in planted.MUTANTS:
        # Of the engines' mistakes tests/test_conformance.py says that each is killed.
        if m.kind == "engine" or planted.kill(m).verdict == "fail":
            killed.setdefault(m.breaks, {})[m.case] = None
            if refused(by_id[m.case], m.level):
                wrong[m.case] = None
    rows = [Row(code, tuple(i for i in wrong if errors[i] == {code}), why.get(code, ""))
            for code, rule in rules.items() if rule.severity == "error"]
    return rows + [Row(code, tuple(killed.get(code, ())), why.get(code, ""))
                   for code in REQUIREMENTS]


def overlaps() -> Iterator[tuple[str, str]]:
    """(switch, case) where a lenient parser and the case of another switch do not go as they
    should: it takes its own case and no other; of depths and of keys one mistake holds another.
    """
    by_id = {c.id: c for c in corpus()}
    texts = {s: bytes(scan(by_id[i].data()).mirror or b"") for s, i in LENIENT.items()}
    for switch in LENIENT:
        for other, text in texts.items():
            if other != switch and {*switch.split()} & {*other.split()} & {"depth", "keys"}:
                continue
            try:
                Grammar(switch, ValueError).parse(text)
                taken = True
            except ValueError:
                taken = False
            if taken != (other == switch):
                yield switch, LENIENT[other]


def text(found: Iterable[Seen], rows: list[Row]) -> Iterator[str]:
    """A line for what is wrong, one for each program, one for each code."""
    found = list(found)
    for s in found:
        if s.wrong:
            yield f"{s.program}: {s.check}: {s.wrong} ({s.broken} cases end it)"
    for row in rows:
        yield f"{row.code}: {row.wrong or ', '.join(row.cases[:4]) or row.why}" + (
            f" and {len(row.cases) - 4} more" if len(row.cases) > 4 else "")
    for name in dict.fromkeys(s.program for s in found):
        own = [s for s in found if s.program == name]
        isolated = sum(bool(s.cases) for s in own)
        yield (f"{name}: {len(own)} checks, {isolated} isolated, "
               f"{sum(bool(s.why) for s in own)} listed")


def document(found: Iterable[Seen], rows: list[Row]) -> dict[str, Any]:
    """The same as a JSON object."""
    return {"checks": [asdict(s) | {"wrong": s.wrong} for s in found],
            "codes": [asdict(r) | {"wrong": r.wrong} for r in rows]}
