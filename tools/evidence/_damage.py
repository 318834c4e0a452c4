# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The exhaustive sets: every cut, every flipped bit, every byte, every edge of every u32.

Each set is an iterator of (where, bytes); `where` is the set, the base file and the place.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Iterator

from efm3 import format as fmt
from efm3 import mirror
from efm3.arch import TOPOLOGY, Arch, Stage
from efm3.conformance import sample
from efm3.scan import scan
from tools.evidence._hostile import Input

HEAD = 4096
FIRST = 100

EDGES = (0, 1, 2, 3, 4, 5, 7, 8, 12, 15, 16, 31, 32, 64, 91, 92, 96, 127, 128, 255, 256, 257,
         1023, 4096, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0xFFFFF, 0x100000, 0x100001, 0x3FFFFFFF,
         0x40000000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFA4, 0xFFFFFFFB, 0xFFFFFFFC, 0xFFFFFFFE,
         0xFFFFFFFF)
"""The 40 values at which a u32 is tried: of the types, of the format, and where 96 + n wraps."""

FEW = (0, 1, 3, 4, 92, 256, 0xFFFF, 0x100000, 0x40000000, 0x80000000, 0xFFFFFFFC, 0xFFFFFFFF)
"""The 12 of them at which pairs of fields go through Python too."""


def bases() -> dict[str, bytes]:
    """Three whole files: a tiny one, one with an odd json_len, one of many layers."""
    one = Arch("one", 1.0, 1, 1, 1, 1, 14, (Stage(1, 1, 4),))
    text = mirror.canonical(sample.ARCH)
    return {"tiny": sample.build(one),
            "odd": sample.build(text=text + b" " * (1 - len(text) % 2)),
            "deep": sample.build(Arch("deep", 1.0, 8, 8, 8, 8, 7, TOPOLOGY))}


def size_fields(data: bytes) -> list[int]:
    """Offsets of the table's size fields."""
    return [t.offset for t in scan(data).tensors]


def words(data: bytes) -> list[int]:
    """Offsets of every u32: the prefix's 23 aligned words, n_tensors and the sizes."""
    table = scan(data).table_offset or 0
    return [*range(0, fmt.PREFIX_SIZE, 4), table - fmt.COUNT_SIZE, *size_fields(data)]


def cuts(name: str, data: bytes) -> Iterator[Input]:
    """The file cut at every byte."""
    for n in range(len(data)):
        yield ("cut", name, n), data[:n]


def flips(name: str, data: bytes) -> Iterator[Input]:
    """Every single bit of the first 4 KiB and of every size field turned over."""
    places = sorted({*range(min(HEAD, len(data))),
                     *(at + i for at in size_fields(data) for i in range(4))})
    new = bytearray(data)
    for at in places:
        for bit in range(8):
            new[at] ^= 1 << bit
            yield ("flip", name, at, bit), bytes(new)
            new[at] ^= 1 << bit


def every_byte(name: str, data: bytes) -> Iterator[Input]:
    """Every value at each of the first 100 bytes."""
    new = bytearray(data)
    for at in range(FIRST):
        for value in range(256):
            new[at] = value
            yield ("byte", name, at, value), bytes(new)
        new[at] = data[at]


def edges(name: str, data: bytes) -> Iterator[Input]:
    """Every u32 at the 40 values."""
    new = bytearray(data)
    for at in words(data):
        for value in EDGES:
            struct.pack_into("<I", new, at, value)
            yield ("u32", name, at, value), bytes(new)
        new[at:at + 4] = data[at:at + 4]


def pairs(name: str, data: bytes, values: tuple[int, ...] = EDGES) -> Iterator[Input]:
    """Every pair of u32s at all pairs of `values`."""
    new = bytearray(data)
    for a, b in itertools.combinations(words(data), 2):
        for x in values:
            struct.pack_into("<I", new, a, x)
            for y in values:
                struct.pack_into("<I", new, b, y)
                yield ("pair", name, a, x, b, y), bytes(new)
        for at in (a, b):
            new[at:at + 4] = data[at:at + 4]


Make = Callable[[str, bytes], Iterator[Input]]
SETS: dict[str, Make] = {
    "cut at every byte": cuts, "every bit of the first 4 KiB and of every size": flips,
    "every value of the first 100 bytes": every_byte, "every u32 at 40 values": edges}
