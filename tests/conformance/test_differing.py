# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The first difference of two files is told by its place, and a mirror's by key and spelling."""

import pytest

from efm3 import mirror
from efm3.conformance import differing, sample

BASE = sample.base()


def flipped(at, new):
    return BASE[:at] + new + BASE[at + len(new):]


def spelled(old, new):
    """The sample with a part of its mirror's text replaced; json_len follows."""
    return sample.text(bytes(sample.spans(BASE).mirror).replace(old, new))(BASE)


@pytest.mark.parametrize("have,words", [
    (BASE, ""), (BASE + b"x", "bytes follow the last tensor"),
    (BASE[:-2], "the file ends at byte"), (flipped(12, b"\0\x08"), "arch.stem_channels"),
    (flipped(12, b"\0\x08"), "byte order is reversed"),
    (flipped(296, (864 // 4).to_bytes(4, "little")), "number of values, not of bytes"),
    (flipped(100, b"@"), "in the mirror"), (flipped(len(BASE) - 1, b"\0"), "embed_proj.bn.var[7]"),
    (b"", "the file ends at byte 0"), (BASE[:120], "the file ends at byte 120, in json"),
    (BASE[:88] + b"\1\0\0\0" + BASE[92:], "byte 88, in json_len"),
    (BASE[:88] + BASE[91:87:-1] + BASE[92:], "byte order is reversed")])
def test_the_first_difference_is_told_in_the_formats_words(have, words):
    found = differing.first_difference(BASE, have)
    assert words in found and bool(found) == bool(words)


@pytest.mark.parametrize("old,new,words", [
    (b"0.125", b"0.1250", "width_mult: found 0.1250, expected 0.125"),
    (b"0.125", b"1.25e-1", "width_mult: found 1.25e-1, expected 0.125"),
    (b'"sample"', b'"s\\u0061mple"', 'name: found "s\\u0061mple", expected "sample"'),
    (b'"sample"', b'null', 'name: found null, expected "sample"'),
    (b'"n":2', b'"n":02', "found"), (b'"n":2', b'"n":2.0', "stages[1].n: found 2.0, expected 2"),
    (b'"name":"sample",', b"", 'name is missing, expected "sample"'),
    (b'"name":"sample",', b'"name":"sample","meta":{"a":[]},',
     "meta.a does not belong there: found []"),
    (b'"name":"sample","width_mult":0.125', b'"width_mult":0.125,"name":"sample"',
     "another order: found width_mult, expected name"),
    (b'"name":', b'"name": ', 'white space: found {"name": "sample"'),
    (b"}]}", b"}]}    ", "white space"), (b'"name":"sample"', b'"name":sample', "found"),
    (b'"sample"', b'"' + b"s" * 900 + b'"', 'name: found "' + "s" * 39 + "..., expected"),
    (b'"sample"', b'"\x1b[2J"', "\\x1b[2J"), (b'"sample"', b'"\xff"', "\\xff"),
    (b'"sample"', '"\u202e"'.encode(), 'name: found "\\u202e", expected "sample"')])
def test_a_different_mirror_is_told_by_its_text_and_not_by_its_length(old, new, words):
    found = differing.first_difference(BASE, spelled(old, new))
    assert words in found and "json_len" not in found and "in the mirror" in found
    assert found.isprintable()


def test_sizes_come_last():
    found = differing.first_difference(BASE, spelled(b"0.125", b"0.125000"))
    assert found.endswith(f"; {len(BASE) + 3} bytes, not {len(BASE)}")


def test_leaves_are_the_values_as_they_are_spelled():
    text = ' {"a" : 1E2 , "b":[ {"c":[]},"x\\n" ,-0.0],"d":{ },"\\u0065":{"":null}}'
    mirror.parse(text.encode())
    assert differing.leaves(text) == {
        "a": "1E2", "b[0].c": "[]", "b[1]": '"x\\n"', "b[2]": "-0.0", "d": "{ }", "e.''": "null"}
    assert differing.leaves("{}") == {"": "{}"}
    deep = '{"a":' + "[" * 15 + "]" * 15 + "}"
    assert list(differing.leaves(deep).values()) == ["[]"]


def test_the_same_text_has_no_difference_but_white_space():
    assert differing.text_difference('{"a":1}', '{"a":1 }').startswith("white space: found")


@pytest.mark.parametrize("key,words", [
    ("stages", "stages"), ("a b", "'a b'"), ("\x1b", "'\\x1b'"), ("é", "'\\xe9'"),
    ("k" * 90, "'" + "k" * 56 + "...")])
def test_foreign_keys_are_escaped_and_cut(key, words):
    assert differing.key_words(key) == words


def test_bytes_that_are_no_text_are_shown():
    assert differing.text(b"a\xff") == "a\\xff"
