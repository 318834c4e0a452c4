# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Zip archives, entry by entry: NumPy's and PyTorch's files are such.

The directory is compared with the file before it is believed. An entry is unpacked when it is
asked for, to the size that the directory states, and all of them together to a few times the
file's size: weights hardly compress.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import BinaryIO, NamedTuple, NoReturn

from efm3.findings import printable, refuse

SPARE = 16 << 20
"""Bytes that may be unpacked beside five halves of the archive's size."""
MOST_DIRECTORY = 4 << 20
"""Bytes of a directory: 40,000 entries. The largest legal network has 5,000."""
TAIL = 22 + (1 << 16) + 20
"""The end record, its longest comment, and what points to the record of a large archive."""

_END, _LOCATOR = struct.Struct("<4s4H2LH"), struct.Struct("<4sLQL")
_LARGE = struct.Struct("<4sQ2H2L4Q")
_ENTRY, _LOCAL = struct.Struct("<4s6H3L5H2L"), struct.Struct("<4s5H3L2H")
_STORED, _DEFLATED = 0, 8
_ENCRYPTED, _UTF8 = 1, 1 << 11
_FULL2, _FULL4 = 0xFFFF, 0xFFFFFFFF


class Entry(NamedTuple):
    """An entry as the directory states it; `at` is its local header's offset."""

    name: str
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    at: int


class Archive:
    """The archive in an open file; `entries` by name, in the directory's order."""

    def __init__(self, f: BinaryIO, path: str) -> None:
        self.path = path
        self._f = f
        self.size = f.seek(0, io.SEEK_END)
        self._left = self.size * 5 // 2 + SPARE
        self.entries: dict[str, Entry] = {}
        count, size, at = self._end()
        directory = self._at(at, size)
        place = 0
        for _ in range(count):
            if place + _ENTRY.size > size:
                self._damaged("its directory ends early")
            place = self._entry(directory, place)
        self._apart()

    def __contains__(self, name: str) -> bool:
        return name in self.entries

    def read(self, name: str) -> bytes:
        """The bytes of the entry `name`. Raises X003."""
        entry = self.entries[name]
        shown = printable(name[:100])
        if entry.flags & _ENCRYPTED:
            self._damaged(f"{shown} is encrypted")
        head = _LOCAL.unpack(self._at(entry.at, _LOCAL.size))
        if head[0] != b"PK\3\4":
            self._damaged(f"{shown} does not begin where the directory says")
        self._left -= entry.size
        if self._left < 0:
            refuse("X003", f"{self.path} has {self.size:,} bytes and unpacks to many more: "
                           f"{shown} to {entry.size:,}", self.path, entry.size)
        data = self._at(entry.at + _LOCAL.size + head[9] + head[10], entry.packed)
        if entry.method == _DEFLATED:
            try:
                data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, entry.size + 1)
            except zlib.error as e:
                self._damaged(f"{shown}: {e}")
        elif entry.method != _STORED:
            self._damaged(f"{shown} is packed by method {entry.method}")
        if len(data) != entry.size:
            self._damaged(f"{shown} holds {len(data):,} bytes, the directory says {entry.size:,}")
        if zlib.crc32(data) != entry.crc:
            self._damaged(f"the checksum of {shown} is wrong")
        return data

    def _at(self, at: int, size: int) -> bytes:
        if at + size > self.size:
            self._damaged(f"it ends at byte {self.size:,}, before byte {at + size:,}")
        self._f.seek(at)
        data = self._f.read(size)
        if len(data) != size:
            self._damaged("it changed while it was read")
        return data

    def _end(self) -> tuple[int, int, int]:
        """Entries, bytes and offset of the directory."""
        tail = self._at(max(0, self.size - TAIL), min(self.size, TAIL))
        at = tail.rfind(b"PK\5\6")
        if at < 0 or at + _END.size > len(tail):
            self._damaged("its end is missing")
        _, disk, start, here, count, size, offset, _ = _END.unpack_from(tail, at)
        if _FULL2 in (here, count) or _FULL4 in (size, offset):
            if at < _LOCATOR.size or tail[at - _LOCATOR.size:][:4] != b"PK\6\7":
                self._damaged("its end does not say where its directory is")
            large = _LOCATOR.unpack_from(tail, at - _LOCATOR.size)[2]
            kind, _, _, _, disk, start, here, count, size, offset = _LARGE.unpack(
                self._at(large, _LARGE.size))
            if kind != b"PK\6\6":
                self._damaged("its end does not say where its directory is")
        if disk or start or here != count:
            self._damaged("it is one part of several")
        if size > MOST_DIRECTORY or count * _ENTRY.size > size:
            self._damaged(f"it states {count:,} entries in a directory of {size:,} bytes")
        return count, size, offset

    def _entry(self, directory: bytes, place: int) -> int:
        """Takes one entry of the directory; where the next one begins."""
        (kind, _, _, flags, method, _, _, crc, packed, size, name_size, extra_size, note_size,
         _, _, _, at) = _ENTRY.unpack_from(directory, place)
        place += _ENTRY.size
        if kind != b"PK\1\2" or place + name_size + extra_size > len(directory):
            self._damaged("its directory is damaged")
        raw = directory[place:place + name_size]
        try:
            name = raw.decode("utf-8" if flags & _UTF8 else "cp437")
        except UnicodeDecodeError:
            self._damaged("an entry's name is no text")
        extra = directory[place + name_size:place + name_size + extra_size]
        size, packed, at = self._wide(extra, size, packed, at)
        if name in self.entries:
            self._damaged(f"it has two entries {printable(name[:100])}")
        self.entries[name] = Entry(name, flags, method, crc, packed, size, at)
        return int(place + name_size + extra_size + note_size)

    def _wide(self, extra: bytes, *short: int) -> list[int]:
        """Sizes and offset, of which those that 4 bytes cannot hold are in the extra field."""
        at = 0
        while _FULL4 in short and at + 4 <= len(extra):
            kind, size = struct.unpack_from("<2H", extra, at)
            if kind == 1:
                long = [extra[i:i + 8] for i in range(at + 4, min(at + 4 + size, len(extra)), 8)]
                return [int.from_bytes(long.pop(0), "little") if v == _FULL4 and long else v
                        for v in short]
            at += 4 + size
        return list(short)

    def _apart(self) -> None:
        """Refuses entries that share bytes: a small archive of them unpacks to a large one."""
        end = 0
        for entry in sorted(self.entries.values(), key=lambda e: e.at):
            if entry.at < end:
                self._damaged(f"{printable(entry.name[:100])} overlaps the entry before it")
            end = entry.at + _LOCAL.size + entry.packed
            if end > self.size:
                self._damaged(f"it ends at byte {self.size:,}, inside "
                              f"{printable(entry.name[:100])}")

    def _damaged(self, why: str) -> NoReturn:
        refuse("X003", f"{self.path} is damaged: {why}", self.path)
