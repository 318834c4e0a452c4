# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The reader of zip archives: what zipfile writes, and archives that lie."""

import io
import struct
import warnings
import zipfile

import pytest

import efm3
from efm3.convert._zip import Archive

BODIES = {"a": b"abc" * 100, "d/b": b"", "ü": bytes(5000)}


def written(kind=zipfile.ZIP_STORED, bodies=BODIES, comment=b"", large=False):
    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", kind) as z:
        warnings.simplefilter("ignore")
        for name, body in bodies.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = kind
            with z.open(info, "w", force_zip64=large) as f:
                f.write(body)
        z.comment = comment
    return out.getvalue()


def read(data):
    archive = Archive(io.BytesIO(data), "x.zip")
    return {name: archive.read(name) for name in archive.entries}


@pytest.mark.parametrize("kind", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("comment,large", [(b"", False), (b"note PK", True)])
def test_what_zipfile_writes(kind, comment, large):
    assert read(written(kind, comment=comment, large=large)) == BODIES


def test_a_directory_of_64_bits():
    """The end record of a large archive, as PyTorch may write it for any."""
    data = written()
    at = data.rindex(b"PK\5\6")
    count, size, where = struct.unpack_from("<H2L", data, at + 10)
    large = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, where)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, at, 1)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    assert read(data[:at] + large + locator + end) == BODIES
    for bad in (locator[:8] + b"\0\0\1\0" + locator[12:], b"PK\6\0" + locator[4:]):
        refused(data[:at] + large + bad + end, "ends at byte|where its directory is")
    refused(data[:at] + b"PK\0\0" + large[4:] + locator + end, "where its directory is")


def refused(data, words):
    with pytest.raises(efm3.Efm3Error, match=words) as e:
        read(data)
    assert e.value.code == "X003" and "x.zip" in str(e.value)


def changed(data, mark, at, new, last=False):
    """Bytes at an offset behind the first (or last) such header."""
    start = (data.rindex if last else data.index)(mark) + at
    return data[:start] + new + data[start + len(new):]


ENTRY, LOCAL, END = b"PK\1\2", b"PK\3\4", b"PK\5\6"


@pytest.mark.parametrize("change,words", [
    (lambda d: d[:-1], "end"), (lambda d: b"", "end is missing"), (lambda d: d[:40], "end"),
    (lambda d: changed(d, ENTRY, 8, b"\1"), "a is encrypted"),
    (lambda d: changed(d, ENTRY, 10, b"\x0c"), "method 12"),
    (lambda d: changed(d, ENTRY, 16, b"\0"), "checksum of a"),
    (lambda d: changed(d, ENTRY, 24, b"\xff"), "holds 300 bytes"),
    (lambda d: changed(d, ENTRY, 20, b"\xff\xff"), "ends at|overlaps"),
    (lambda d: changed(d, ENTRY, 42, b"\xff"), "overlaps|does not begin"),
    (lambda d: changed(d, ENTRY, 0, b"XX"), "directory is damaged"),
    (lambda d: changed(d, ENTRY, 28, b"\xff\xff"), "directory is damaged"),
    (lambda d: changed(d, LOCAL, 0, b"XX"), "does not begin"),
    (lambda d: changed(d, LOCAL, 26, b"\xff\xff"), "ends at byte|checksum"),
    (lambda d: changed(d, END, 4, b"\1"), "several"),
    (lambda d: changed(d, END, 10, b"\xff"), "several|entries"),
    (lambda d: changed(d, END, 8, b"\xff\0\xff\0"), "states 255 entries"),
    (lambda d: changed(d, END, 12, b"\xff\xff\xff\0"), "states 3 entries"),
    (lambda d: changed(d, END, 16, b"\xff\xff\xff\0"), "ends at byte"),
    (lambda d: changed(d, ENTRY, 42, b"\0\0\0\0", last=True), "overlaps"),
    (lambda d: d.replace("ü".encode(), b"\xff\xff"), "no text"),
])
def test_archives_that_lie(change, words):
    refused(change(written()), words)


def test_damaged_deflate():
    data = written(zipfile.ZIP_DEFLATED, {"a": bytes(range(256)) * 40})
    at = data.index(b"a", 30) + 1
    refused(data[:at] + b"\xff\xff\xff" + data[at + 3:], "a: |holds|checksum")


def test_a_bomb():
    refused(written(zipfile.ZIP_DEFLATED, {"a": bytes(20 << 20)}), "unpacks to many more")
    many = {str(i): bytes(6 << 20) for i in range(3)}
    refused(written(zipfile.ZIP_DEFLATED, many), "unpacks to many more")


def test_two_entries_of_one_name():
    data = written(bodies={"a": b"1", "b": b"2"})
    refused(data.replace(b"b", b"a"), "two entries a")


def test_a_directory_that_is_too_large():
    data = written(bodies={})
    refused(bytes(5 << 20) + changed(data, END, 12, struct.pack("<2L", 5 << 20, 0)), "directory of")
