# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Part B: mutated files through scan, load, validate and the C loader; one verdict on each.

The seeds continue where the last run ended; a slice is one seed. Files already seen by a run are
skipped (by a table of hashes: one in some hundred new ones is taken for an old one too).
"""

from __future__ import annotations

import sys
import time
from typing import Any
from zlib import crc32

from tools.evidence import _book
from tools.evidence._hostile import Guard, Tally, Where, through
from tools.evidence._mutants import mutated

SLICE = 10_000
TARGET = 5_000_000
COMMAND = "python -m tools.evidence --long differential"
NAME = "mutated files, over all commits"
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


def run(long: bool) -> dict[str, dict[str, Any]]:
    """Three slices, or all that is missing to five million files (100 where nothing is)."""
    guard, seen = Guard(), Seen()
    book = _book.read()["figures"].get("differential", {})
    numbers: dict[str, Any] = book[NAME]["numbers"] if NAME in book else dict(ZERO)
    left_to_do = 100 if numbers["files"] >= TARGET else TARGET
    out: dict[str, dict[str, Any]] = {}
    for i in range(left_to_do if long else 3):
        if i and long and numbers["files"] >= TARGET and left_to_do == TARGET:
            break
        seed = numbers["last seed"] + 1
        start = time.monotonic()
        tally, left = one_slice(guard, seed, seen)
        took = time.monotonic() - start
        numbers = _add(numbers, tally, left, seed, round(tally.inputs / took))
        _book.count("differential.mutated", "none", tally.inputs, took, COMMAND)
        out = {NAME: _book.figure(COMMAND, numbers, seed=1)}
        _book.record("differential", out)
        print(f"differential: seed {seed}, {numbers['files']:,} files", file=sys.stderr, flush=True)
    return out
