# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Our editor sets exactly what was asked, keeps all else byte for byte, and refuses the rest."""

import json
import struct

import pytest

import efm3
from efm3.conformance import editing, sample
from efm3.conformance.recipe import render
from efm3.findings import Efm3Error
from efm3.scan import scan

BASE = sample.base()


def code_of(call, *args):
    with pytest.raises(Efm3Error) as e:
        call(*args)
    return e.value.code


@pytest.mark.parametrize("value,bits", [
    (0.5, "3f000000"), (1, "3f800000"), (-0.0, "80000000"), (0, "00000000"),
    (2 ** 24, "4b800000"), (3.4028234663852886e38, "7f7fffff"), (2.0 ** -149, "00000001"),
    ("bits:7fa00001", "7fa00001"), ("bits:FFC01234", "ffc01234")])
def test_a_value_is_its_pattern(value, bits):
    assert editing.bits_of(value)[::-1].hex() == bits


@pytest.mark.parametrize("value", [
    0.1, 2 ** 24 + 1, 2 ** 64 - 1, 10 ** 30, 3.5e38, 1e-46, True, None, "0.5", "bits:7fc0", [],
    "bits:07fc00000", "bits:7fc0000g", " bits:7fc00000", {}])
def test_a_value_that_float32_does_not_hold_is_refused(value):
    assert code_of(editing.bits_of, value) == "D005"


@pytest.mark.parametrize("text", [
    "", "[]", "{", '{"meta":1}', '{"values":{}}', '{"meta":{"a":1,"a":2}}', '{"meta":{"a":1e400}}',
    '{"meta":{"a":"\\u0000"}}', '{"meta":{"a":"\\ud800"}}', '{"meta":{"a":"\ud800"}}', "[" * 100000,
    '{"meta":{"a":123456789012345678901}}'])
def test_an_edit_that_cannot_be_read_is_refused(text):
    assert code_of(editing.change_of, text) == "D005"


@pytest.mark.parametrize("row", [
    1, {}, {"tensor": 1}, {"tensor": "stem"}, {"tensor": "stem.bn.b"},
    *({"tensor": "stem.bn.b", "at": at, "value": 1} for at in (-1, 8, 1.0, True, "0", None)),
    {"tensor": "stem.bn.b", "at": 0}])
def test_a_place_that_is_none_is_refused(row):
    assert code_of(editing.edited, BASE, json.dumps({"values": [row]})) == "D005"


def test_nothing_else_changes():
    text = '{"values":[{"tensor":"stem.bn.b","at":3,"value":"bits:7fa00001"}]}'
    new = editing.edited(BASE, text)
    t = next(t for t in scan(BASE).tensors if t.name == "stem.bn.b")
    at = t.data_offset + 12
    assert new == BASE[:at] + struct.pack("<I", 0x7FA00001) + BASE[at + 4:]
    assert editing.edited(BASE, "{}") == BASE == editing.edited(BASE, ' {"meta":{}}\r\n\t ')


def test_every_number_of_the_mirror_keeps_its_value():
    data = render({"patch": [{"op": "mirror_sub", "old": "}]}", "new":
                              '}],"a":[18446744073709551615,-0.0,1E2,9007199254740993]}'}]})
    mirror = efm3.load(editing.edited(data, '{"meta":{"b":-9223372036854775808}}')).mirror
    assert mirror["a"][0] == 2 ** 64 - 1 and mirror["a"][3] == 2 ** 53 + 1
    assert str(mirror["a"][1]) == "-0.0" and mirror["meta"] == {"b": -2 ** 63}


@pytest.mark.parametrize("spaces", range(4))
def test_tensors_stay_where_they_were_aligned_or_not(spaces):
    data = sample.text(bytes(scan(BASE).mirror).rstrip() + b" " * spaces)(BASE)
    aligned = scan(data).table_offset % 4 == 0
    new = editing.edited(data, '{"meta":{"description":"x"}}')
    assert not aligned or scan(new).table_offset % 4 == 0


@pytest.mark.parametrize("edit", [
    {"meta": {"picture": "sideways"}}, {"meta": {"a": "n" * (1 << 20)}},
    {"meta": {"a": "é" * 200000}}])
def test_a_file_that_would_be_invalid_is_not_made(edit):
    assert code_of(editing.edited, BASE, json.dumps(edit, ensure_ascii=False)) == "D006"


def test_an_invalid_file_is_refused_with_its_own_code():
    assert code_of(editing.edited, BASE + b"x", "{}") == "T014"


def test_a_digest_that_was_there_or_is_asked_for_is_right():
    wrong = {"meta": {"sha256": "0" * 64}}
    for data in (BASE, sample.sealed()):
        new = editing.edited(data, json.dumps(wrong | {"values": [
            {"tensor": "stem.bn.b", "at": 0, "value": 0.5}]}))
        assert efm3.validate(new).ok and "sha256" in efm3.load(new).mirror["meta"]
