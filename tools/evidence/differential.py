# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Part B: mutated files through scan, load, validate and the C loader; one verdict on each.

The seeds continue where the last run ended; a slice is one seed, and is in the book when it ends.
Files already seen by a run are skipped (by a table of hashes: one in some hundred new ones is taken
for an old one too).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from functools import partial
from typing import Any
from zlib import crc32

from tools.evidence import _book, _sources
from tools.evidence._hostile import Guard, Tally, Where, through
from tools.evidence._mutants import mutated

SLICE = 10_000
TARGET = 1_000_000
COMMAND = _sources.MUTATED
NAME = "mutated files"
ZERO = {"files": 0, "accepted by all four": 0, "refused by all four": 0, "disagreements": 0,
        "left out as repeated": 0, "last seed": 0}


class Seen:
    """Which files were there already, in 32 MiB."""

    def __init__(self) -> None:
        self._bits = bytearray(1 << 25)

    def __call__(self, data: bytes) -> bool:
        h = crc32(data, len(data)) & 0xFFFFFFF
        bit, at = 1 << (h & 7), h >> 3
        if self._bits[at] & bit:
            return True
        self._bits[at] |= bit
        return False


def one_slice(guard: Guard, seed: int, seen: Seen, count: int = SLICE) -> tuple[Tally, int]:
    """The slice's tally, and how many files it left out."""
    left = 0

    def new() -> Any:
        nonlocal left
        for where, data in mutated(guard, seed, count):
            if seen(data):
                left += 1
            else:
                yield where, data
    tally = Tally(guard)
    through(tally, new())
    return tally, left


def _most(old: dict[str, Any], key: str, value: float, where: Where) -> dict[str, Any]:
    """The greater of the book's value and this one, with the file that it was on."""
    if value <= float(old.get(key, "0").split()[0].replace(",", "")):
        return {key: old[key]}
    return {key: f"{value:,} ({' '.join(map(str, where))})"}


def _add(old: dict[str, Any], tally: Tally, left: int, seed: int, rate: int) -> dict[str, Any]:
    numbers = tally.numbers()
    gained = {"files": tally.inputs, "accepted by all four": tally.accepted,
              "refused by all four": tally.refused, "left out as repeated": left,
              "disagreements": numbers["disagreements"]}
    return (old | {k: old[k] + n for k, n in gained.items()}
            | {"last seed": seed, "files a second in the last slice": rate}
            | _most(old, "most bytes held on a refusal", tally.peak[0], tally.peak[2])
            | _most(old, "slowest refusal in C, ms", round(tally.slowest[0] / 1e6, 3),
                    tally.slowest[1])
            | _most(old, "slowest refusal by all three in Python, ms",
                    round(tally.slowest_python[0] / 1e6, 1), tally.slowest_python[1]))


def _sliced(long: bool) -> dict[str, Any]:
    guard, seen = Guard(), Seen()
    old = _book.read()["figures"].get("differential", {}).get(NAME)
    last = old["numbers"]["last seed"] if old else 0
    numbers: dict[str, Any] = ZERO | {"last seed": last}
    if old and old.get("sources") == _book.sources(f"differential.{NAME}"):
        numbers = old["numbers"]
    found: dict[str, Any] = {}
    while not found or (long and numbers["files"] < TARGET):
        seed = numbers["last seed"] + 1
        start = time.monotonic()
        tally, left = one_slice(guard, seed, seen)
        took = time.monotonic() - start
        numbers = _add(numbers, tally, left, seed, round(tally.inputs / took))
        _book.count("differential.mutated", "none", tally.inputs, took, COMMAND)
        found = _book.figure(COMMAND, numbers, seed=1, long=numbers["files"] >= TARGET)
        _book.record("differential", NAME, found, long)
        print(f"differential: seed {seed}, {numbers['files']:,} files", file=sys.stderr, flush=True)
    return found


def run(long: bool) -> Iterator[tuple[str, _book.Measure]]:
    """One slice, or all that is missing to a million files on these sources."""
    yield NAME, partial(_sliced, long)
