# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Members of a tar archive, read as a stream: nothing is kept of those that went by.

Python's tarfile keeps a record of every member, and takes the size that an extended header
states as the size to allocate.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO

from efm3.bulk._member import Broken, Member, exactly
from efm3.source import open_regular

BLOCK = 512
MAX_HEADER = 1 << 16
"""Bytes of an extended header or a long name; a path has at most 4,096."""
_SKIP, _PIECE = 1 << 20, 1 << 16
_LONG_NAME, _LONG_LINK, _PAX, _PAX_ALL = b"L", b"K", b"x", b"g"
_SPARSE = b"S"
_NO_FILES = (b"1", b"2", b"3", b"4", b"5", b"6", b"V", b"D", b"M")
"""Links, devices, folders, labels; of any other kind a member is a file, as POSIX says."""


Read = Callable[[int], bytes]


def members(path: str) -> Iterator[Member]:
    """The files in the archive, in their order, also one compressed by gzip.

    A member's bytes can be read until the next one is asked for. Raises Broken, Unreadable,
    OSError, EOFError, zlib.error.
    """
    with open_regular(path) as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        yield from _members(_Gunzip(raw).read if packed else raw.read)


class _Gunzip:
    """The bytes that a gzip file holds; where it is cut or damaged, all that stands before.

    Python's GzipFile gives up together with the bytes that it has read ahead.
    """

    def __init__(self, f: BinaryIO) -> None:
        self._f, self._inflater, self._rest = f, zlib.decompressobj(31), b""
        self._fresh = True

    def read(self, count: int) -> bytes:
        """So many bytes, fewer at the end. Raises zlib.error and Broken where none are left."""
        parts: list[bytes] = []
        while count:
            try:
                piece = self._some(count)
            except (zlib.error, Broken):
                if parts:
                    break  # it comes again at the next call
                raise
            if not piece:
                break
            parts.append(piece)
            count -= len(piece)
        return b"".join(parts)

    def _some(self, most: int) -> bytes:
        """Some bytes, none at the end."""
        while True:
            if self._inflater.eof:
                self._rest, self._inflater = self._inflater.unused_data, zlib.decompressobj(31)
                self._fresh = True
            if not self._rest:
                self._rest = self._f.read(_PIECE)
                if not self._rest and self._fresh:
                    return b""
                if not self._rest:
                    raise Broken("its gzip stream is cut")
            piece = self._inflater.decompress(self._rest, most)
            self._rest, self._fresh = self._inflater.unconsumed_tail, False
            if piece:
                return piece


def _members(read: Read) -> Iterator[Member]:
    name: bytes | None = None
    records: dict[bytes, bytes] = {}
    while True:
        block = read(BLOCK)
        if len(block) < BLOCK:
            raise Broken("it has no end mark: it is cut, or no tar archive")
        if not block.strip(b"\0"):
            return
        _check(block)
        size, kind = _number(block[124:136]), block[156:157]
        if kind in (_LONG_NAME, _LONG_LINK, _PAX, _PAX_ALL):
            if size > MAX_HEADER:
                raise Broken(f"an extended header of {size:,} bytes")
            text = exactly(read, size)
            _skip(read, -size % BLOCK)
            if kind == _LONG_NAME:
                name = text.partition(b"\0")[0]
            elif kind == _PAX:
                records = _records(text)
            continue
        more = kind == _SPARSE and block[482]
        while more:
            more = exactly(read, BLOCK)[504]
        if b"size" in records:
            size = _decimal(records[b"size"])
        body = _Body(read, size)
        if kind not in _NO_FILES:
            own = records.get(b"path", _own_name(block) if name is None else name)
            holes = kind == _SPARSE or any(k.startswith(b"GNU.sparse") for k in records)
            yield Member(own, size, "it is stored with holes (sparse)" * holes, body)
        _skip(read, -size % BLOCK + (0 if body.taken else size))
        name, records = None, {}


class _Body:
    """A member's bytes, read once or not at all."""

    def __init__(self, read: Read, size: int) -> None:
        self._read, self._size, self.taken = read, size, False

    def __call__(self) -> bytes:
        self.taken = True
        return exactly(self._read, self._size)


def _own_name(block: bytes) -> bytes:
    name = block[:100].partition(b"\0")[0]
    if block[257:263] == b"ustar\0" and (prefix := block[345:500].partition(b"\0")[0]):
        return prefix + b"/" + name
    return name


def _check(block: bytes) -> None:
    """Raises Broken where the header's sum is not that of its bytes."""
    try:
        stated = int(block[148:156].strip(b"\0 "), 8)
    except ValueError:
        stated = -1
    # The field itself counts as blanks.
    if stated != sum(block) - sum(block[148:156]) + 8 * 32:
        raise Broken("a header's checksum is wrong: it is damaged, or no tar archive")


def _number(field: bytes) -> int:
    """A size: octal digits, or with the first bit set a binary number. Raises Broken."""
    if field[0] & 0x80:
        value = int.from_bytes(field, "big", signed=False) - (0x80 << 8 * (len(field) - 1))
        if field[0] & 0x40 or value >= 1 << 62:
            raise Broken("a member's size is negative, or too large for any file")
        return value
    text = field.strip(b"\0 ")
    if text.strip(b"01234567"):
        raise Broken("a member's size is no number")
    return int(text or b"0", 8)


def _decimal(text: bytes) -> int:
    if not text.isdigit() or len(text) > 18:
        raise Broken("a member's size is no number")
    return int(text)


def _records(text: bytes) -> dict[bytes, bytes]:
    """The keys of an extended header: records of `LENGTH KEY=VALUE` and a line's end."""
    out, at = {}, 0
    while at < len(text):
        digits = text[at:at + 8].partition(b" ")[0]
        length = int(digits) if digits.isdigit() else 0
        key, equals, value = text[at + len(digits) + 1:at + length].partition(b"=")
        if not equals or not value.endswith(b"\n") or at + length > len(text):
            raise Broken("a damaged extended header")
        out[key] = value[:-1]
        at += length
    return out


def _skip(read: Read, count: int) -> None:
    """Go over so many bytes. Raises Broken where the archive ends before."""
    while count:
        found = len(read(min(count, _SKIP)))
        if not found:
            raise Broken("it is cut within a member")
        count -= found
