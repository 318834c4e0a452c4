# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""FlatBuffers, read within bounds.

A file is tables of numbered fields, vectors and texts, which point at one another by offsets.
The libraries that read them trust the offsets, or cost more to load than a whole network does
here. In this reader each offset and each length is compared with what the file holds before it is
used. What is read is counted too: the offsets of a small file may name the same bytes again and
again.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np

from efm3.arrays import Array
from efm3.findings import refuse

MOST_ITEMS = 1 << 20
"""Tables, numbers and letters / 8 that are read of one file, the tensors' data not counted: the
largest legal network has some 200,000."""

MOST_LETTERS = 1024
"""Bytes of a text that are read."""

_FORMS = {form: struct.Struct("<" + form) for form in "bB?hHiIqQf"}


class Bytes:
    """The bytes of one file."""

    def __init__(self, data: bytes | bytearray | memoryview, path: str) -> None:
        self.data = memoryview(data)
        self.path = path
        self._left = MOST_ITEMS

    def broken(self, what: str, at: int) -> NoReturn:
        """Raises X003: `what` is wrong at byte `at`."""
        refuse("X003", f"{self.path} is truncated or damaged: {what} at byte {at:,}", self.path)

    def spend(self, items: int, at: int) -> None:
        """Counts what is read. Raises X003 beyond `MOST_ITEMS`."""
        self._left -= items
        if self._left < 0:
            self.broken("it names more parts than a network can have", at)

    def number(self, form: str, at: int) -> Any:
        """The number at byte `at`."""
        kind = _FORMS[form]
        if not 0 <= at <= len(self.data) - kind.size:
            self.broken("a number beyond the file's end", at)
        return kind.unpack_from(self.data, at)[0]

    def follow(self, at: int) -> int:
        """Where the offset at byte `at` leads to."""
        return at + int(self.number("I", at))

    def vector(self, at: int, width: int) -> tuple[int, int]:
        """The first byte and the number of items, each of `width` bytes, of the vector at `at`."""
        count = int(self.number("I", at))
        if count > (len(self.data) - at - 4) // width:
            self.broken(f"a vector of {count:,} items of {width} bytes beyond the file's end", at)
        return at + 4, count

    def array(self, start: int, count: int, dtype: str) -> Array:
        """A view of `count` numbers from byte `start`. Raises X003 beyond the end."""
        kind = np.dtype(dtype)
        if start < 0 or count > (len(self.data) - start) // kind.itemsize:
            self.broken(f"{count:,} numbers beyond the file's end", start)
        return np.frombuffer(self.data, kind, count, start)


class Table:
    """One table; a field that is not there has the default, as has one of an older file."""

    __slots__ = ("_at", "_bytes", "_fields", "_vtable")

    def __init__(self, data: Bytes, at: int) -> None:
        data.spend(1, at)
        self._bytes, self._at = data, at
        self._vtable = at - int(data.number("i", at))
        size = int(data.number("H", self._vtable))
        if size < 4 or size % 2 or self._vtable > len(data.data) - size:
            data.broken(f"a table of {size} bytes of fields", at)
        self._fields = (size - 4) // 2

    def where(self, field: int) -> int:
        """The byte of a field, 0 where it is not there."""
        if field >= self._fields:
            return 0
        offset = int(self._bytes.number("H", self._vtable + 4 + 2 * field))
        return self._at + offset if offset else 0

    def number(self, field: int, form: str, default: float = 0) -> Any:
        """A field's number; `form` is struct's letter for it."""
        at = self.where(field)
        return self._bytes.number(form, at) if at else default

    def table(self, field: int) -> Table | None:
        """A field's table."""
        at = self.where(field)
        return Table(self._bytes, self._bytes.follow(at)) if at else None

    def tables(self, field: int) -> Tables:
        """A field's tables, empty where it is not there."""
        at = self.where(field)
        return Tables(self._bytes, *(self._bytes.vector(self._bytes.follow(at), 4)
                                     if at else (0, 0)))

    def vector(self, field: int) -> int:
        """The byte at which a field's vector begins, with its length."""
        return self._bytes.follow(self.where(field))

    def array(self, field: int, dtype: str) -> Array | None:
        """A field's numbers, as a view of the file."""
        at = self.where(field)
        if not at:
            return None
        kind = np.dtype(dtype)
        return self._bytes.array(*self._bytes.vector(self._bytes.follow(at), kind.itemsize), dtype)

    def integers(self, field: int) -> tuple[int, ...]:
        """A field's 32-bit whole numbers."""
        found = self.array(field, "<i4")
        if found is None:
            return ()
        self._bytes.spend(len(found), self._at)
        return tuple(found.tolist())

    def text(self, field: int) -> str:
        """A field's text, of which the first `MOST_LETTERS` count; "" where it is not there."""
        at = self.where(field)
        if not at:
            return ""
        start, count = self._bytes.vector(self._bytes.follow(at), 1)
        count = min(count, MOST_LETTERS)
        self._bytes.spend(count // 8, at)
        return bytes(self._bytes.data[start:start + count]).decode("utf-8", "replace")


class Tables:
    """A vector of tables, each read when it is asked for."""

    def __init__(self, data: Bytes, start: int, count: int) -> None:
        self._bytes, self.start, self._count = data, start, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, i: int) -> Table:
        if not 0 <= i < self._count:
            raise IndexError(i)
        return Table(self._bytes, self.at(i))

    def at(self, i: int) -> int:
        """The byte at which table i begins."""
        return self._bytes.follow(self.start + 4 * i)

    def __iter__(self) -> Iterator[Table]:
        return (self[i] for i in range(self._count))
