# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The numbers of a Parquet column of vectors, straight out of its pages.

A library that reads them unpacks a level for each number first, which takes longer than to search
them. Where the pages are plain and not compressed, and no row is null, the numbers follow one
another and can be read as they are.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from efm3.arrays import Floats

_DATA_PAGE = _PLAIN = _UNCOMPRESSED = 0
_RLE = 3
_INTEGERS, _BINARY, _LISTS, _STRUCT = (4, 5, 6), 8, (9, 10), 12
_MAX_HEAD, _MAX_LEVELS, _MAX_FOOTER = 1 << 12, 1 << 26, 1 << 28
_DEEP = 8


def plain(file: Any, path: tuple[str, ...]) -> list[tuple[int, int]] | None:
    """Where the pages of the column of this path lie, first byte and length for each row group;
    None where they are packed in a way that is not read here. Raises ValueError.

    The footer is read here: pyarrow's objects for it end the process where it is damaged.
    """
    size = file.seek(0, 2)
    file.seek(max(0, size - 8))
    length = int.from_bytes(file.read(4), "little")
    if not 0 < length <= min(size - 8, _MAX_FOOTER):
        raise ValueError("a footer of no length")
    file.seek(size - 8 - length)
    footer = Compact(file.read(length))
    wanted = [part.encode() for part in path]
    out = []
    for group in footer.structs(4):
        places = [place for column in group.structs(1) for place in _places(column, wanted)]
        if len(places) != 1 or places[0] is None:
            return None
        out.append(places[0])
    return out


def _places(column: Compact, path: list[bytes]) -> list[tuple[int, int] | None]:
    """The place of a column chunk, if it is the one of the path; None as its place where it is
    packed."""
    found = next(column.structs(3), None)
    if found is None:
        raise ValueError("a column without its metadata")
    values = found.values()
    if values.get(3) != path:
        return []
    if (values.get(4) != _UNCOMPRESSED or 11 in values
            or not {_PLAIN, _RLE}.issuperset(values.get(2, ()))):
        return [None]
    return [(values[9], values[7])]


class Compact:
    """A struct in Thrift's compact protocol, from `at` on, as far as Parquet uses it.

    What is no struct is a ValueError.
    """

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data, self.at = data, at

    def structs(self, number: int) -> Iterator[Compact]:
        """The structs of a field: it is one, or a list of them. Each is to be read to its end
        before the next is asked for, or not at all."""
        for found, kind in self._fields():
            if found != number:
                self._skip(kind)
                continue
            count = 1
            if kind in _LISTS:
                count, kind = self._list()
            if kind != _STRUCT:
                raise ValueError("a field of another kind")
            for _ in range(count):
                yield Compact(self.data, self.at)
                self._skip(kind)

    def values(self) -> dict[int, Any]:
        """The fields that are whole numbers, bytes, lists of these, or structs of such."""
        return {number: self._value(kind, 0) for number, kind in self._fields()}

    def _fields(self) -> Iterator[tuple[int, int]]:
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else _signed(self._varint())
            yield number, head & 15

    def _byte(self) -> int:
        if not 0 <= self.at < len(self.data):
            raise ValueError("metadata that end in the middle")
        self.at += 1
        return self.data[self.at - 1]

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise ValueError("a number of more than 64 bits")

    def _list(self) -> tuple[int, int]:
        head = self._byte()
        return self._varint() if head >> 4 == 15 else head >> 4, head & 15

    def _value(self, kind: int, deep: int) -> Any:
        """A value; each takes a byte at least, or is the truth of its own kind."""
        if deep > _DEEP:
            raise ValueError("metadata that are too deep")
        if kind in (1, 2):
            return 2 - kind
        if kind == 3:
            return self._byte()
        if kind in _INTEGERS:
            return _signed(self._varint())
        if kind == 7:
            return [self._byte() for _ in range(8)]
        if kind == _BINARY:
            length = self._varint()
            self.at += length
            return self.data[self.at - length:self.at]
        if kind in _LISTS:
            count, kind = self._list()
            # In a list a truth is a byte.
            return [self._value(3 if kind in (1, 2) else kind, deep + 1) for _ in range(count)]
        if kind == _STRUCT:
            return {n: self._value(k, deep + 1) for n, k in self._fields()}
        raise ValueError("a field of no kind")

    def _skip(self, kind: int) -> None:
        self._value(kind, 0)


def _signed(value: int) -> int:
    return (value >> 1) ^ -(value & 1)


class Numbers:
    """The float32 in these places of a file, in order. Raises ValueError for what is no page."""

    def __init__(self, file: Any, places: list[tuple[int, int]]) -> None:
        self._file = file
        self._pages = self._walk(places)
        self._at = self._left = self._crc = 0
        self._stated: int | None = None

    def take(self, count: int) -> Floats:
        """The next numbers."""
        out = np.empty(count, np.float32)
        rest = out.data.cast("B")
        while rest:
            if not self._left:
                self._left = next(self._pages, 0)
                if not self._left:
                    raise ValueError("fewer embeddings than rows")
            part = rest[:min(len(rest), self._left)]
            self._file.seek(self._at)
            if self._file.readinto(part) != len(part):
                raise ValueError("it became shorter")
            self._crc = zlib.crc32(part, self._crc)
            self._at, self._left, rest = self._at + len(part), self._left - len(part), \
                rest[len(part):]
            self._check()
        return out

    def end(self) -> None:
        """Raise ValueError where numbers are left."""
        if self._left or next(self._pages, 0):
            raise ValueError("more embeddings than rows")

    def _check(self) -> None:
        if not self._left and self._stated is not None and self._stated != self._crc:
            raise ValueError("a page does not have its checksum")

    def _walk(self, places: list[tuple[int, int]]) -> Iterator[int]:
        """Each page: go to its numbers, and give how many bytes they are, if any."""
        for start, length in places:
            at, end = start, start + length
            while at < end:
                self._file.seek(at)
                head = Compact(self._file.read(_MAX_HEAD))
                fields = head.values()
                data = fields.get(5)
                if fields.get(1) != _DATA_PAGE or not isinstance(data, dict):
                    raise ValueError("a page of another kind")
                body, long = at + head.at, fields.get(3)
                at = body + (long if isinstance(long, int) else 0)
                if data.get(2) != _PLAIN or not 8 <= at - body <= end - body:
                    raise ValueError("a page of another kind")
                crc = fields.get(4)
                self._stated = crc & 0xFFFFFFFF if isinstance(crc, int) else None
                if left := self._past_levels(body, at - body):
                    yield left
                else:
                    self._check()

    def _past_levels(self, body: int, long: int) -> int:
        """Go past the two runs of levels that come before the numbers; how many bytes these are."""
        self._crc = 0
        left = long
        for _ in range(2):
            self._file.seek(body + long - left)
            head = self._file.read(4)
            levels = int.from_bytes(head, "little")
            if levels > min(left - 4, _MAX_LEVELS):
                raise ValueError("a page's levels are longer than the page")
            self._crc = zlib.crc32(self._file.read(levels), zlib.crc32(head, self._crc))
            left -= 4 + levels
        if left % 4:
            raise ValueError("a page of broken numbers")
        self._at, self._left = body + long - left, left
        return left
