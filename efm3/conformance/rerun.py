# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A sample of a statement's cases run again, and what the program contradicts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from efm3.conformance import runner
from efm3.conformance.cases import Case
from efm3.conformance.results import Outcome
from efm3.conformance.statement import Claim, claims
from efm3.conformance.subject import Subject
from efm3.findings import Finding, error, refuse
from efm3.precision import PRECISIONS


@dataclass
class Rerun:
    """What was run again: of how many cases how many, and each contradiction.

    `broken` is True where the program gave no answer in every contradiction: it may be the
    command that is wrong, not the statement.
    """

    seed: int
    ran: int = 0
    cases: int = 0
    broken: bool = False
    claims: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    implementation: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """It as a JSON object, without the findings."""
        return {k: getattr(self, k) for k in ("seed", "ran", "cases", "broken", "claims",
                                              "implementation")}


def chosen(statement: Mapping[str, Any], classes: Iterable[str],
           precision: str = "") -> list[Claim]:
    """The claims of these classes, of all where none is named; an Engine's in this precision, ""
    for the one that there is.

    Raises Efm3Error for one that does not say of each case what became of it, ValueError for an
    Engine in several precisions: a command runs in one.
    """
    wanted = set(classes)
    out = [c for c in claims(statement) if (not wanted or c.subject in wanted)
           and (not precision or c.precision in ("", precision))]
    for claim in out:
        if claim.precision and claim.precision not in PRECISIONS:
            refuse("K014", "no case has a bound for this precision any more", claim.name)
    several = [c.precision for c in out if c.precision]
    if len(several) > 1:
        raise ValueError(f"the statement is about an engine in {' and '.join(several)}: "
                         "--precision says what the command computes in")
    for claim in out:
        if not claim.named:
            refuse("K014", "it counts cases that failed, or is of a part, and names neither",
                   claim.name)
    return out


def sample(claim: Claim, digest: str, seed: int, size: int) -> list[Case]:
    """The cases of a claim to run again, in the order of the set.

    They follow from the statement's digest, the claim and the seed; a new seed gives others.
    """
    def key(case: Case) -> str:
        words = "\n".join((digest, str(seed), *claim.column, case.id))
        return hashlib.sha256(words.encode()).hexdigest()
    cases = runner.cases_of(claim.subject, claim.selected)
    picked = {c.id for c in sorted(cases, key=key)[:size]}
    return [c for c in cases if c.id in picked]


def rerun(statement: Mapping[str, Any], of: Subject, size: int, seed: int = 0,
          classes: Iterable[str] = (), jobs: int = 1, precision: str = "") -> Rerun:
    """The sample of each claim run on `of`, judged as the kit judges, beside the statement's
    verdicts. The statement is one in which `problems` found nothing. Raises Efm3Error."""
    out, silent = Rerun(seed), 0
    for claim in chosen(statement, classes, precision):
        cases = sample(claim, statement["digest"], seed, size)
        listed = claim.stated()
        out.claims.append(claim.name)
        out.cases += claim.must["total"] + claim.should["total"]
        for o in runner.run(claim.subject, of, cases, level=claim.level or "structure",
                            precision=claim.precision or PRECISIONS[0], jobs=jobs,
                            known=[i for i, v in listed.items() if v in ("known", "unexpected")]):
            out.ran += 1
            for found in _contradiction(claim, o, listed.get(o.case, "pass")):
                out.findings.append(found)
                silent += o.verdict == "broken"
    out.broken = 0 < silent == len(out.findings)
    out.implementation = dict(of.implementation)
    return out


def _contradiction(claim: Claim, o: Outcome, stated: str) -> Iterator[Finding]:
    if o.verdict != stated:
        why = f": {o.detail}" if o.detail and o.verdict in ("fail", "broken") else ""
        yield error("K013", f"{claim.name}: the statement says {stated}, now it is "
                    f"{o.verdict}{why}", o.case, o.verdict, stated).finding
