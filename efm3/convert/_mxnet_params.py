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

import numpy as np

from efm3.arrays import Array
from efm3.convert.graph.ops import MOST_RANK
from efm3.findings import printable, refuse

MAGIC = b"\x12\x01\0\0\0\0\0\0"
V1, V2, V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
MOST = 100_000
"""Most arrays of a file: each costs some hundred bytes of memory, however small it is."""
TYPES = {0: "<f4", 1: "<f8", 2: "<f2", 3: "u1", 4: "<i4", 5: "i1", 6: "<i8", 7: "?", 8: "<i2",
         12: "<u2"}
"""numpy's types by MXNet's numbers; 12 is bfloat16, the upper half of a float32."""
BFLOAT16 = 12


class _Cursor:
    """Reads numbers from the front; X003 where the file ends before."""

    def __init__(self, data: memoryview, path: str) -> None:
        self.data, self.path, self.at = data, path, 0

    def take(self, count: int, what: str) -> memoryview:
        """The next `count` bytes."""
        left = len(self.data) - self.at
        if count > left:
            refuse("X003", f"{self.path}: {what} has {count:,} bytes at byte {self.at:,}, where "
                           f"{left:,} remain", self.path, left, count)
        self.at += count
        return self.data[self.at - count:self.at]

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


class Arrays(dict[str, Array]):
    """Arrays by name, without `arg:` and `aux:`; `bare` where no name had one of these, as in what
    Gluon's save_parameters writes."""

    bare = True


def arrays(data: memoryview, path: str) -> Arrays:
    """The file's arrays; views of `data` but for bfloat16.

    Raises X003 for damage, X006 for an array that cannot be taken, X015 for a name twice.
    """
    cursor = _Cursor(data, path)
    if cursor.take(8, "its beginning") != MAGIC:
        refuse("X003", f"{path} is not a list of MXNet arrays", path)
    cursor.number("Q", "the reserved field")
    values = [_array(cursor, i) for i in range(cursor.count("arrays", 4))]
    names = []
    for _ in range(cursor.count("names", 8)):
        text = cursor.take(cursor.number("Q", "a name's length"), "a name")
        names.append(bytes(text).decode("utf-8", "replace"))
    if len(names) != len(values):
        refuse("X003", f"{path} has {len(values):,} arrays and {len(names):,} names", path,
               len(names), len(values))
    if cursor.at != len(data):
        refuse("X003", f"{path} goes on for {len(data) - cursor.at:,} bytes after its last name",
               path)
    out = Arrays()
    for name, value in zip(names, values, strict=True):
        bare = name[4:] if name.startswith(("arg:", "aux:")) else name
        out.bare = out.bare and bare == name
        if bare in out:
            refuse("X015", f"{printable(bare)} is twice in {path}", printable(bare))
        out[bare] = value
    return out


def _array(cursor: _Cursor, index: int) -> Array:
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
    dtype = np.dtype(TYPES[number])
    body = cursor.take(math.prod(shape) * dtype.itemsize, f"{what} of shape {shape}")
    value = np.frombuffer(body, dtype).reshape(shape)
    if number == BFLOAT16:
        wide = value.astype("<u4")
        wide <<= 16
        value = wide.view("<f4")
    return value
