# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""MXNet's file of arrays with names (`.params`), as MXNet writes it since 2015.

    u64 0x112, u64 0, u64 count, the arrays; u64 count, each name as u64 length and bytes

An array is, in three generations: u32 rank, u32 sizes (no magic: the rank is small); a magic, u32
rank, i64 sizes; or a magic, i32 storage type, i32 rank, i64 sizes. Then in all of them: i32 device
type, i32 device number, i32 type of the values, and the values.
"""

from __future__ import annotations

import math
import struct
from typing import NamedTuple

import numpy as np

from efm3.arrays import Array
from efm3.convert._unread import Data
from efm3.convert.graph.ops import MOST_RANK
from efm3.findings import printable, refuse

MAGIC = b"\x12\x01\0\0\0\0\0\0"
V1, V2, V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
MOST_NAME = 1 << 12
"""Longest name, in bytes."""
MOST = 100_000
"""Most arrays of a file: each costs some hundred bytes of memory, however small it is."""
TYPES = {0: "<f4", 1: "<f8", 2: "<f2", 3: "u1", 4: "<i4", 5: "i1", 6: "<i8", 7: "?", 8: "<i2",
         12: "<u2"}
"""numpy's types by MXNet's numbers; 12 is bfloat16, the upper half of a float32."""
BFLOAT16 = 12


class _Cursor:
    """Reads numbers from the front; X003 where the file ends before."""

    def __init__(self, data: Data, path: str) -> None:
        self.data, self.path, self.at = data, path, 0

    def skip(self, count: int, what: str) -> int:
        """Where the next `count` bytes are."""
        left = len(self.data) - self.at
        if count > left:
            refuse("X003", f"{self.path}: {what} has {count:,} bytes at byte {self.at:,}, where "
                           f"{left:,} remain", self.path, left, count)
        self.at += count
        return self.at - count

    def take(self, count: int, what: str) -> bytes:
        """The next `count` bytes."""
        start = self.skip(count, what)
        return bytes(self.data[start:start + count])

    def number(self, kind: str, what: str) -> int:
        """The next number, of one of struct's types."""
        value: int = struct.unpack(f"<{kind}", self.take(struct.calcsize(kind), what))[0]
        return value

    def count(self, what: str, least: int) -> int:
        """A count of things, each of at least so many bytes."""
        n = self.number("Q", what)
        if n > MOST or n * least > len(self.data) - self.at:
            refuse("X003", f"{self.path} states {n:,} {what} in {len(self.data):,} bytes",
                   self.path, n, f"at most {MOST:,}")
        return n


class Entry(NamedTuple):
    """An array: its shape, the number of its type, and where its values begin."""

    shape: list[int]
    number: int
    start: int


class Arrays(dict[str, Array]):
    """Arrays by name, without `arg:` and `aux:`; `bare` where no name had one of these, as in what
    Gluon's save_parameters writes."""

    bare = True


def arrays(data: memoryview, path: str) -> Arrays:
    """The file's arrays; views of `data` but for bfloat16.

    Raises X003 for damage, X006 for an array that cannot be taken, X015 for a name twice.
    """
    out = Arrays()
    for name, entry in entries(data, path):
        bare = name[4:] if name.startswith(("arg:", "aux:")) else name
        out.bare = out.bare and bare == name
        if bare in out:
            refuse("X015", f"{printable(bare)} is twice in {path}", printable(bare))
        out[bare] = _values(data, entry)
    return out


def entries(data: Data, path: str) -> list[tuple[str, Entry]]:
    """The file's arrays by name, without a look at their values. Raises X003, X006."""
    cursor = _Cursor(data, path)
    if cursor.take(8, "its beginning") != MAGIC:
        refuse("X003", f"{path} is not a list of MXNet arrays", path)
    cursor.number("Q", "the reserved field")
    found = [_entry(cursor, i) for i in range(cursor.count("arrays", 4))]
    names = [_name(cursor) for _ in range(cursor.count("names", 8))]
    if len(names) != len(found):
        refuse("X003", f"{path} has {len(found):,} arrays and {len(names):,} names", path,
               len(names), len(found))
    if cursor.at != len(data):
        refuse("X003", f"{path} goes on for {len(data) - cursor.at:,} bytes after its last name",
               path)
    return [*zip(names, found, strict=True)]


def _name(cursor: _Cursor) -> str:
    size = cursor.number("Q", "a name's length")
    start = cursor.skip(size, "a name")
    if size > MOST_NAME:
        refuse("X003", f"{cursor.path} states a name of {size:,} bytes", cursor.path, size,
               f"at most {MOST_NAME:,}")
    return bytes(cursor.data[start:cursor.at]).decode("utf-8", "replace")


def _entry(cursor: _Cursor, index: int) -> Entry:
    what = f"array {index}"
    rank = cursor.number("I", what)
    kind = "I"
    if rank in (V2, V3) and (storage := cursor.number("i", what)) != 0:
        refuse("X006", f"{what} of {cursor.path} is sparse (storage type {storage})", what)
    if rank in (V1, V2, V3):
        kind, rank = "q", cursor.number("I", what)
    if not 0 < rank <= MOST_RANK:
        refuse("X006", f"{what} of {cursor.path} has {rank:,} dimensions", what, rank,
               f"1 to {MOST_RANK}")
    shape = [cursor.number(kind, what) for _ in range(rank)]
    cursor.take(8, what)
    number = cursor.number("i", what)
    if number not in TYPES:
        refuse("X006", f"{what} of {cursor.path} has values of type {number}", what, number)
    if min(shape) < 1:
        refuse("X006", f"{what} of {cursor.path} has shape {shape}", what)
    size = math.prod(shape) * np.dtype(TYPES[number]).itemsize
    return Entry(shape, number, cursor.skip(size, f"{what} of shape {shape}"))


def _values(data: memoryview, entry: Entry) -> Array:
    value = np.frombuffer(data, TYPES[entry.number], math.prod(entry.shape), entry.start)
    value = value.reshape(entry.shape)
    if entry.number == BFLOAT16:
        wide = value.astype("<u4")
        wide <<= 16
        value = wide.view("<f4")
    return value
