# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The registry of rules, what a rule sees, and the run over all of them.

A rule is a generator function under `@rule`; its docstring has three parts,
`What:`, `Why:` and `Fix:`. A rule yields `ctx.at(...)` findings and returns early
where its subject is not there: the rule for the missing part speaks instead.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache
from importlib import import_module
from operator import itemgetter
from threading import Thread
from typing import TYPE_CHECKING, Any, NamedTuple

from efm3 import format as fmt
from efm3 import mirror as mirrors
from efm3.arch import problems
from efm3.findings import Finding
from efm3.scan import Scan, TensorSpan

if TYPE_CHECKING:
    from efm3.rules._stats import Stats

LEVELS = ("structure", "coherence", "values")
GROUPS = ("container", "header", "mirror", "table", "values", "portability")


class Rule(NamedTuple):
    """A registered rule: code, severity, level, group, what/why/fix, and its function."""

    code: str
    severity: str
    level: str
    group: str
    name: str
    what: str
    why: str
    fix: str
    check: Callable[[Context], Iterator[Finding]]

    @property
    def clause(self) -> str:
        """Where the spec states it."""
        return f"spec/EFM3.md#{self.code.lower()}"

    def to_json(self) -> dict[str, str]:
        """The rule as a JSON object."""
        return {k: getattr(self, k) for k in self._fields if k != "check"} | {
            "clause": self.clause}


RULES: dict[str, Rule] = {}
LAST = "M042"
"""The rule that waits for the digest runs last; its findings keep their place."""


def rule(code: str, level: str = "structure", severity: str = "error") -> Callable[[Any], Any]:
    """Register a check under a stable code; the module's name is its group."""
    def register(check: Any) -> Any:
        parts = dict(re.findall(r"(What|Why|Fix): (.*?)(?=\s+(?:What|Why|Fix): |\Z)",
                                check.__doc__, re.DOTALL))
        what, why, fix = (" ".join(parts[k].split()) for k in ("What", "Why", "Fix"))
        assert code not in RULES, code
        group = check.__module__.rsplit(".", 1)[-1]
        RULES[code] = Rule(code, severity, level, group, check.__name__, what, why, fix, check)
        return check
    return register


class Digest(Thread):
    """The SHA-256 of `data`, which stands at `offset`, beside the one that is `stated`.

    Hashing takes longer than all rules together; hashlib lets go of the interpreter's
    lock, so the other rules run meanwhile.
    """

    def __init__(self, data: memoryview, offset: int, stated: str) -> None:
        super().__init__(daemon=True)
        self.data, self.offset, self.stated = data, offset, stated
        self.start()

    def run(self) -> None:
        """The thread's work."""
        self._hex = hashlib.sha256(self.data).hexdigest()

    def result(self) -> str:
        """64 hexadecimal digits."""
        self.join()
        return self._hex


class Context:
    """A scanned file, and what several rules need of it, computed once."""

    def __init__(self, scan: Scan) -> None:
        self.scan = scan
        self.rule: Rule | None = None

    def at(self, message: str, *, offset: int | None = None, length: int | None = None,
           path: str = "", found: object = "", expected: object = "") -> Finding:
        """A finding of the running rule."""
        r = self.rule
        assert r is not None
        return Finding(r.code, r.severity, message, offset, length, path, str(found),
                       str(expected), r.fix, r.clause)

    def field(self, path: str, message: str, *, expected: object = "") -> Finding:
        """A finding on a field of the prefix."""
        f = fmt.FIELDS[path]
        value = self.scan.values[path]
        found = value.hex(" ") if isinstance(value, bytes) else value
        return self.at(message, offset=f.offset, length=f.size, path=path, found=found,
                       expected=expected or f.con.legal)

    @cached_property
    def cause(self) -> tuple[str, str]:
        """(rule code, message) of what the bytes really are, or ("", "")."""
        from efm3.rules.container import infer

        return infer(self.scan)

    @cached_property
    def arch_problems(self) -> list[Any]:
        """What `arch.problems` says of the header."""
        if self.scan.arch or "json_len" not in self.scan.values or self.cause[0]:
            return []
        return list(problems(self.scan.raw_arch()))

    @cached_property
    def mirror_problem(self) -> mirrors.MirrorProblem | None:
        """Why the mirror is no mirror, or None."""
        self.mirror  # noqa: B018 - parsing fills _mirror_problem
        return self._mirror_problem

    @cached_property
    def mirror(self) -> dict[str, Any] | None:
        """The parsed mirror, or None where there is none to speak of."""
        self._mirror_problem: mirrors.MirrorProblem | None = None
        if self.scan.mirror is None or self.cause[0]:
            return None
        try:
            return mirrors.parse(bytes(self.scan.mirror))
        except mirrors.MirrorProblem as e:
            self._mirror_problem = e
            return None

    @cached_property
    def table_cause(self) -> tuple[str, TensorSpan | None]:
        """(rule code, entry) of a mistake that explains the whole table, or ("", None)."""
        from efm3.rules.table import infer

        return infer(self.scan) if not self.cause[0] else ("", None)

    @cached_property
    def digest(self) -> Digest | None:
        """The table's digest in the making, where the mirror states one to compare it with.

        None unless the table is whole: of one that is cut or too long, other rules speak.
        """
        meta, start = (self.mirror or {}).get("meta"), self.scan.table_offset
        stated = meta.get("sha256") if isinstance(meta, dict) else None
        if not mirrors.is_digest(stated) or not self.scan.complete:
            return None
        assert start is not None
        return Digest(self.scan.data[start:], start, str(stated))

    @cached_property
    def stats(self) -> Stats | None:
        """Statistics of the weights; None unless the table is whole."""
        if not self.scan.complete:
            return None
        from efm3.rules._stats import Stats

        return Stats(self.scan)


def load_rules(level: str = "values") -> dict[str, Rule]:
    """Every rule up to `level` by code, in the order in which they run.

    Below `values` the group of that name is not imported, nor is numpy with it.
    """
    return dict(_loaded(level))


@lru_cache(maxsize=len(LEVELS))
def _loaded(level: str) -> dict[str, Rule]:
    top = check_level(level)
    for group in GROUPS:
        if group != "values" or level == "values":
            import_module(f"efm3.rules.{group}")
    order = sorted(RULES.values(), key=lambda r: GROUPS.index(r.group))
    return {r.code: r for r in order if LEVELS.index(r.level) <= top}


def selected(code: str, select: tuple[str, ...], ignore: tuple[str, ...]) -> bool:
    """True where a code prefix of `select` (none: all) takes it and the ignores leave it."""
    return (not select or code.startswith(select)) and not code.startswith(ignore)


def check_level(level: str) -> int:
    """The level's place in LEVELS. Raises ValueError for one that is not there."""
    if level not in LEVELS:
        raise ValueError(f"level is {level!r}, not one of {', '.join(LEVELS)}")
    return LEVELS.index(level)


@lru_cache(maxsize=64)
def _chosen(level: str, select: tuple[str, ...],
            ignore: tuple[str, ...]) -> list[tuple[int, Rule]]:
    """(place among the findings, rule) in the order in which they run."""
    rules = [r for r in _loaded(level).values() if selected(r.code, select, ignore)]
    return sorted(enumerate(rules), key=lambda row: row[1].code == LAST)


def run(scan: Scan, level: str = "values", select: tuple[str, ...] = (),
        ignore: tuple[str, ...] = ()) -> list[Finding]:
    """Findings of every rule up to `level`, in rule order.

    Raises ValueError for a level that is not in LEVELS.
    """
    ctx = Context(scan)
    rules = _chosen(level, select, ignore)
    if rules and rules[-1][1].code == LAST:
        ctx.digest  # noqa: B018 - starts now, is waited for at the end
    found: list[tuple[int, Finding]] = []
    for place, ctx.rule in rules:
        for finding in ctx.rule.check(ctx):
            found.append((place, finding))
    return [f for _, f in sorted(found, key=itemgetter(0))]
