# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Part B: the most memory that Python takes for a refusal, by tracemalloc.

Nothing is remembered from one reading to the next. Tracing is slow, so it sees every u32 at 40
values, one in 97 of the other sets, and two slices of mutated files; one in nine of these in the
short form.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Any

import efm3
from efm3 import scan
from efm3.network import tensor_layout
from tools.evidence import _book
from tools.evidence._damage import SETS, bases, edges
from tools.evidence._hostile import SLACK, Guard, Input, Where
from tools.evidence._mutants import mutated

STEP = 97
MUTATED = 10_000


def inputs(guard: Guard) -> Iterator[Input]:
    """What is traced."""
    files = bases()
    for name, data in files.items():
        yield from edges(name, data)
        for make in SETS.values():
            if make is not edges:
                yield from islice(make(name, data), 0, None, STEP)
    yield from chain(mutated(guard, 0, MUTATED), mutated(guard, -1, MUTATED))


def _loads(data: bytes) -> bool:
    try:
        efm3.load(data, level="structure")
    except efm3.Efm3Error:
        return False
    return True


READERS: dict[str, Callable[[bytes], bool]] = {
    "validate": lambda data: efm3.validate(data, "structure").ok, "load": _loads}


def measure(some: Iterator[Input]) -> dict[str, Any]:
    """The most on refused files, by reader. Raises RuntimeError over 2 x the file + 1 MiB."""
    worst: dict[str, tuple[int, int, Where]] = dict.fromkeys(READERS, (0, 0, ()))
    refused = 0
    tracemalloc.start()
    try:
        for where, data in some:
            for name, read in READERS.items():
                for remembered in (scan._network, tensor_layout):
                    remembered.cache_clear()
                tracemalloc.reset_peak()
                before = tracemalloc.get_traced_memory()[0]
                ok = read(data)
                peak = tracemalloc.get_traced_memory()[1] - before
                if ok:
                    break
                refused += name == "load"
                worst[name] = max(worst[name], (peak, len(data), where))
                if peak > 2 * len(data) + SLACK:
                    raise RuntimeError(f"{name} takes {peak} bytes for {where}")
    finally:
        tracemalloc.stop()
    return {"refused files": refused} | {
        f"most bytes in {name}": f"{peak:,} ({size:,} bytes of {' '.join(map(str, where))})"
        for name, (peak, size, where) in worst.items()}


def run(long: bool) -> dict[str, dict[str, Any]]:
    """The figure."""
    list(map(READERS["load"], bases().values()))  # memory of one-time loads does not count
    step = 1 if long else 9
    numbers = measure(islice(inputs(Guard()), 0, None, step))
    sample = (f"one in {step} of " if step > 1 else "") + (
        f"every u32 at 40 values, one in {STEP} of the other sets, {2 * MUTATED:,} mutated files")
    return {"memory of a refusal in Python": _book.figure(
        f"python -m tools.evidence{' --long' if long else ''} limits",
        {"traced": sample} | numbers, seed=0)}
