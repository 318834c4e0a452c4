# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The run over all rules. Their texts are in `efm3.codes`, their checks in the modules here.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache
from importlib import import_module
from operator import itemgetter

from efm3.codes import CODES, LEVELS, RULE_GROUPS, Code
from efm3.findings import Finding
from efm3.rules import _causes
from efm3.rules._context import Context, Found
from efm3.rules._registry import CHECKS, Check
from efm3.scan import Scan

LAST = "M042"
"""The rule that waits for the digest runs last; its findings keep their position."""


def load_rules(level: str = "values") -> dict[str, Code]:
    """Every rule up to `level` by code, in the order in which they are shown.

    Raises ValueError for a level that is not in LEVELS.
    """
    return dict(_up_to(check_level(level)))


@cache
def _up_to(top: int) -> dict[str, Code]:
    return {c.code: c for c in CODES.values()
            if c.group in RULE_GROUPS and LEVELS.index(c.level) <= top}


def check_of(code: str) -> Check:
    """The function that looks for what a rule finds; its group's module is imported now."""
    import_module(f"efm3.rules.{CODES[code].group}")
    return CHECKS[code]


def selected(code: str, select: tuple[str, ...], ignore: tuple[str, ...]) -> bool:
    """True where a code prefix of `select` (none: all) matches and none of `ignore` does."""
    return (not select or code.startswith(select)) and not code.startswith(ignore)


def check_level(level: str) -> int:
    """The level's place in LEVELS. Raises ValueError for one that is not there."""
    if level not in LEVELS:
        raise ValueError(f"level is {level!r}, not one of {', '.join(LEVELS)}")
    return LEVELS.index(level)


@lru_cache(maxsize=64)
def _chosen(level: str, select: tuple[str, ...],
            ignore: tuple[str, ...]) -> list[tuple[int, Code, Check]]:
    """(place among the findings, rule, its check) in the order in which they run.

    Below level `values` the group of that name is not imported, nor is numpy with it.
    """
    rules = [r for r in load_rules(level).values() if selected(r.code, select, ignore)]
    rows = [(place, r, check_of(r.code)) for place, r in enumerate(rules)]
    return sorted(rows, key=lambda row: row[1].code == LAST)


def run(scan: Scan, level: str = "values", select: tuple[str, ...] = (),
        ignore: tuple[str, ...] = (), path: str = "") -> list[Finding]:
    """Findings of every rule up to `level`, in rule order.

    `path` is where the file is, "" for nowhere. Raises ValueError for a level that is not in
    LEVELS.
    """
    ctx = Context(scan, path)
    rows = _chosen(level, select, ignore)
    if rows and rows[-1][1].code == LAST and ctx.digest is not None:
        ctx.digest.start()
    found = [(place, _finding(rule, f)) for place, rule, check in rows for f in check(ctx)]
    return [f for _, f in sorted(found, key=itemgetter(0))]


def mirror_errors(scan: Scan) -> Iterator[Finding]:
    """Errors of the mirror of a file that is being written; `scan` reaches to the mirror's end.

    Its digest is not looked at: that needs the table.
    """
    ctx = Context(scan, own=True)
    for _, rule, check in _chosen("coherence", ("M",), (LAST,)):
        if rule.severity == "error":
            yield from (_finding(rule, f) for f in check(ctx))


def cause(scan: Scan, path: str = "") -> str:
    """What the bytes really are, where that is known and is not a sound EFM3 file, else ""."""
    return _causes.of_file(scan, path)[1]


def _finding(rule: Code, f: Found) -> Finding:
    return Finding(rule.code, rule.severity, f.message, f.offset, f.length, f.path, f.found,
                   f.expected, rule.fix, rule.clause)
