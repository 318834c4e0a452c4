# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The two readers inside efm3.sniff: fields of protobuf messages, names in zip archives."""

import struct
import zipfile

import pytest

from efm3.sniff._packed import MOST_FIELDS, MOST_NAMES, Field, fields, names
from tests.kinds import archive, field, varint


def test_fields_of_every_wire_type():
    data = (field(3, 300) + varint(1 << 3 | 1) + bytes(8) + field(2, b"abc")
            + varint(9 << 3 | 5) + bytes(4) + field((1 << 29) - 1, 1))
    assert list(fields(data)) == [
        Field(3, 0, 300, 3, 3), Field(1, 1, 0, 12, 12), Field(2, 2, 3, 14, 17),
        Field(9, 5, 0, 22, 22), Field((1 << 29) - 1, 0, 1, len(data), len(data))]
    assert list(fields(data, 12, 17)) == [Field(2, 2, 3, 14, 17)]


def test_a_payload_may_reach_past_the_data_but_not_past_its_message():
    cut = field(2, b"abcdef")[:4]
    assert list(fields(cut)) == [Field(2, 2, 6, 2, 8)]
    assert list(fields(cut, 0, 8)) == [Field(2, 2, 6, 2, 8)]
    assert list(fields(cut, 0, 7)) == []


@pytest.mark.parametrize("data", [
    b"", b"\x02\1a", b"\x0b", b"\x0c", b"\x0e", b"\x0f", varint(1 << 32 | 0) + b"\1", b"\x08",
    b"\x08\x80", b"\x80", b"\x08" + b"\x80" * 10 + b"\1", b"\x0a" + b"\xff" * 10 + b"\1"])
def test_what_is_no_field_ends_a_message(data):
    assert list(fields(field(1, 7) + data)) == list(fields(field(1, 7)))
    assert list(fields(data)) == []


def test_few_fields_are_looked_at():
    assert len(list(fields(field(1, 7) * 9999))) == MOST_FIELDS


def read(data, tail=1 << 16):
    return names(data[:4096], data[-tail:], len(data))


def test_names_of_the_directory_in_order():
    data = archive("a", "b/c", "\u00e9.npy")
    assert read(data) == ["a", "a", "b/c", "\u00e9.npy"]
    assert read(data[4:]) == ["a", "b/c", "\u00e9.npy"]  # the head is no entry
    for n in (0, 3, 20, 29):
        assert read(data[:n]) == []


def test_an_archive_inside_an_archive_is_not_looked_into():
    inner = archive("net/data.pkl")
    data = archive("in.zip", "b", data=inner, compression=zipfile.ZIP_STORED)
    assert read(data) == ["in.zip", "in.zip", "b"]


def test_a_directory_that_begins_before_the_tail_is_read_from_its_first_whole_entry():
    data = archive(*(f"{i:04}" for i in range(90)))
    found = read(data, 1000)
    assert found[0] == "0000" and found[1:] == [f"{i:04}" for i in range(90)][-len(found) + 1:]
    assert 10 < len(found) < 30


@pytest.mark.parametrize("at", [0, 12, 16])
def test_a_directory_at_a_wrong_place_is_looked_for(at):
    """As behind a self-extracting program, or with zip64's lengths."""
    data = archive("a", "b")
    end = data.rfind(b"PK\5\6") + at
    for wrong in (b"\xff" * 4, struct.pack("<I", 1), struct.pack("<I", len(data))):
        changed = data[:end] + wrong + data[end + 4:] if at else data
        assert read(changed) == ["a", "a", "b"]


def test_a_cut_directory_gives_what_is_whole():
    data = archive("a", "b")
    end = data.rfind(b"PK\5\6")
    for n in range(end, len(data)):
        assert read(data[:n]) in (["a"], ["a", "a", "b"])
    # entries that claim more than there is
    second = data.rfind(b"PK\1\2")
    for at in (28, 30, 32):
        changed = data[:second + at] + b"\xff\xff" + data[second + at + 2:]
        assert read(changed)[:2] == ["a", "a"] and len(read(changed)) == 3
        assert read(data[:second - 18] + b"\xff\xff" + data[second - 16:])[:1] == ["a"]
    assert read(data[:second] + b"XX" + data[second + 2:]) == ["a", "a"]
    assert read(data[:second + 20] + data[end:])[:2] == ["a", "a"]


def test_few_names_are_looked_at():
    data = archive(*(f"{i:x}" for i in range(MOST_NAMES + 9)))
    assert len(names(data[:4096], data, len(data))) == MOST_NAMES
