# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""InsightFace's training format: MXNet RecordIO, `train.rec` with `train.idx` beside it.

A record is a magic number, a word with its length (29 bits) and its kind (3 bits: whole, or the
first, a middle or the last part of one whose data holds the magic number), the data, and padding
to four bytes. The data of a picture begin with a header: flag, label, two numbers; where the flag
is not 0 it counts the labels that follow as floats. Record 0 has no picture: its labels are the key
after the last picture, which is that of the first identity, and the one after the last identity.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from efm3.arrays import Indices
from efm3.findings import refuse
from efm3.source import open_regular
from efm3.train.data._source import MAX_BYTES, Corrupt, Sample, Source, tensor_of

MAGIC = 0xCED7230A
LENGTH = (1 << 29) - 1
WHOLE, FIRST, MIDDLE, LAST = range(4)
HEADER = struct.Struct("<IfQQ")
WORDS = struct.Struct("<II")
MAX_LABELS = 64
MAX_CLASSES = 1 << 26
CHUNK = 1 << 22


class RecSource(Source):
    """Pictures of a `.rec`, read from that file: nothing is unpacked or kept.

    Without an `.idx` the records are scanned once. Where record 0 does not state the identities,
    every record's header is read once, which takes a while for millions.
    """

    _file: BinaryIO | None = None

    def __init__(self, path: str, side: int) -> None:
        self._side, self._path = side, path
        self._size = os.fstat(self._open().fileno()).st_size
        index = os.path.splitext(path)[0] + ".idx"
        if os.path.exists(index):
            keys, offsets = _index(index, self._size)
        else:
            offsets = np.fromiter(self._walk(), np.int64)
            keys = np.arange(len(offsets))
        if not len(keys):
            refuse("F021", path=path, found=f"no record in {self._size} bytes", expected="RecordIO")
        self._first_label, classes, self._offsets = self._identities(keys, offsets)
        super().__init__(path, classes)

    def __len__(self) -> int:
        return len(self._offsets)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_file": None}

    def __del__(self) -> None:
        if self._file is not None:
            self._file.close()

    def _open(self) -> BinaryIO:
        if self._file is None:
            self._file = open_regular(self._path)
        return self._file

    def load(self, index: int) -> Sample:
        data = self._record(int(self._offsets[index]))
        labels, picture = _unpacked(data)
        label = labels[0] - self._first_label
        if not (label == int(label) and 0 <= label < self.classes):
            raise Corrupt(f"label {labels[0]} is not one of {self.classes}")
        return tensor_of(picture, self._side), int(label)

    def _identities(self, keys: Indices, offsets: Indices) -> tuple[int, int, Indices]:
        """The least label, the number of identities, and the offsets of the pictures."""
        try:
            head, picture = _unpacked(self._record(int(offsets[0])))
        except Corrupt as e:
            refuse("F021", path=self._path, found=str(e),
                   expected="a record with its header (every later record may be as bad)",
                   offset=int(offsets[0]))
        if keys[0] == 0 and len(head) >= 2 and not picture:
            end, last = head[0], head[1]
            if not (end == int(end) and last == int(last) and 1 < end < last <= MAX_CLASSES + end):
                refuse("F021", path=self._path, found=f"record 0 says {end} and {last}",
                       expected="the key after the last picture, and a greater one after the "
                                "last identity",
                       offset=int(offsets[0]))
            wanted = offsets[(keys >= 1) & (keys < end)]
            if not len(wanted):
                refuse("F022", path=self._path, found=f"no key from 1 to {end:g}",
                       expected="the pictures' keys")
            return 0, int(last - end), wanted
        return self._counted(offsets)

    def _counted(self, offsets: Indices) -> tuple[int, int, Indices]:
        least, most = MAX_CLASSES, -1
        for offset in offsets:
            try:
                label = _unpacked(self._record(int(offset), HEADER.size + 4 * MAX_LABELS))[0][0]
            except Corrupt:
                continue
            if 0 <= label < MAX_CLASSES and label == int(label):
                least, most = min(least, int(label)), max(most, int(label))
        if most < 0:
            refuse("F021", path=self._path, found="no record with a label",
                   expected="labels in the records' headers")
        return least, most - least + 1, offsets

    def _read(self, offset: int, count: int) -> bytes:
        data = os.pread(self._open().fileno(), count, offset)
        if len(data) != count:
            raise Corrupt(f"the file ends at byte {offset + len(data)}")
        return data

    def _part(self, offset: int) -> tuple[int, int]:
        magic, word = WORDS.unpack(self._read(offset, WORDS.size))
        if magic != MAGIC:
            raise Corrupt(f"0x{magic:08x} at byte {offset}, not RecordIO's 0x{MAGIC:08x}")
        return word >> 29, word & LENGTH

    def _record(self, offset: int, most: int = MAX_BYTES) -> bytes:
        """The record at `offset`, its parts joined; no more than its first `most` bytes."""
        kind, length = self._part(offset)
        if kind == WHOLE:
            return self._read(offset + WORDS.size, self._bounded(length, min(length, most)))
        if kind != FIRST:
            raise Corrupt(f"the record at byte {offset} begins with part {kind}")
        parts: list[bytes] = []
        total = 0
        while True:
            total += length + 4
            parts.append(self._read(offset + WORDS.size, self._bounded(total, length)))
            if kind == LAST or total >= most:
                # The writer leaves the magic number out where it cuts.
                return struct.pack("<I", MAGIC).join(parts)[:most]
            offset += WORDS.size + (length + 3) // 4 * 4
            kind, length = self._part(offset)
            if kind not in (MIDDLE, LAST):
                raise Corrupt(f"part {kind} at byte {offset}, inside a record")

    @staticmethod
    def _bounded(length: int, count: int) -> int:
        if length > MAX_BYTES:
            raise Corrupt(f"a record of {length} bytes")
        return count

    def _walk(self) -> Iterator[int]:
        """Offsets of the records, one after the other, to the first that is none."""
        offset = 0
        while offset < self._size:
            try:
                kind, length = self._part(offset)
            except Corrupt as e:
                refuse("F021", path=self._path, found=str(e),
                       expected="a record (is an .idx missing?)", offset=offset)
            if kind in (WHOLE, FIRST):
                yield offset
            offset += WORDS.size + (length + 3) // 4 * 4


def _unpacked(data: bytes) -> tuple[list[float], bytes]:
    """Labels and picture of a record. Raises Corrupt."""
    if len(data) < HEADER.size:
        raise Corrupt(f"a record of {len(data)} bytes, too short for its header")
    flag, label, _, _ = HEADER.unpack_from(data)
    if flag == 0:
        return _finite([label]), data[HEADER.size:]
    end = HEADER.size + 4 * flag
    if flag > MAX_LABELS or end > len(data):
        raise Corrupt(f"{flag} labels in a record of {len(data)} bytes")
    return _finite([*struct.unpack_from(f"<{flag}f", data, HEADER.size)]), data[end:]


def _finite(labels: list[float]) -> list[float]:
    if not np.isfinite(labels).all():
        raise Corrupt(f"label {labels[0]}")
    return labels


def _index(path: str, size: int) -> tuple[Indices, Indices]:
    """Keys, ascending, and offsets of an `.idx`: lines of both. Raises Efm3Error F022."""
    parts: list[Indices] = []
    lines, rest = 0, b""
    with open_regular(path) as f:
        while True:
            data = f.read(CHUNK)
            text = rest + data
            cut = text.rfind(b"\n") + 1 if data else len(text)
            rest, text = text[cut:], text[:cut]
            if len(rest) > 4096:
                refuse("F022", path=path, found="a line of more than 4096 bytes",
                       expected="lines of key and offset")
            fields = text.split()
            try:
                rows = np.array(fields, dtype="S20").astype(np.int64).reshape(-1, 2)
            except (ValueError, OverflowError):
                refuse("F022", path=path, found=f"something else after line {lines}",
                       expected="lines of two whole numbers, key and offset")
            lines += len(rows)
            parts.append(rows)
            if not data:
                break
    rows = np.concatenate(parts)
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    keys, offsets = rows[:, 0], rows[:, 1]
    bad = (offsets < 0) | (offsets % 4 != 0) | (offsets > size - WORDS.size)
    if bad.any():
        worst = int(offsets[bad][0])
        refuse("F022", path=path, found=f"offset {worst} of key {int(keys[bad][0])}",
               expected=f"multiples of 4 within the {size} bytes of the .rec (is it another "
                        "file's?)")
    if len(keys) and (keys[0] < 0 or (np.diff(keys) == 0).any()):
        refuse("F022", path=path, found="a key that occurs twice, or below 0",
               expected="keys, each once")
    return keys, offsets
