# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a bulk run reads, for fuzz_python.py: tables of every form with what stands beside them,
folders of parts, archives of pictures, and lists of paths."""

from __future__ import annotations

import io
import os
import random
import struct
import tarfile
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np

from efm3 import Efm3Error
from efm3.bulk import Job, Row, tables
from efm3.bulk.inputs import Inputs
from efm3.bulk.output import open_output
from efm3.findings import Finding
from efm3.source import Unreadable
from tests.fuzz import packs
from tests.fuzz.mutators import Mutator, raw, text

JOB = Job("0123456789abcdef" * 4, 3, {"align": True, "face": "all", "detector": None})
WORDS = (b"", b"0", b"-1", b"1", b"1e39", b"nan", b"inf", b"null", b"[]", b"[1,2,3]", b"[[1]]",
         b"F010", b"9" * 40, b'"', b'""', b'"a\nb"', b"{}", b"true", b"\xff", b"\x00", b"0x10",
         b'{"path":"a"}', b'"face"', b'"embedding"', b'"\\ud800"', b"1_0", b" 7", b"\xd9\xa3")
DAMAGED = ("B002", "B007", "B008", "B009", "B021", "X002", "IO001")


def _beside(end: str) -> tuple[str, ...]:
    """The files of a table of this form, by their names' ends."""
    home = _written(end)
    return tuple(sorted(os.listdir(home), key=lambda n: (len(n), n)))


def _written(end: str) -> str:
    """A folder with a table of a few rows."""
    home = os.path.join(packs.folder(), "table" + end.replace("/", "-parts"))
    if not os.path.isdir(home):
        os.mkdir(home)
        rng = np.random.default_rng(1)
        rows = [[Row("a.jpg", 0, rng.standard_normal(3, dtype=np.float32), (1, 2, 30, 40.5),
                     tuple(range(10)), 0.5)],
                [Row('b "2,\n.jpg', face, rng.standard_normal(3, dtype=np.float32))
                 for face in range(2)],
                [Row("c.png", error="F010", reason="damaged, it ends early")]]
        with open_output(os.path.join(home, "t" + end), JOB) as out:
            for row in rows:
                out.add(row)
            out.finish({"skipped": 3})
    return home


def seeds(end: str) -> Callable[[], list[bytes]]:
    """A table as packed files."""
    def make() -> list[bytes]:
        home = _written(end)
        files = []
        for name in _beside(end):
            with open(os.path.join(home, name), "rb") as f:
                files.append(f.read())
        return [packs.packed(*files)]
    return make


def _footer(rng: random.Random, data: bytes) -> bytes:
    """A Parquet file with a change of its footer, whose length is right, or of a page."""
    if rng.randrange(4) == 0 or len(data) < 12:
        return raw(rng, data)
    size = int.from_bytes(data[-8:-4], "little")
    body, footer = data[:-8 - size], data[-8 - size:-8]
    if rng.randrange(3) == 0:
        body = raw(rng, body)
    else:
        footer = raw(rng, footer)
    return body + footer + struct.pack("<I", len(footer)) + data[-4:]


OWN: dict[str, Mutator] = {
    ".csv": packs.lines(WORDS, b","), ".jsonl": packs.lines(WORDS, b", "), ".npy": packs.array,
    ".npz": packs.zipped(lambda rng, d: (packs.array if d[:1] == b"\x93" else text)(rng, d)),
    ".parquet": _footer}


def change(end: str) -> Mutator:
    """A mutator of a table's files."""
    def own(name: str) -> Mutator:
        return text if name.endswith(".json") else OWN[os.path.splitext(name)[1]]
    return packs.one_of(*map(own, _beside(end)))


def check(end: str) -> Callable[[bytes], str]:
    """A check of a table: all its rows, or Efm3Error, or Unreadable."""
    def verdict(data: bytes) -> str:
        paths = packs.placed(data, _beside(end))
        try:
            with tables.open_table(min(paths, key=len)) as table:
                rows = 0
                for block in table.blocks(2):
                    count = len(block.path)
                    assert block.embedding.shape == (count, table.dim), block.embedding.shape
                    assert all(len(column) == count for column in block)
                    rows += count
                assert rows == table.count
                assert table.embeddings().shape == (rows, table.dim)
                return f"{rows} rows"
        except Efm3Error as e:
            assert e.code in DAMAGED, e
            return e.code
        except Unreadable:
            return "unreadable"
    return verdict


def archives() -> list[bytes]:
    """Archives with pictures' names, long ones among them; the first byte says which suffix."""
    names = ("a.png", "b/c.jpg", "._d.png", "e.txt", "f" * 120 + ".png", "\u00e9.jpg")
    out = []
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=form) as t:
            for name in names:
                info = tarfile.TarInfo(name if form != tarfile.USTAR_FORMAT else name[-90:])
                info.size = 9
                t.addfile(info, io.BytesIO(b"\x89PNG12345"))
        out.append(b"t" + buffer.getvalue().rstrip(b"\0") + bytes(1024))
    for way in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", way) as z:
            for name in names:
                z.writestr(zipfile.ZipInfo(name), b"\x89PNG12345" * 9, way)
        out.append(b"z" + buffer.getvalue())
    return out


def archive(rng: random.Random, data: bytes) -> bytes:
    """A change of an archive: a header of a tar with its checksum, an entry of a zip, any byte."""
    kind, body = data[:1], data[1:]
    if rng.randrange(4) == 0:
        return kind + raw(rng, body)
    if kind == b"z" and rng.randrange(2):
        return kind + packs.zipped(raw, ("a.png", "b.jpg"))(rng, body)
    if kind == b"z":
        # A record of the directory or of a member: two or four of its bytes.
        places = [i for i in range(len(body) - 4) if body[i:i + 2] == b"PK"]
        if not places:
            return kind + raw(rng, body)
        at = rng.choice(places) + rng.randrange(2, 46)
        new = struct.pack("<I", rng.choice((0, 1, 8, 9, 12, 99, 0xffff, 2**31, 2**32 - 1)))
        size = rng.choice((2, 4))
        return kind + body[:at] + new[:size] + body[at + size:]
    return kind + tar(rng, body)


def tar(rng: random.Random, data: bytes) -> bytes:
    """One field of one header, its checksum right."""
    at = 512 * rng.randrange(max(1, len(data) // 512))
    block = bytearray(data[at:at + 512].ljust(512, b"\0"))
    start, size = rng.choice(((0, 100), (100, 8), (124, 12), (124, 12), (124, 12), (156, 1),
                              (156, 1), (157, 100), (257, 6), (263, 2), (345, 155)))
    new = rng.choice((b"", b"0", b"L", b"x", b"g", b"K", b"S", b"1", b"5", b"-1", b"9" * 12,
                      b"77777777777\0", b"\x80" + bytes(11), b"\xff" * 12, b"00000000011\0",
                      b"a.png\0", b"ustar  \0", b"../x.png", b"12 path=a\n"))[:size]
    block[start:start + len(new)] = new
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return data[:at] + bytes(block) + data[at + 512:]


def told(items: Any) -> str:
    """How many pictures there are, and of what codes the others."""
    codes: list[str] = []
    count = 0
    for item in items:
        assert "\0" not in item.name, item.name
        if isinstance(item.source, Finding):
            codes.append(item.source.code)
        count += 1
        assert count < 10_000
    return f"{min(count, 9)} {' '.join(sorted(set(codes)))}"


def check_archive(data: bytes) -> str:
    """Pictures and findings; no exception."""
    path = os.path.join(packs.folder(), "x.zip" if data[:1] == b"z" else "x.tar")
    with open(path, "wb") as f:
        f.write(data[1:])
    return told(Inputs([path]).pictures())


def lists() -> list[bytes]:
    """Lists of paths."""
    return [b"a.png\nb.jpg\n", b"a.png\r\nb\xff.jpg", b"\xef\xbb\xbfa\0b\0", b"s3://x/y\n" * 3,
            b"a" * 5000 + b"\nb"]


def check_list(data: bytes) -> str:
    """Paths, or B014."""
    path = os.path.join(packs.folder(), "list.txt")
    with open(path, "wb") as f:
        f.write(data)
    try:
        return told(Inputs((), path, null=len(data) % 3 == 0).pictures())
    except Efm3Error as e:
        assert e.code == "B014", e
        return e.code
