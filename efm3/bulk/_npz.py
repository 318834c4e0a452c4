# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Tables as NumPy archives: stored, not compressed, so that a column can be read or mapped alone.

A column of text is an array of numpy's `U`, as wide as its longest text. One of long texts, where
that would take much more than the texts do, is two arrays: `NAME_bytes`, all texts in UTF-8 one
after the other, and `NAME_offsets`, where each begins and the last ends.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from efm3.arrays import Array, Floats
from efm3.bulk import _manifest
from efm3.bulk._manifest import Manifest
from efm3.bulk._table import MAX_FIELD, NO_TABLE, NUMBERS, ROWS, TEXTS, Sink, Table
from efm3.bulk.row import COLUMNS
from efm3.findings import printable, refuse
from efm3.source import open_regular

WIDE, WIDE_BYTES = 256, 64 << 20
"""A text array may be wider than the first number of characters only below the second of bytes."""
_STEP = 8 << 20
"""Bytes of one column that are handled at a time."""
_ALIGN = 64
_MAX_HEADER, _MAX_ENTRIES, _MAX_DIRECTORY = 10_000, 32, 1 << 16


def write(manifest: Manifest, table: Table) -> Iterator[bytes]:
    """The archive's bytes, in pieces; one pass over the table for each column."""
    sink = Sink()
    count = table.count
    with zipfile.ZipFile(sink, "w") as z:
        def entry(name: str, dtype: str, shape: tuple[int, ...],
                  chunks: Iterator[Array]) -> Iterator[bytes]:
            with z.open(_aligned(name + ".npy", sink.size), "w", force_zip64=True) as f:
                head = io.BytesIO()
                np.lib.format.write_array_header_1_0(
                    head, {"descr": dtype, "fortran_order": False, "shape": shape})
                f.write(head.getvalue())
                for chunk in chunks:
                    data = np.ascontiguousarray(chunk, np.dtype(dtype))
                    f.write(data.reshape(-1).view(np.uint8).data)
                    yield from sink.drain()

        def numbers(name: str) -> Iterator[Array]:
            return (found[name] for found in table.columns((name,)))

        meta = np.array(manifest.text())
        yield from entry("meta", meta.dtype.str, (), iter([meta.reshape(1)]))
        yield from entry("face", "<i4", (count,), numbers("face"))
        yield from entry("embedding", "<f4", (count, table.dim), numbers("embedding"))
        for name, width in NUMBERS.items():
            yield from entry(name, "<f4", (count, width), numbers(name))
        yield from entry("score", "<f4", (count,), numbers("score"))
        for name in TEXTS:
            width, size = _measured(table, name)
            if width > WIDE and width * 4 * count > WIDE_BYTES:
                yield from entry(f"{name}_offsets", "<i8", (count + 1,), _offsets(table, name))
                yield from entry(f"{name}_bytes", "|u1", (size,), _bytes(table, name))
            else:
                yield from entry(name, f"<U{width}", (count,), _wide(table, name, width))
    yield from sink.drain(1)


def _aligned(name: str, at: int) -> zipfile.ZipInfo:
    """An entry whose data begin at a multiple of 64 bytes: an array that is mapped is aligned."""
    info = zipfile.ZipInfo(name)
    taken = at + 30 + len(name) + 20 + 4  # the local header, its zip64 field, this field's head
    # A field of padding, as zipalign writes it.
    info.extra = struct.pack("<HH", 0xD935, -taken % _ALIGN) + bytes(-taken % _ALIGN)
    return info


def _texts(table: Table, name: str) -> Iterator[list[str]]:
    for found in table.columns((name,)):
        yield [text or "" for text in found[name]]


def _measured(table: Table, name: str) -> tuple[int, int]:
    """Characters of the longest text, at least 1, and bytes of all."""
    width, size = 1, 0
    for texts in _texts(table, name):
        width = max(width, *map(len, texts))
        size += sum(len(text.encode()) for text in texts)
    return width, size


def _offsets(table: Table, name: str) -> Iterator[Array]:
    end = 0
    yield np.zeros(1, np.int64)
    for texts in _texts(table, name):
        ends = end + np.cumsum([len(text.encode()) for text in texts])
        end = int(ends[-1])
        yield ends


def _bytes(table: Table, name: str) -> Iterator[Array]:
    for texts in _texts(table, name):
        yield np.frombuffer("".join(texts).encode(), np.uint8)


def _wide(table: Table, name: str, width: int) -> Iterator[Array]:
    step = max(1, _STEP // (4 * width))
    for texts in _texts(table, name):
        for a in range(0, len(texts), step):
            yield np.array(texts[a:a + step], f"<U{width}")


class Entry(NamedTuple):
    """An array in the archive: where its first byte is, and the checksum of entry and header."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    start: int
    crc: int
    head_crc: int

    @property
    def stride(self) -> int:
        """Bytes of a row."""
        return self.dtype.itemsize * (self.shape[1] if len(self.shape) > 1 else 1)


class NpzTable(Table):
    """An opened archive."""

    def __init__(self, path: str) -> None:
        # What open_regular() gives is a BufferedReader.
        self._file: Any = open_regular(path)
        self.path = path
        try:
            self._size = self._file.seek(0, io.SEEK_END)
            self._entries = self._listed()
            meta = self._entry("meta")
            if meta.dtype.kind != "U" or meta.shape or meta.stride > 4 * _manifest.MAX_TEXT:
                self.damaged("meta is not one text")
            text = self._words(self._read(meta, 0, 1).view(meta.dtype))[0]
            super().__init__(path, _manifest.parse(text, path))
            self._check()
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _listed(self) -> dict[str, Entry]:
        self._bound_directory()
        try:
            with zipfile.ZipFile(self._file) as z:
                infos = z.infolist()
        except Exception as e:  # zipfile raises what struct, codecs and arithmetic raise
            self.damaged(f"no archive: {e}")
        out: dict[str, Entry] = {}
        for info in infos:
            name = info.filename.removesuffix(".npy")
            if info.compress_type or info.flag_bits & 1 or info.file_size != info.compress_size:
                self.damaged(f"{printable(name)[:60]} is compressed or encrypted; a table's "
                             "arrays are stored")
            if name in out:
                self.damaged(f"{printable(name)[:60]} stands twice")
            out[name] = self._header(name, info)
        return out

    def _bound_directory(self) -> None:
        """zipfile reads a directory of any length: know it first. No table has a comment."""
        self._file.seek(max(0, self._size - 98))
        tail = self._file.read(98)
        end = tail[-22:]
        if end[:4] != b"PK\5\6":
            self.damaged("no end of an archive")
        entries, size = struct.unpack_from("<HL", end, 10)
        if tail[-42:-38] == b"PK\6\7" and len(tail) == 98:
            entries, size = struct.unpack_from("<QQ", tail, 32)
        if entries > _MAX_ENTRIES or size > _MAX_DIRECTORY:
            self.damaged(f"an archive of {entries} entries")

    def _header(self, name: str, info: zipfile.ZipInfo) -> Entry:
        # zipfile moves offsets by as much as a directory is not where it says: below 0, too.
        self._file.seek(max(0, info.header_offset))
        local = self._file.read(30)
        if len(local) < 30 or local[:4] != b"PK\3\4" or info.header_offset < 0:
            self.damaged(f"{printable(name)[:60]} is not where the archive says")
        lengths = struct.unpack_from("<HH", local, 26)
        start = info.header_offset + 30 + sum(lengths)
        self._file.seek(start)
        head = io.BytesIO(self._file.read(min(_MAX_HEADER, info.file_size)))
        try:
            version = np.lib.format.read_magic(head)
            reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else \
                np.lib.format.read_array_header_2_0
            shape, fortran, dtype = reader(head)
        except Exception as e:
            # numpy parses the header as Python's tokens and syntax, and raises what these raise.
            self.damaged(f"{printable(name)[:60]} has no header of an array: {e}")
        shape = tuple(map(int, shape))
        long, total = head.tell(), dtype.itemsize
        for n in shape:
            total *= n
        if ((fortran and len(shape) > 1) or len(shape) > 2 or dtype.hasobject
                or not dtype.itemsize or long + total != info.file_size
                or start + info.file_size > self._size):
            self.damaged(f"{printable(name)[:60]} is {dtype} {list(shape)} and has "
                         f"{info.file_size} bytes")
        return Entry(dtype, shape, start + long, info.CRC,
                     zlib.crc32(head.getvalue()[:long]))

    def _entry(self, name: str) -> Entry:
        if name not in self._entries:
            refuse("B008", f"{NO_TABLE}: an archive without {name}", self.path, "an archive",
                   ", ".join(COLUMNS))
        return self._entries[name]

    def _check(self) -> None:
        """Each column is of its type and has the rows that the manifest counts."""
        n = self.count
        wanted = {"face": ("<i4", (n,)), "embedding": ("<f4", (n, self.dim)),
                  "score": ("<f4", (n,)), **{k: ("<f4", (n, w)) for k, w in NUMBERS.items()}}
        for name in TEXTS:
            if name in self._entries:
                wanted[name] = (f"<U{self._entries[name].dtype.itemsize // 4}", (n,))
            else:
                wanted[f"{name}_offsets"] = ("<i8", (n + 1,))
                wanted[f"{name}_bytes"] = ("|u1", self._entry(f"{name}_bytes").shape[:1])
        for name, (dtype, shape) in wanted.items():
            found = self._entry(name)
            if (found.dtype, found.shape) != (np.dtype(dtype), shape):
                self.damaged(f"{name} is {found.dtype} {list(found.shape)}, not {dtype} "
                             f"{list(shape)}")

    def embeddings(self) -> Floats:
        """The matrix, mapped."""
        entry = self._entry("embedding")
        if not self.count:
            return np.empty(entry.shape, np.float32)
        return np.memmap(self._file, entry.dtype, "r", entry.start, entry.shape)

    def columns(self, names: Sequence[str], rows: int = ROWS) -> Iterator[dict[str, Any]]:
        """The columns of these names, block after block; checksums are compared at the end."""
        crcs: dict[str, int] = {}
        at = 0
        while at < self.count:
            n = min(rows, self.count - at)
            for name in names:
                if name in TEXTS:
                    n = self._most(name, at, n)
            yield {name: (self._text if name in TEXTS else self._number)(name, at, n, crcs)
                   for name in names}
            at += n
        for name, crc in crcs.items():
            if crc != self._entries[name].crc:
                self.damaged(f"{name} does not have its checksum")

    def _read(self, entry: Entry, a: int, n: int) -> Array:
        """n rows from row a on, as bytes."""
        out = np.empty(n * entry.stride, np.uint8)
        self._file.seek(entry.start + a * entry.stride)
        if self._file.readinto(out.data) != len(out):
            self.damaged("it became shorter")
        return out

    def _next(self, name: str, a: int, n: int, crcs: dict[str, int], own: int = 0) -> Array:
        """Rows as bytes, and their part of the checksum; the first `own` were counted before."""
        entry = self._entries[name]
        data = self._read(entry, a, n)
        crcs[name] = zlib.crc32(data[own * entry.stride:].data, crcs.get(name, entry.head_crc))
        return data

    def _number(self, name: str, a: int, n: int, crcs: dict[str, int]) -> Array:
        entry = self._entries[name]
        return self._next(name, a, n, crcs).view(entry.dtype).reshape(n, *entry.shape[1:])

    def _most(self, name: str, a: int, n: int) -> int:
        """How many of n rows have texts that fit a step; at least one."""
        if name in self._entries:
            width = self._entries[name].dtype.itemsize
            if width > 4 * MAX_FIELD:
                self.damaged(f"{name} is {width // 4} characters wide")
            return max(1, min(n, _STEP // width))
        n = min(n, ROWS)
        ends = self._read(self._entries[f"{name}_offsets"], a, n + 1).view("<i8")
        lengths = np.diff(ends)
        total = self._entries[f"{name}_bytes"].shape[0]
        if (ends[0] < 0 or ends[-1] > total or lengths.min() < 0
                or lengths.max() > 4 * MAX_FIELD or (not a and ends[0])
                or (a + n == self.count and ends[-1] != total)):
            self.damaged(f"{name}_offsets do not ascend within {name}_bytes")
        return max(1, int(np.searchsorted(ends, ends[0] + _STEP, "right")) - 1)

    def _text(self, name: str, a: int, n: int, crcs: dict[str, int]) -> list[str | None]:
        if name in self._entries:
            entry = self._entries[name]
            found = self._words(self._next(name, a, n, crcs).view(entry.dtype))
        else:
            ends = self._next(f"{name}_offsets", a, n + 1, crcs, own=int(a > 0)).view("<i8")
            first = int(ends[0])
            data = self._next(f"{name}_bytes", first, int(ends[-1]) - first, crcs).tobytes()
            ends = (ends - first).tolist()
            try:
                found = [data[i:j].decode() for i, j in pairwise(ends)]
            except UnicodeDecodeError:
                self.damaged(f"{name} is not UTF-8")
        return found if name == "path" else [text or None for text in found]

    def _words(self, array: Array) -> list[Any]:
        """Texts of code points; numpy makes texts of numbers that are none."""
        points = array.view("<u4")
        if points.size and (points.max() > 0x10FFFF or ((points >> 11) == 0x1B).any()):
            self.damaged("a text with numbers that are no characters")
        texts: list[Any] = array.reshape(-1).tolist()
        return texts
