# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The wire form of messages: values by a schema, every damage refused with its byte."""

import tracemalloc

import numpy as np
import pytest

import efm3
from efm3.convert import _protobuf
from efm3.convert._protobuf import (
    MOST_FIELDS,
    MOST_TEXT,
    MOST_WORD,
    REAL,
    SPAN,
    WHOLE,
    WORD,
    Message,
    Span,
    Wire,
)
from tests.convert.caffe_files import part, real, varint, whole

INNER = {1: ("size", WHOLE)}
SCHEMA = {1: ("name", WORD), 2: ("size", WHOLE), 3: ("rate", REAL), 4: ("inner", INNER),
          5: ("bytes", SPAN)}


def read(data, schema=SCHEMA):
    return Wire(memoryview(data), "x").message(Span(0, len(data)), schema)


def test_values_of_every_kind():
    data = (part(1, "né") + whole(2, 300) + whole(2, -1) + part(2, varint(5) + varint(1 << 40))
            + real(3, 0.5) + part(3, np.array([1, 2], "<f4").tobytes()) + part(4, whole(1, 7))
            + part(4, b"") + part(5, b"abc") + whole(99, 1) + varint(98 << 3 | 1) + bytes(8))
    m = read(data)
    assert m.word("name") == "né" and m.wholes("size") == [300, -1, 5, 1 << 40]
    assert m.reals("rate") == [0.5, 1, 2]
    assert [i.wholes("size") for i in m.all("inner")] == [[7], []]
    (where,) = m.spans("bytes")
    assert data[where.start:where.end] == b"abc"
    assert m.all("inner")[0].place.startswith("x, byte ")


def test_a_name_is_a_number_on_the_wire():
    assert read(whole(2, 1)).choice("size", ("PROD", "SUM"), "") == "SUM"
    assert read(b"").choice("size", ("PROD", "SUM"), "SUM") == "SUM"
    assert read(whole(2, 1)).flag("size", False) is True
    for value in (2, -1):
        with pytest.raises(efm3.Efm3Error, match="not one of PROD, SUM"):
            read(whole(2, value)).choice("size", ("PROD", "SUM"), "")


@pytest.mark.parametrize("data,at,word", [
    (b"\x80", 0, "a number is cut off"), (b"\x10", 1, "cut off"),
    (b"\x10" + b"\xff" * 10 + b"\x01", 1, "more than 10 bytes"),
    (b"\x0a\x05abc", 0, "field 1 has 5 bytes, where 3 remain"),
    (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 0, "where 0 remain"),
    (b"\x1d\0\0", 0, "field 3 has 4 bytes"), (b"\x0b", 0, "field 1 has wire type 3"),
    (b"\x0f", 0, "wire type 7"), (b"\x02\x00", 0, "the number 0"),
    (part(4, part(1, b"\x80")), 4, "cut off"), (part(3, b"abc"), 2, "rate has 3 bytes"),
    (whole(1, 5), 1, "name has wire type 0, not 2"), (real(2, 1), 1, "size has wire type 5"),
    (whole(4, 5), 1, "inner has wire type 0"), (whole(5, 5), 1, "bytes has wire type 0"),
    (varint(3 << 3 | 1) + bytes(8), 1, "rate has 8 bytes of wire type 1"),
    (part(2, b"\x80"), 2, "cut off"),
])
def test_damage(data, at, word):
    with pytest.raises(efm3.Efm3Error, match="X003") as e:
        read(data)
    assert f"damaged at byte {at}: " in str(e.value) and word in str(e.value)
    assert e.value.offset == at


def test_long_texts_are_refused(monkeypatch):
    monkeypatch.setattr(_protobuf, "MOST_TEXT", 4)
    assert read(part(1, "four") + part(5, b"as bytes")).word("name") == "four"
    with pytest.raises(efm3.Efm3Error, match=r"X003.*at byte 2: name has 5 bytes of text"):
        read(part(1, "fifth"))


@pytest.mark.parametrize("data", [
    whole(9, 1) * 51, part(2, b"\1" * 51), part(3, bytes(4 * 51)), part(4, part(4, b"")) * 26])
def test_many_fields_are_refused(data):
    schema = {**SCHEMA, 4: ("inner", {4: ("inner", INNER)})}
    with pytest.raises(efm3.Efm3Error, match=r"X003.*(50 fields|204 bytes)"):
        Wire(memoryview(data), "x", 50).message(Span(0, len(data)), schema)


@pytest.mark.parametrize("data", [
    whole(9, 1) * 50, part(2, b"\1" * 49), part(3, bytes(4 * 49)), part(4, part(4, b"")) * 25])
def test_as_many_fields_as_may_be(data):
    schema = {**SCHEMA, 4: ("inner", {4: ("inner", INNER)})}
    Wire(memoryview(data), "x", 50).message(Span(0, len(data)), schema)
    with pytest.raises(efm3.Efm3Error, match="X003"):
        Wire(memoryview(data), "x", 49).message(Span(0, len(data)), schema)


def test_the_limits():
    assert MOST_FIELDS == 100_000 and MOST_TEXT == 16 << 20 and MOST_WORD == 100


def test_numbers_have_64_bits():
    m = read(b"\x10" + b"\xff" * 9 + b"\x7f" + b"\x10" + b"\xff" * 8 + b"\x7f")
    assert m.wholes("size") == [-1, (1 << 63) - 1]


def holds(*values):
    out = Message("here")
    for v in values:
        out.put("a", v)
    return out


def test_the_last_of_several_counts():
    first, last = Message("first"), Message("last")
    assert holds(first, last).sub("a") is last and holds().sub("a").place == "here"
    assert holds(3, 4).whole("a", 9) == 4 and holds().whole("a", 9) == 9
    assert holds(3, 4.5).real("a", 9) == 4.5 and holds().real("a", 9) == 9
    assert holds("x", "y").word("a", "z") == "y" and holds().word("a", "z") == "z"
    assert holds(1, 0).choice("a", ("P", "Q"), "Q") == "P" and holds("Q", "R").choice(
        "a", ("P", "Q"), "P") == "R"
    assert holds(1, 0).flag("a", True) is False and holds().flag("a", True) is True


def test_numbers_in_texts():
    long = "0" * 99 + "7"
    assert holds(long).whole("a", 0) == 7 and holds(long).real("a", 0) == 7
    assert holds("1.5f").real("a", 0) == 1.5 and holds("1e2F").real("a", 0) == 100
    for value in ("0" + long, "1f", "1.5", "", "x", Message("x")):
        with pytest.raises(efm3.Efm3Error, match=r"X003 here: a is .*, not a whole number"):
            holds(value).whole("a", 0)
    for value in ("0" + long, "f", "", Span(0, 1)):
        with pytest.raises(efm3.Efm3Error, match="not a number"):
            holds(value).real("a", 0)


def test_values_of_another_kind():
    for read_, value, words in (
            (Message.words, 3, "'3', not a text"), (Message.words, Message("x"), "a message, not"),
            (Message.all, "t" * 60, f"'{'t' * 40}', not a message"),
            (Message.spans, "t", "'t', not bytes")):
        with pytest.raises(efm3.Efm3Error, match=f"here: a is {words}"):
            read_(holds(value), "a")
    for value in (2, -1, "yes", Span(0, 1)):
        with pytest.raises(efm3.Efm3Error, match="not true or false"):
            holds(value).flag("a", False)
    for value in ("true", "t", "1", "True", 1):
        assert holds(value).flag("a", False) is True
    for value in ("false", "f", "0", "False", 0):
        assert holds(value).flag("a", True) is False


def test_the_most_fields_take_little_memory():
    tracemalloc.start()
    found = read(part(4, b"") * (MOST_FIELDS // 50)).all("inner")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) == MOST_FIELDS // 50 and peak * 50 < 64 << 20
