# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Byte to name and back: the two directions agree everywhere."""

import struct

import pytest

from efm3.conformance import sample as s
from efm3.conformance.examples import EXAMPLES, example
from efm3.places import describe, find
from efm3.scan import scan

FILE = scan(s.base())


@pytest.mark.parametrize("text, place", [
    ("0", (0, 1)), ("0x5c", (92, 1)), ("010", (10, 1)), ("92:100", (92, 8)), ("92+8", (92, 8)),
    (":4", (0, 4)), ("88:", (88, FILE.size - 88)), ("4:99999999", (4, FILE.size - 4)),
    ("magic", (0, 4)), ("arch", (8, 80)), ("arch.stages", (24, 64)), ("arch.stages[1]", (32, 8)),
    ("arch.stages[2].t", (40, 1)), ("json_len", (88, 4)), ("json", (92, len(FILE.mirror))),
])
def test_find(text, place):
    assert find(FILE, text) == place


def test_every_field_is_found_at_its_span_and_describes_itself():
    for span in FILE.spans():
        assert find(FILE, span.path) == (span.offset, span.length)
        for offset in (span.offset, span.offset + span.length - 1):
            assert describe(FILE, offset)["field"] == span.path


def test_weights_are_found_where_they_stand():
    for t in FILE.tensors[::7]:
        last = [n - 1 for n in t.shape]
        text = f"{t.name}[{','.join(map(str, last))}]"
        offset, length = find(FILE, text)
        assert (offset, length) == (t.data_offset + t.size - 4, 4)
        for byte in range(4):
            place = describe(FILE, offset + byte)
            assert (place["tensor"], place["index"], place["byte"]) == (t.name, last, byte)
            assert place["value"] == struct.unpack_from("<f", FILE.data, offset)[0]
            assert place["layer"]["name"] == t.name.rsplit(".", 2)[0]


@pytest.mark.parametrize("text, why", [
    ("99999999", "14,"), ("5:5", "no byte"), ("9:4", "no byte"), ("", "no field"),
    ("stem.conv.w[0]", "4 indices"), ("stem.bn.w[8]", "no index 8"),
    ("stem.bn.w[0,0]", "1 index"), ("stem.convw", "near: stem.conv.w"),
    ("\x1b[31m", "no field"), ("9" * 5000, "no field"),
    ("stem.bn.w[" + "9" * 5000 + "]", "no field"),
])
def test_what_is_not_there_is_refused_in_words(text, why):
    with pytest.raises(ValueError, match=why):
        find(FILE, text)


def test_a_weight_past_the_end_of_a_cut_file():
    cut = scan(s.base()[:FILE.tensors[0].data_offset + 10])
    assert find(cut, "stem.conv.w[0,0,0,1]")[1] == 4
    with pytest.raises(ValueError, match="holds 10 bytes"):
        find(cut, "stem.conv.w[0,0,0,2]")
    assert describe(cut, cut.size - 1)["value"] is None


@pytest.mark.parametrize("code", list(EXAMPLES))
def test_every_byte_of_a_broken_file_has_a_field(code):
    scanned = scan(example(code)[1])
    for offset in [*range(0, scanned.size, 401), scanned.size - 1]:
        if offset >= 0:
            place = describe(scanned, offset)
            assert place["start"] <= offset < place["start"] + place["length"]
    with pytest.raises(ValueError):
        describe(scanned, scanned.size)
