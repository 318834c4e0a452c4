# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The numbers of a Parquet column of vectors, straight out of its pages.

A library that reads them unpacks a level for each number first, which takes longer than to search
them. Where the pages are plain and not compressed the numbers of all rows that are not null follow
one another, and can be read as they are.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from efm3.arrays import Floats

_DATA_PAGE = 0
_PLAIN = 0
_INT32, _INT64, _BINARY, _STRUCT = 5, 6, 8, 12
_MAX_HEAD, _MAX_LEVELS = 1 << 12, 1 << 26


def plain(metadata: Any, column: str) -> list[tuple[int, int]] | None:
    """Where the column's pages lie, first byte and length for each row group; None where they
    are packed in a way that is not read here."""
    out = []
    for g in range(metadata.num_row_groups):
        group = metadata.row_group(g)
        found = [c for c in map(group.column, range(group.num_columns))
                 if c.path_in_schema == column]
        if len(found) != 1 or found[0].compression != "UNCOMPRESSED" \
                or found[0].has_dictionary_page or not {"PLAIN", "RLE"}.issuperset(
                    found[0].encodings):
            return None
        out.append((found[0].data_page_offset, found[0].total_compressed_size))
    return out


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
                    raise ValueError("fewer embeddings than rows without an error")
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
            raise ValueError("more embeddings than rows without an error")

    def _check(self) -> None:
        if not self._left and self._stated is not None and self._stated != self._crc:
            raise ValueError("a page does not have its checksum")

    def _walk(self, places: list[tuple[int, int]]) -> Iterator[int]:
        """Each page: go to its numbers, and give how many bytes they are, if any."""
        for start, length in places:
            at, end = start, start + length
            while at < end:
                self._file.seek(at)
                head = self._file.read(_MAX_HEAD)
                fields, size = _fields(head)
                body = at + size
                long, page = fields.get((3,), -1), fields.get((1,))
                at = body + long
                if (page != _DATA_PAGE or fields.get((5, 2)) != _PLAIN
                        or not 8 <= long <= end - body):
                    raise ValueError("a page of another kind")
                self._stated = fields[4,] & 0xFFFFFFFF if (4,) in fields else None
                if left := self._past_levels(body, long):
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


def _fields(data: bytes) -> tuple[dict[tuple[int, ...], int], int]:
    """The whole numbers of a page's head, by the numbers of their fields, and its length.

    Thrift's compact protocol, as far as heads of pages use it. Raises ValueError.
    """
    out: dict[tuple[int, ...], int] = {}
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            if at >= len(data) or shift > 63:
                raise ValueError("a page without a head")
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    path: list[int] = [0]
    while path:
        head = data[at] if at < len(data) else -1
        at += 1
        kind = head & 15
        if head == 0:
            path.pop()
            continue
        step = head >> 4
        if head < 0 or not step or len(path) > 4:
            raise ValueError("a page without a head")
        path[-1] += step
        if kind in (_INT32, _INT64):
            value = varint()
            out[tuple(path)] = (value >> 1) ^ -(value & 1)
        elif kind == _BINARY:
            at += varint()
        elif kind == _STRUCT:
            path.append(0)
        elif kind not in (1, 2):  # a truth is its kind
            raise ValueError("a page without a head")
    return out, at
