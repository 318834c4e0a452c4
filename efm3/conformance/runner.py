# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A run: the cases of a class against a subject."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

from efm3.conformance import judge
from efm3.conformance.builtin import builtin
from efm3.conformance.cases import Case, named
from efm3.conformance.lines import Lines
from efm3.conformance.results import Outcome, Run, expire
from efm3.conformance.subject import Simple, Subject
from efm3.findings import refuse
from efm3.precision import PRECISIONS

FIRST = 4
"""A program that gives no answer to so many first cases, nor to one that it must accept, and
always says the same, is given no more of them."""


def subject(command: str, protocol: str = "simple", timeout: float = 10.0, stdin: bool = False,
            tensors_form: str = "npy", log: Callable[[str], None] = lambda _: None,
            tested: str = "", precision: str = PRECISIONS[0]) -> Subject:
    """The subject of a command, or of `@name`; `tested` is its class, "" for any.

    `precision` is what an engine of ours computes in; a command says that itself. Raises
    ValueError.
    """
    if command.startswith("@"):
        return builtin(command[1:], precision)
    if protocol == "lines":
        return Lines(command, timeout, tensors_form, log)
    return Simple(command, timeout, stdin, tensors_form, tested)


def cases_of(subject_class: str, words: Sequence[str] = ()) -> list[Case]:
    """The cases that apply to a class: its own, and for an Engine the Reader's too."""
    kinds = {subject_class} | ({"reader"} if subject_class == "engine" else set())
    return [c for c in named(words) if c.kind in kinds]


def judge_of(subject_class: str, level: str, precision: str) -> Callable[[Case, Subject], Outcome]:
    """The class's judge, with the seconds that it took."""
    if subject_class == "engine":
        from efm3.conformance.engines import judge as of_engine

        return lambda case, s: judge.timed(
            lambda c, sub, _: of_engine(c, sub, precision), case, s, level)
    own: judge.Judge = getattr(judge, subject_class)
    return lambda case, s: judge.timed(own, case, s, level)


def run(subject_class: str, of: Subject, cases: Iterable[Case], *, level: str = "structure",
        precision: str = PRECISIONS[0], known: Iterable[str] = (),
        jobs: int = 1) -> Iterator[Outcome]:
    """The outcome of each case, in order.

    `jobs` cases run concurrently; only a Simple subject supports this. Raises Efm3Error (K016) as
    soon as it is known that the subject cannot be run.
    """
    one = judge_of(subject_class, level, precision)
    listed = set(known)

    def outcome(case: Case) -> Outcome:
        return expire(one(case, of), listed)

    def lost() -> bool:
        case = next((c for c in cases_of(subject_class) if c.smoke and not c.negative), None)
        return case is None or _words(one(case, of)) == _words(first[0])
    first: list[Outcome] = []
    of.check()
    parallel = jobs > 1 and isinstance(of, Simple)
    pool = ThreadPoolExecutor(jobs if parallel else 1)
    try:
        for found in pool.map(outcome, cases) if parallel else map(outcome, cases):
            of.check()
            if len(first) < FIRST:
                first.append(found)
                if len(first) == FIRST and len({_words(o) for o in first}) == 1 and lost():
                    why = found.detail if len(found.detail) < 500 else (
                        f"{found.detail[:200]} ... {found.detail[-300:]}")
                    refuse("K016", f"broken in each of the first cases: {why}")
            yield found
    finally:
        pool.shutdown(cancel_futures=True)


def _words(found: Outcome) -> str:
    """What a program without an answer says, without numbers and addresses, which may be of the
    case; the case where there is an answer."""
    if found.verdict != "broken":
        return found.case
    return re.sub(r"0x[0-9a-fA-F]+|[0-9]+", "", found.detail)


def run_all(subject_class: str, command: str, words: Sequence[str] = (), *,
            level: str = "structure", precision: str = PRECISIONS[0], known: Iterable[str] = (),
            jobs: int = 1, of: Subject | None = None,
            progress: Callable[[Iterator[Outcome], int], Iterator[Outcome]] | None = None) -> Run:
    """A whole run of `command` (over the protocol `of`, by default the simple one)."""
    chosen = cases_of(subject_class, words)
    made = of is None
    of = of or subject(command, tested=subject_class, precision=precision)
    result = Run(subject_class, level if subject_class == "reader" else "", command, set_digest(),
                 precision if subject_class == "engine" else "", tuple(words), of.implementation)
    try:
        found = run(subject_class, of, chosen, level=level, precision=precision, known=known,
                    jobs=jobs)
        result.outcomes.extend(progress(found, len(chosen)) if progress else found)
    finally:
        if made:
            of.close()
    result.implementation = of.implementation
    return result


@lru_cache(maxsize=1)
def set_digest() -> str:
    """The digest of the set: of every case's expectations and bytes."""
    from efm3.conformance.export import index

    return str(index()["digest"])
