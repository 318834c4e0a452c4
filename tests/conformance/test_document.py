# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The document says what is in a file, and a difference is named by its place."""

import copy
import json
import zlib

import pytest

from efm3.conformance import document, sample
from efm3.scan import scan

BASE = sample.base()
DOC = document.document(BASE, "coherence")


def test_document_of_the_sample():
    s = scan(BASE)
    assert DOC["version"] == {"type": "u32", "value": "3"}
    assert DOC["arch"]["stem_channels"] == {"type": "u16", "value": "8"}
    assert DOC["arch"]["stages"][1] == {k: {"type": "u8", "value": v}
                                        for k, v in (("t", "1"), ("n", "2"), ("s", "2"))}
    assert DOC["mirror"]["length"]["value"] == str(len(s.mirror))
    last, t = DOC["tensors"][-1], s.tensors[-1]
    assert last["offset"] == {"type": "u64", "value": str(t.data_offset)}
    assert last["crc32"]["value"] == f"{zlib.crc32(BASE[t.data_offset:]):08x}"
    assert bytes.fromhex(last["last"]["value"])[::-1] == BASE[-4:]
    assert DOC["json"]["gdc_kernel"] == {"type": "integer", "value": "7"}
    assert "json" not in document.document(BASE)


def test_every_leaf_has_a_known_type():
    def leaves(value):
        if isinstance(value, dict) and value.keys() == {"type", "value"}:
            yield value
        elif isinstance(value, (dict, list)):
            for v in value.values() if isinstance(value, dict) else value:
                yield from leaves(v)
    kinds = {leaf["type"] for leaf in leaves(DOC)}
    assert kinds <= set(document.LEAF_TYPES) and len(kinds) >= 8


def test_tagged_tells_json_types_apart():
    value = {"a": [None, True, 1, 1.5, "x"], "b": {}}
    assert [leaf["type"] for leaf in document.tagged(value)["a"]] == [
        "null", "bool", "integer", "number", "string"]
    assert document.tagged(value)["b"] == {}


def test_a_document_equals_itself_through_json():
    assert document.difference(DOC, json.loads(json.dumps(DOC))) == ""


@pytest.mark.parametrize("change,words", [
    (lambda d: d["tensors"][3].update(offset={"type": "u64", "value": "1"}), "tensors[3].offset"),
    (lambda d: d["arch"].pop("gdc_kernel"), "arch.gdc_kernel is missing"),
    (lambda d: d["arch"].update(extra=1), "extra' does not belong"),
    (lambda d: d["tensors"].pop(), "tensors has 95 entries, not 96"),
    (lambda d: d["version"].update(type="u16"), "version: found u16 '3', expected u32"),
    (lambda d: d.update(version=3), "version: found 3, expected"),
    (lambda d: d["json"]["width_mult"].update(value="0.25"),
     "json.width_mult: found number '0.25', expected number '0.125'"),
    (lambda d: d["json"]["width_mult"].update(value="much"), "json.width_mult"),
    (lambda d: d["json"]["name"].update(value="Sample"), "json.name")])
def test_a_difference_is_named(change, words):
    have = copy.deepcopy(DOC)
    change(have)
    assert words in document.difference(DOC, have)


@pytest.mark.parametrize("want,have,same", [
    ("7", "7", True), ("7", "7.0", True), ("7", "70e-1", True), ("7", "8", False),
    ("9007199254740993", "9007199254740993", True), ("9007199254740993", "9007199254740992", False),
    ("18446744073709551615", "18446744073709551616", False),
    ("18446744073709551615", "1.8446744073709552e19", False),
    ("-9223372036854775808", "-9223372036854775809", False),
    ("18446744073709551616", "18446744073709551617", True),  # beyond 64 bits: the nearest binary64
    ("99999999999999999999", "1e+20", True),
    ("99999999999999999999", "99999999999999000000", False),
    ("0.1", "1E-1", True), ("0.1", "0.10000000149011612", False),
    ("0.1", "0.1000000000000000055", True),
    ("-0.0", "-0.0", True), ("-0.0", "0.0", False), ("0.0", "-0", False), ("0", "0.0", True),
    ("5e-324", "3e-324", True), ("5e-324", "0", False), ("1e22", "10000000000000000000000", True),
    ("7", "nan", False), ("7", "0x7", False), ("7", "7_0", False), ("7", " 7", False),
    ("10.0", "1e0000000001", True), ("10.0", "1e" + "0" * 20000 + "1", False),
    ("7", "7" * 20000, False), ("1", "1e999999999", False)])
def test_integers_are_compared_exactly_and_other_numbers_as_binary64(want, have, same):
    assert document.same_number(want, have) is same


def test_a_caller_may_ask_for_all_integers_exactly():
    one, other = (document.tagged({"a": [v]}) for v in (99999999999999999999, 10**20))
    assert document.difference(one, other) == ""
    assert "a[0]: found integer '100000000000000000000'" in document.difference(
        one, other, exact=True)


def test_foreign_keys_are_escaped():
    one = {"\x1b[2J": {"type": "string", "value": "a"}}
    two = {"\x1b[2J": {"type": "string", "value": "\x1b"}}
    for found in (document.difference(one, two), document.difference(one, {}),
                  document.difference({}, one)):
        assert found.isprintable() and "x1b" in found


def test_numbers_of_the_mirror_are_compared_as_numbers():
    have = copy.deepcopy(DOC)
    have["json"]["width_mult"] = {"type": "number", "value": "1.25e-1"}
    have["json"]["gdc_kernel"] = {"type": "number", "value": "7.0"}
    assert document.difference(DOC, have) == ""
