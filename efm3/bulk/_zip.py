# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Members of a zip archive, walked along its directory: nothing is kept of those that went by.

Python's zipfile reads the whole directory and makes an object of every member.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from efm3.bulk._member import Broken, Member, exactly
from efm3.source import open_regular

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_PIECE = 1 << 16
_ALL32, _LONGEST_COMMENT = 0xFFFFFFFF, 0xFFFF
_NOWHERE = 1 << 64
"""The place of a member whose record does not tell it."""
_STORED, _DEFLATED = 0, 8
_ENCRYPTED, _UTF8 = 0x1, 0x800


def members(path: str) -> Iterator[Member]:
    """The files in the archive, in the order of its directory. Raises Broken, Unreadable, OSError.

    Reading a member raises Broken, OSError and zlib.error.
    """
    # Two handles, so that the directory is read ahead while members are read.
    with open_regular(path) as walk, open_regular(path) as data:
        size = os.fstat(walk.fileno()).st_size
        start, length, shift = _directory(walk, size)
        walk.seek(start)
        while length:
            entry = _ENTRY.unpack(exactly(walk.read, _ENTRY.size))
            if entry[0] != b"PK\1\2":
                raise Broken("its directory is damaged")
            flags, method, sum_, packed, whole = entry[3], entry[4], *entry[7:10]
            name = exactly(walk.read, entry[10])
            packed, whole, at = _wide(exactly(walk.read, entry[11]), packed, whole, entry[16])
            exactly(walk.read, entry[12])
            length -= _ENTRY.size + sum(entry[10:13])
            if length < 0:
                raise Broken("its directory is damaged")
            if name.endswith(b"/"):
                continue
            why = "it is encrypted" if flags & _ENCRYPTED else (
                "" if method in (_STORED, _DEFLATED) else
                f"it is packed by method {method}, not stored or deflated")
            if not 0 <= at + shift < size:
                why = "its directory names a place that the archive does not have"
            if not flags & _UTF8:
                name = name.decode("cp437").encode()
            body = _Body(data, at + shift, packed, whole, method, sum_)
            yield Member(name, whole, why, body)


def _directory(f: BinaryIO, size: int) -> tuple[int, int, int]:
    """Where the directory begins, its bytes, and the bytes that stand before the archive."""
    tail = min(size, _END.size + _LONGEST_COMMENT)
    f.seek(size - tail)
    text = exactly(f.read, tail)
    at = text.rfind(b"PK\5\6")
    if at < 0 or len(text) - at < _END.size:
        raise Broken("it has no end record: it is cut, or no zip archive")
    _, disk, _, _, _, length, start, _ = _END.unpack_from(text, at)
    end = size - tail + at
    if end >= _LOCATOR.size:
        f.seek(end - _LOCATOR.size)
        mark, *_ = _LOCATOR.unpack(exactly(f.read, _LOCATOR.size))
        if mark == b"PK\6\7":
            # Its place is counted from the archive's begin, before which more may stand.
            where = end - _LOCATOR.size - _END64.size
            f.seek(max(0, where))
            record = _END64.unpack(exactly(f.read, _END64.size))
            if record[0] != b"PK\6\6":
                raise Broken("its directory is damaged")
            disk, length, start, end = record[4], record[8], record[9], where
    if disk:
        raise Broken("it is a part of an archive in several files")
    shift = end - length - start
    if shift < 0:
        raise Broken("its directory is damaged")
    return start + shift, length, shift


def _wide(extra: bytes, packed: int, whole: int, at: int) -> tuple[int, int, int]:
    """The sizes and the place of a member, where they are too large for 32 bits."""
    if _ALL32 not in (packed, whole, at):
        return packed, whole, at
    place = 0
    while place + 4 <= len(extra):
        kind, count = struct.unpack_from("<2H", extra, place)
        place += 4
        if kind == 1:
            numbers = iter([int.from_bytes(extra[k:k + 8], "little")
                            for k in range(place, min(place + count, len(extra)) - 7, 8)])
            try:
                whole, packed, at = (next(numbers) if v == _ALL32 else v
                                     for v in (whole, packed, at))
            except (StopIteration, RuntimeError):
                return 0, 0, _NOWHERE
            break
        place += count
    return packed, whole, at


class _Body:
    """What reads a member's bytes."""

    def __init__(self, f: BinaryIO, at: int, packed: int, whole: int, method: int,
                 sum_: int) -> None:
        self._f, self._at, self._packed, self._whole = f, at, packed, whole
        self._method, self._sum = method, sum_

    def __call__(self) -> bytes:
        self._f.seek(self._at)
        local = _LOCAL.unpack(exactly(self._f.read, _LOCAL.size))
        if local[0] != b"PK\3\4":
            raise Broken("its directory names a place where no file begins")
        self._f.seek(local[9] + local[10], os.SEEK_CUR)
        data = self._plain() if self._method == _STORED else self._inflated()
        if len(data) != self._whole or zlib.crc32(data) != self._sum:
            raise Broken("its bytes are not those that the archive states")
        return data

    def _plain(self) -> bytes:
        return exactly(self._f.read, self._whole)

    def _inflated(self) -> bytes:
        """At most one byte more than stated: a bomb is not inflated further."""
        inflater, parts, left, room = zlib.decompressobj(-15), [], self._packed, self._whole + 1
        while left and room > 0 and not inflater.eof:
            piece = exactly(self._f.read, min(left, _PIECE))
            left -= len(piece)
            while piece and room > 0:
                parts.append(inflater.decompress(piece, room))
                room -= len(parts[-1])
                piece = inflater.unconsumed_tail
        return b"".join(parts)
