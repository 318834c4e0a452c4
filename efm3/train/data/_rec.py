# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""InsightFace's training format: MXNet RecordIO, `train.rec` with `train.idx` beside it.

A record is a magic number, a word with its length (29 bits) and its kind (3 bits: whole, or the
first, a middle or the last part of one whose data holds the magic number), the data, and padding
to four bytes. The data of a picture begin with a header: flag, label, two numbers; where the flag
is not 0 it counts the labels that follow as floats. Record 0 has no picture: its labels are the key
after the last picture, which is that of the first identity, and the one after the last identity.
They are float32, and so no more than near the truth past 2**24: there the identities' own records,
which have labels and no picture, say where the pictures end and how many people there are.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from efm3.arrays import Indices
from efm3.findings import refuse
from efm3.source import open_regular, read_at
from efm3.train.data._source import MAX_BYTES, Corrupt, Sample, Source, tensor_of

MAGIC = 0xCED7230A
LENGTH = (1 << 29) - 1
WHOLE, FIRST, MIDDLE, LAST = range(4)
HEADER = struct.Struct("<IfQQ")
WORDS = struct.Struct("<II")
MAX_LABELS = 64
MAX_CLASSES = 1 << 26
CHUNK = 1 << 22
PEEK = HEADER.size + 4 * MAX_LABELS + 1
"""Bytes of a record that hold its labels, and show whether a picture follows."""
SAMPLE = 500
"""Pictures whose labels are looked at before any is used."""
EXACT = 1 << 24
"""Whole numbers to here are what float32 says they are."""


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
        if keys[0] != 0 or len(head) < 2 or picture:
            return self._counted(offsets)
        end, last = head[0], head[1]
        if not (end == int(end) and last == int(last) and 1 < end < last <= MAX_CLASSES + end):
            refuse("F021", path=self._path, found=f"record 0 says {end} and {last}",
                   expected="the key after the last picture, and a greater one after the "
                            "last identity",
                   offset=int(offsets[0]))
        first = self._first_identity(keys, offsets, int(end))
        wanted = offsets[(keys >= 1) & (keys < first)]
        if not len(wanted):
            refuse("F022", path=self._path, found=f"no key from 1 to {first}",
                   expected="the pictures' keys")
        said, found = int(last - end), int((keys >= first).sum())
        if last > EXACT and not found:
            refuse("F021", path=self._path, found=f"record 0 says {end:.0f} and {last:.0f}, which "
                   "float32 rounds, and no key is an identity's",
                   expected="an .idx with the keys of the identities", offset=int(offsets[0]))
        if found and (found != said if last <= EXACT else abs(found - said) > 2 * _spacing(last)):
            refuse("F021", path=self._path, found=f"record 0 says {said} identities, and {found} "
                   f"keys from {first} on are theirs", expected="as many (is the .idx another "
                   "file's?)", offset=int(offsets[0]))
        classes = found or said
        self._agree(wanted, classes)
        return 0, classes, wanted

    def _first_identity(self, keys: Indices, offsets: Indices, said: int) -> int:
        """The key after the last picture: what record 0 says, which float32 rounds past 2**24.

        The records there decide: those of identities have no picture.
        """
        slack = _spacing(said)
        near = (keys >= max(1, said - slack)) & (keys <= said + slack)
        for key, offset in zip(keys[near], offsets[near], strict=True):
            alone = self._has_labels_alone(int(offset))
            if alone and (key >= said or slack > 1):
                return int(key)
            if alone is not None and alone != (key >= said) and slack == 1:
                refuse("F021", path=self._path, found=f"record {key} is of "
                       f"{'an identity' if alone else 'a picture'}, and record 0 says that "
                       f"{said - 1} is the last picture", expected="pictures, then identities",
                       offset=int(offset))
        return said

    def _has_labels_alone(self, offset: int) -> bool | None:
        """True for a record as identities have, False for a picture's, None for a corrupt one."""
        try:
            labels, picture = _unpacked(self._record(offset, PEEK))
        except Corrupt:
            return None
        return len(labels) >= 2 and not picture

    def _agree(self, offsets: Indices, classes: int) -> None:
        """Refuse a file whose labels are of more identities; a wrong one alone is corrupt."""
        chosen = offsets[np.unique(np.linspace(0, len(offsets) - 1, SAMPLE).astype(np.int64))]
        wrong: list[tuple[int, float]] = []
        for offset in chosen:
            try:
                label = _unpacked(self._record(int(offset), PEEK))[0][0]
            except Corrupt:
                continue
            if not 0 <= label < classes:
                wrong.append((int(offset), label))
        if len(wrong) > max(1, len(chosen) // 100):
            refuse("F021", path=self._path, found=f"label {wrong[0][1]:g} as one of {len(wrong)} "
                   f"such among {len(chosen)} pictures", expected=f"labels of {classes} identities",
                   offset=wrong[0][0])

    def _counted(self, offsets: Indices) -> tuple[int, int, Indices]:
        """The same where no record 0 says it: by the labels, and by records of identities."""
        least, most = MAX_CLASSES, -1
        pictures = np.ones(len(offsets), bool)
        for i, offset in enumerate(offsets):
            try:
                labels, picture = _unpacked(self._record(int(offset), PEEK))
            except Corrupt:
                continue
            label = labels[0]
            if len(labels) >= 2 and not picture:
                pictures[i] = False
            elif 0 <= label < MAX_CLASSES and label == int(label):
                least, most = min(least, int(label)), max(most, int(label))
        if most < 0:
            refuse("F021", path=self._path, found="no record with a label",
                   expected="labels in the records' headers")
        people = int((~pictures).sum())
        if people and most >= people:
            refuse("F021", path=self._path, found=f"label {most}, and {people} records of "
                   "identities", expected="labels below the number of identities")
        if people:
            return 0, people, offsets[pictures]
        return least, most - least + 1, offsets

    def _read(self, offset: int, count: int) -> bytes:
        data = read_at(self._open(), offset, count)
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


def _spacing(number: float) -> int:
    """How far float32's neighbours of a number are from it, 1 at least."""
    return max(1, int(np.spacing(np.float32(number))))


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
