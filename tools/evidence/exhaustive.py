# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Part B: sets of damage that leave nothing out, before a faulting page.

All of every set goes through the C loader; through Python too in the long form, one in 37 in the
short one.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import chain
from typing import Any

from tools.evidence import _book
from tools.evidence._damage import FEW, SETS, Make, bases, pairs
from tools.evidence._hostile import Guard, Input, Tally, through

STEP = 37
COMMAND = "python -m tools.evidence{} exhaustive"


def plan(files: dict[str, bytes]) -> dict[str, tuple[Iterator[Input], Iterator[Input]]]:
    """Name of each figure to what goes through all four readers, and what through C alone."""
    def over(make: Make) -> Iterator[Input]:
        return chain.from_iterable(make(name, data) for name, data in files.items())
    tiny = files["tiny"]
    return {name: (over(make), iter(())) for name, make in SETS.items()} | {
        "every pair of u32s at 40 x 40 values, at 12 x 12 in Python": (
            pairs("tiny", tiny, FEW), pairs("tiny", tiny))}


def _measured(command: str, guard: Guard, inputs: Iterator[Input], step: int,
              more: Iterator[Input]) -> dict[str, Any]:
    tally = Tally(guard)
    through(tally, inputs, step)
    for where, data in more:
        tally.c_only(where, data)
    return _book.figure(command, tally.numbers())


def run(long: bool) -> Iterator[tuple[str, _book.Measure]]:
    """The figures, a set of damage each."""
    guard, step = Guard(), 1 if long else STEP
    command = COMMAND.format(" --long" if long else "")
    for name, (inputs, more) in plan(bases()).items():
        yield name, partial(_measured, command, guard, inputs, step, more)
