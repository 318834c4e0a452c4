# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Part B: sets of damage that leave nothing out, before a faulting page.

All of every set goes through the C loader; through Python too in the long form, one in 37 in the
short one. A set that is in the book at this commit of the code, complete, is not run again.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from tools.evidence import _book
from tools.evidence._damage import FEW, SETS, Make, bases, pairs
from tools.evidence._hostile import Guard, Input, Tally, through

STEP = 37
CODE = ("efm3", "engine", "tests/hostile")
COMMAND = "python -m tools.evidence{} exhaustive"


def plan(files: dict[str, bytes]) -> dict[str, tuple[Iterator[Input], Iterator[Input]]]:
    """Name of each figure to what goes through all four readers, and what through C alone."""
    def over(make: Make) -> Iterator[Input]:
        return chain.from_iterable(make(name, data) for name, data in files.items())
    tiny = files["tiny"]
    return {name: (over(make), iter(())) for name, make in SETS.items()} | {
        "every pair of u32s at 40 x 40 values, at 12 x 12 in Python": (
            pairs("tiny", tiny, FEW), pairs("tiny", tiny))}


def _run(guard: Guard, inputs: Iterator[Input], step: int, more: Iterator[Input]) -> dict[str, Any]:
    tally = Tally(guard)
    through(tally, inputs, step)
    for where, data in more:
        tally.c_only(where, data)
    return tally.numbers()


def run(long: bool) -> dict[str, dict[str, Any]]:
    """The figures by name; each is recorded as soon as it is there."""
    guard, step = Guard(), 1 if long else STEP
    command = COMMAND.format(" --long" if long else "")
    old, out = _book.read()["figures"].get("exhaustive", {}), {}
    for name, (inputs, more) in plan(bases()).items():
        before = old.get(name)
        if before and before["commit"] == _book.commit(*CODE) and "--long" in before["command"]:
            continue
        numbers = _run(guard, inputs, step, more)
        out[name] = _book.figure(command, numbers) | {"commit": _book.commit(*CODE)}
        _book.record("exhaustive", {name: out[name]})
    return out
