# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The reader of zip archives: what zipfile writes, and archives that lie."""

import io
import struct
import warnings
import zipfile
import zlib

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


def entry(name=b"a", data=b"abc", **own):
    """An entry by its own fields, which may lie."""
    return {"name": name, "data": data, "flags": 0, "method": 0, "crc": zlib.crc32(data),
            "packed": len(data), "size": len(data), "at": None, "extra": b""} | own


def built(*entries, **own):
    """An archive made field by field: the files, the directory, and its end with fields of its
    own. Offsets of 4 bytes are the true ones where none is given."""
    body, directory = b"", b""
    for e in entries:
        e = e | {"at": len(body) if e["at"] is None else e["at"]}
        body += struct.pack("<4s5H3L2H", b"PK\3\4", 20, *[0] * 7, len(e["name"]), 0)
        body += e["name"] + e["data"]
        directory += struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, e["flags"], e["method"], 0, 0,
                                 e["crc"], e["packed"], e["size"], len(e["name"]), len(e["extra"]),
                                 0, 0, 0, 0, e["at"]) + e["name"] + e["extra"]
    end = {"here": len(entries), "count": len(entries), "size": len(directory),
           "at": len(body)} | own
    return body + directory + struct.pack("<4s4H2LH", END, 0, 0, *end.values(), 0)


def test_an_empty_archive_is_its_end():
    assert read(built()) == {}


def test_an_entry_without_a_name_fills_its_directory():
    """46 bytes, as many as the directory states."""
    assert read(built(entry(b""))) == {"": b"abc"}


def test_a_directory_that_ends_early():
    """Two entries take 92 bytes at least; here a name takes those of the second."""
    refused(built(entry(b"n" * 46), here=2, count=2), "its directory ends early")


@pytest.mark.parametrize("at,new", [(4, b"\1"), (6, b"\1"), (8, b"\2"), (10, b"\2")])
def test_a_part_of_several(at, new):
    refused(changed(written(), END, at, new), "one part of several")


def test_what_all_entries_unpack_to_is_bounded():
    """To five halves of the archive and 16 MiB, by what the directory states."""
    def stated(size):
        return built(entry(data=bytes(2001), size=size))
    most = len(stated(0)) * 5 // 2 + (16 << 20)
    refused(stated(most), f"a holds 2,001 bytes, the directory says {most:,}")
    refused(stated(most + 1), f"unpacks to many more: a to {most + 1:,}")


def test_what_is_no_deflate_is_not_given_as_it_is():
    refused(built(entry(data=b"\xff" * 10, method=8)), "damaged: a: Error")


def test_an_entry_is_unpacked_to_one_byte_more_than_stated():
    packed = zlib.compress(bytes(1000), wbits=-15)
    long = entry(data=packed, method=8, size=300, crc=zlib.crc32(bytes(300)))
    refused(built(long), "a holds 301 bytes, the directory says 300")


def test_a_long_name_is_cut_in_what_is_said():
    refused(built(entry(b"n" * 150, flags=1)), r"damaged: n{100} is encrypted")


def test_a_file_that_becomes_shorter():
    class Shorter(io.BytesIO):
        def read(self, size=-1):
            return super().read(size)[:-1]
    with pytest.raises(efm3.Efm3Error, match="it changed while it was read"):
        Archive(Shorter(written()), "x.zip")


FULL = 0xFFFFFFFF


def wide(*numbers, size=None, kind=1):
    """An extra field of numbers of 8 bytes."""
    own = struct.pack(f"<{len(numbers)}Q", *numbers)
    return struct.pack("<2H", kind, len(own) if size is None else size) + own


OTHER = struct.pack("<2H3s", 2, 3, b"etc") + struct.pack("<2H2s", 0, 2, b"xx")
"""Fields of other kinds, of no multiple of 4 bytes."""


@pytest.mark.parametrize("own", [
    {"size": FULL, "packed": FULL, "at": FULL, "extra": OTHER + wide(300, 300, 34)},
    {"size": FULL, "packed": FULL, "extra": wide(300, 300) + OTHER},
    {"size": FULL, "at": FULL, "extra": OTHER + wide(300, 34)},
    {"at": FULL, "extra": wide(34)}, {"packed": FULL, "extra": OTHER + wide(300)}])
def test_numbers_that_4_bytes_cannot_hold_are_in_the_extra_field(own):
    data = bytes(range(250)) + b"z" * 50
    assert read(built(entry(), entry(b"b", data, **own))) == {"a": b"abc", "b": data}


@pytest.mark.parametrize("own,words", [
    ({"packed": FULL, "extra": OTHER}, "inside a"),
    ({"packed": FULL, "extra": OTHER + b"\1\0\0"}, "inside a"),
    # One number for two; what follows the field is none of its numbers.
    ({"size": FULL, "packed": FULL, "extra": wide(3) + OTHER}, "inside a"),
    ({"size": FULL, "packed": FULL, "extra": wide(3, 3, size=8)}, "inside a"),
    ({"size": FULL, "extra": wide(3 + (1 << 56))}, "unpacks to many more: a to 72,057,594"),
    ({"packed": 200}, r"it ends at byte 103, inside a$")])
def test_numbers_that_lie(own, words):
    refused(built(entry(data=b"abc", **own)), words)


@pytest.mark.parametrize("full", ["here", "count", "size", "at"])
def test_one_number_of_the_end_that_it_cannot_hold(full):
    """Any of them says that the end of 64 bits counts, here one that is not there."""
    own = {full: FULL if full in ("size", "at") else 0xFFFF}
    refused(built(entry(), **own), "does not say where its directory is")


def end_of_64_bits(at):
    """A record of an empty directory, what points to it at `at`, and an end that asks for both."""
    return (struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, *[0] * 6),
            struct.pack("<4sLQL", b"PK\6\7", 0, at, 1),
            struct.pack("<4s4H2LH", END, 0, 0, 0xFFFF, 0xFFFF, FULL, FULL, 0))


def test_what_points_to_the_record_stands_before_the_end():
    record, locator, end = end_of_64_bits(42)
    assert read(locator + end + record) == {}
    record, locator, end = end_of_64_bits(22)
    refused(end + record + locator, "does not say where its directory is")


def test_the_longest_comment_is_passed_and_no_longer_one():
    record, locator, end = end_of_64_bits(0)
    assert read(record + locator + end + bytes(0xFFFF)) == {}
    assert read(written(comment=b"c" * 0xFFFF)) == BODIES
    refused(written() + bytes(66_000), "its end is missing")


def test_the_largest_directory():
    most = 4 << 20
    assert read(bytes(most) + built(size=most)) == {}
    refused(bytes(most + 1) + built(size=most + 1), f"directory of {most + 1:,} bytes")


def test_an_entry_may_end_with_the_file():
    """Behind the directory's end: nothing says that it must not."""
    whole = built(entry(b""))
    body, rest = whole[:33], whole[33:]
    moved = changed(changed(rest, ENTRY, 42, struct.pack("<L", len(rest))), END, 16, bytes(4))
    assert read(moved + body) == {"": b"abc"}
    refused((moved + body)[:-1], "inside")
