# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Statements side by side: who passes what, as Markdown, HTML and JSON.

The same statements give the same page, in whatever order they are given. Their texts are foreign:
each form escapes them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from efm3.codes import LEVELS
from efm3.conformance.badges import MAX_WORDS
from efm3.conformance.cases import corpus
from efm3.conformance.requirements import CLASSES
from efm3.conformance.runner import set_digest
from efm3.conformance.statement import ABOUT, OLDER, Claim, claims, problems
from efm3.findings import refuse
from efm3.precision import PRECISIONS
from efm3.texts import cut, safe

TABLE_VERSION = 1
MAX_STATEMENTS = 1000
"""Most statements on a page."""

WORTH = ("A row repeats what a statement says: an unsigned claim by whoever wrote it. The digest "
         "of a statement shows damage, not truth: whoever edits a count can compute it anew.")
CHECK = "efm3 conformance verify-statement FILE --rerun COMMAND"
MIXED = ("These statements are of different sets of cases: counts of one table say nothing about "
         "those of another.")
OTHER = "Not the set of this kit: its cases are not known here."

Column = tuple[str, str, str]


@dataclass
class Row:
    """An implementation, with what is claimed of it for each column."""

    about: dict[str, str]
    claims: dict[Column, Claim] = field(default_factory=dict)
    digests: list[str] = field(default_factory=list)


@dataclass
class Set:
    """The implementations that were run on one set of cases; `own` is this kit's."""

    digest: str
    own: bool
    kits: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    @property
    def kit(self) -> str:
        """The versions of the kit that the statements name; all have these cases."""
        return ", ".join(sorted(set(self.kits)))

    @property
    def columns(self) -> list[tuple[Column, str]]:
        """What any row claims, with its name: by class, level and precision."""
        order = (CLASSES, ("", *LEVELS), ("", *PRECISIONS, *OLDER))
        found = {k: c.name for row in self.rows for k, c in row.claims.items()}
        return sorted(found.items(), key=lambda kv: [
            o.index(k) for o, k in zip(order, kv[0], strict=True)])


def table(statements: Mapping[str, Any]) -> list[Set]:
    """The sets, this kit's first, of statements by the name of their file.

    Raises Efm3Error for a statement that contradicts itself, or its set if that is this kit's.
    """
    sets: dict[str, Set] = {}
    for name, value in statements.items():
        for f in problems(value):
            if f.code != "K007":
                refuse(f.code, f"{cut(name, MAX_WORDS)}: {f.message}", f.path, f.found, f.expected)
    ordered = {v["digest"]: v for v in statements.values()}.values()
    for value in sorted(ordered, key=_key):
        of = sets.setdefault(value["set"], Set(value["set"], value["set"] == set_digest()))
        of.kits.append(value["kit"])
        about = {k: value["implementation"].get(k, "") for k in ABOUT}
        made = {c.column: c for c in claims(value)}
        # What is claimed twice of one program stands in two rows: neither is the true one.
        row = next((r for r in of.rows if r.about == about and not made.keys() & r.claims), None)
        if row is None:
            of.rows.append(row := Row(about))
        row.claims |= made
        row.digests.append(value["digest"])
    return sorted(sets.values(), key=lambda s: (not s.own, s.digest))


def _key(statement: Mapping[str, Any]) -> tuple[str, ...]:
    about = statement["implementation"]
    return (about["name"].casefold(), *(about.get(k, "") for k in ABOUT), statement["digest"])


def status(claim: Claim) -> tuple[str, str, str]:
    """A claim as a word for programs, a sign, and words."""
    known = len(claim.cases["known"])
    if not claim.ok:
        return "fails", "✗", "fails" if claim.complete else "fails a part"
    if not claim.complete:
        return "part", "◐", "passes a part" + (f", {known} known failures" if known else "")
    return ("known", "◐", f"passes but for {known} known failure{'s'[:known != 1]}") if known \
        else ("passes", "✓", "passes")


def counts(claim: Claim) -> list[str]:
    """How many cases passed, of each level that has some."""
    return [f"{level} {n['pass']} of {n['total']}"
            for level, n in (("MUST", claim.must), ("SHOULD", claim.should)) if n["total"]]


def codes_of(of: Set, ids: Iterable[str]) -> list[str]:
    """The rules and requirements that these cases test, those of most cases first; none for a
    set that is not this kit's."""
    known = {c.id: c.tests for c in corpus()} if of.own else {}
    found = Counter(t for i in ids for t in known.get(i, ()))
    return sorted(found, key=lambda t: (-found[t], t))


def to_json(sets: list[Set]) -> dict[str, Any]:
    """The page as a JSON object."""
    return {"table_version": TABLE_VERSION, "worth": WORTH, "mixed": len(sets) > 1, "sets": [
        {"kit": s.kit, "set": s.digest, "own": s.own, "implementations": [
            row.about | {"statements": row.digests, "claims": [
                {"class": c.subject, "level": c.level, "precision": c.precision, "name": c.name,
                 "status": status(c)[0], "complete": c.complete, "ok": c.ok,
                 "selected": list(c.selected), "must": dict(c.must), "should": dict(c.should),
                 "cases": {v: list(ids) for v, ids in c.cases.items()}, "named": c.named,
                 "codes": codes_of(s, c.stated())}
                for key, _ in s.columns if key in row.claims for c in [row.claims[key]]]}
            for row in s.rows]} for s in sets]}


def mark(text: str) -> str:
    """A foreign text as Markdown that shows it and does nothing else, cut."""
    return safe(cut(text, MAX_WORDS), "markdown")


def markdown(sets: list[Set]) -> str:
    """The page as Markdown."""
    return "\n".join(_markdown(sets)) + "\n"


def _markdown(sets: list[Set]) -> Iterator[str]:
    yield from ("# EFM3 conformance", "", WORTH, f"To have a sample run again: `{CHECK}`.")
    if len(sets) > 1:
        yield from ("", f"**{MIXED}**")
    for s in sets:
        yield from ("", f"## Kit {mark(s.kit)}, set {s.digest[:12]}", "")
        if not s.own:
            yield from (OTHER, "")
        yield "| " + " | ".join(["implementation", "version", "language",
                                 *(mark(name) for _, name in s.columns)]) + " |"
        yield "|" + "---|" * (3 + len(s.columns))
        for row in s.rows:
            cells = [_cell(row.claims[key]) if key in row.claims else "" for key, _ in s.columns]
            yield "| " + " | ".join([*(mark(row.about[k]) for k in ABOUT[:3]), *cells]) + " |"
        for row in s.rows:
            yield from _failures(s, row)


def _cell(claim: Claim) -> str:
    _, sign, words = status(claim)
    return "<br>".join([f"{sign} {words}", *counts(claim)])


def _failures(of: Set, row: Row) -> Iterator[str]:
    mine = failed(of, row)
    if mine:
        yield from ("", f"### {mark(title(row))}", "")
    for c in mine:
        codes = codes_of(of, c.stated())
        yield f"- {mark(c.name)}{': ' + ', '.join(codes) if codes else ''}{unnamed(c)}"
        for verdict, ids in c.cases.items():
            if ids:
                yield f"  - {verdict}: " + ", ".join(mark(i) for i in ids)


def failed(of: Set, row: Row) -> list[Claim]:
    """The claims of an implementation in which some case did not pass, in the table's order."""
    return [row.claims[k] for k, _ in of.columns
            if k in row.claims and (row.claims[k].stated() or not row.claims[k].named)]


def title(row: Row) -> str:
    """An implementation's name and version."""
    return f"{row.about['name']} {row.about['version']}".strip()


def unnamed(claim: Claim) -> str:
    """That a claim does not name the cases that failed, as words to append."""
    return "" if claim.named else " (the cases that failed are not named)"
