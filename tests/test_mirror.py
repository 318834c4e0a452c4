# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The mirror's canonical text, its closed grammar, and its schema beside the rules."""

import json
from dataclasses import replace

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import efm3
from efm3 import mirror
from efm3.conformance import sample

TEXT = mirror.canonical(sample.ARCH)


def test_canonical_text_is_the_original_exporters(vector):
    model = efm3.load(vector)
    text = vector.read_bytes()[92:]
    assert text.startswith(mirror.canonical(model.arch))


def test_canonical_text_is_ascii():
    text = mirror.canonical(replace(sample.ARCH, name="naïve"))
    assert text.isascii() and mirror.parse(text)["name"] == "naïve"


@pytest.mark.parametrize("extra", range(8))
def test_pad_aligns_and_is_minimal(extra):
    text = TEXT + b" " * extra
    padded = mirror.pad(text)
    assert (92 + len(padded) + 8) % 4 == 0 and 0 <= len(padded) - len(text) < 4


@pytest.mark.parametrize("text,kind,offset", [
    (b"", "empty", 0), (b"   ", "empty", 0), (b"\xef\xbb\xbf{}", "bom", 0),
    (b'{"a":"\xff"}', "utf8", 6), (b'{"a":"\xed\xa0\x80"}', "utf8", 6),
    (b"[" * 17 + b"]" * 17, "depth", 16), (b'{"a":1,"a":1}', "duplicate", 0),
    (b'{"b":{"a":1,"a":2}}', "duplicate", 0), (b'{"a":NaN}', "constant", 0),
    (b'{"a":-Infinity}', "constant", 0), (b'{"a":1e999}', "number", 0),
    (b'{"a":' + b"9" * 21 + b"}", "number", 0), (b'{"a":"\\u0000"}', "nul", 0),
    (b'{"\\u0000":1}', "nul", 0), (b'{"a":["\\ud800"]}', "surrogate", 0),
    (b"{} x", "trailing", 2), (b"{}\0", "trailing", 2), (b"{}\n", "trailing", 2),
    (b'{"a":1,}', "syntax", 7), (b"{'a':1}", "syntax", 1), (b'{"a":"\n"}', "syntax", 6),
    (b"[]", "object", 0), (b'"x"', "object", 0), (b"3", "object", 0), (b"{", "syntax", 1),
])
def test_grammar(text, kind, offset):
    with pytest.raises(mirror.MirrorProblem) as e:
        mirror.parse(text)
    assert (e.value.kind, e.value.offset) == (kind, offset)


@pytest.mark.parametrize("text", [
    b"{}", b"{}   ", b' \t\r\n{"a":1}', b'{"a":"[[[[[[[[[[[[[[[[[[[["}',
    b'{"a":"\\"[[[[[[[[[[[[[[[[[[["}', b"[" * 0 + b'{"a":' + b"[" * 15 + b"]" * 15 + b"}",
    '{"ä":"\U0001f600"}'.encode(), b'{"a":"\\ud83d\\ude00"}',
])
def test_texts_that_are_fine(text):
    assert mirror.parse(text) == json.loads(text)


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode)
       | st.lists(st.sampled_from(b'{}[]":,1eE.-+ntf\\u0aN \0'), max_size=40).map(bytes))
def test_parse_never_raises_anything_else(text):
    try:
        value = mirror.parse(text)
    except mirror.MirrorProblem:
        return
    assert value == json.loads(text)


def test_schema_is_a_schema_and_takes_canonical_mirrors():
    jsonschema.Draft202012Validator.check_schema(mirror.schema())
    for arch in (*efm3.ARCHS.values(), sample.ARCH):
        assert mirror.schema_problem(mirror.values(arch)) == ""


# Whole numbers with a point are left out: JSON Schema takes 1.0 for an integer, M021 does not.
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 70000)
    | st.floats(-2, 2).filter(lambda v: not v.is_integer()) | st.just("x") | st.just("f" * 64),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(
        st.sampled_from(["t", "n", "s", "sha256"]), inner, max_size=3), max_leaves=4)


@settings(max_examples=600, deadline=None)
@given(st.sampled_from([*mirror.values(sample.ARCH), "meta", "author"]), json_values, st.booleans())
def test_schema_and_rules_agree(key, value, drop):
    """A mirror that the schema refuses has an error at level coherence.

    The converse holds except for what a schema cannot state: agreement with the header.
    """
    def change(m):
        return {k: v for k, v in m.items() if k != key} if drop else m | {key: value}
    data = sample.with_mirror(change)(sample.base())
    errors = {f.code for f in efm3.validate(data, "coherence").at_least("error")}
    refused = mirror.schema_problem(change(mirror.values(sample.ARCH)))
    beyond = {"M022", "M023", "M025", "M042"}
    if refused:
        assert errors, refused
    else:
        assert errors <= beyond


def test_shown_is_short_and_printable():
    class Silent:
        def __repr__(self):
            raise RuntimeError

    assert mirror.shown("a\x1b[31m\n") == "'a\\x1b[31m\\n'"
    assert len(mirror.shown("x" * 1000)) == 60
    assert mirror.shown(Silent()) == "<Silent>"


def test_the_key_that_stands_twice_is_named():
    with pytest.raises(mirror.MirrorProblem, match="'b' occurs twice"):
        mirror.parse(b'{"a":1,"b":2,"b":3,"a":4}')


@pytest.mark.parametrize("value,kind", [
    (None, "null"), (True, "boolean"), (1, "integer"), (1.0, "number"), ("", "string"),
    ([], "array"), ({}, "object")])
def test_kinds(value, kind):
    assert mirror.kind_of(value) == kind


def test_the_arch_of_a_mirror():
    assert mirror.arch_of(mirror.values(sample.ARCH)) == sample.ARCH
    with pytest.raises(mirror.MirrorProblem, match="gdc_kernel"):
        mirror.arch_of(mirror.values(sample.ARCH) | {"gdc_kernel": "7"})


def test_what_a_mirror_says_of_the_picture():
    plain = mirror.values(sample.ARCH)
    said = mirror.as_turned(plain | {"meta": {"seed": 3}, "author": "x"})
    assert said["meta"] == {"seed": 3, "picture": "turned-180"} and said["author"] == "x"
    assert mirror.picture(said) == "turned-180" and mirror.schema_problem(said) == ""
    for meta in ({}, {"Picture": "x"}, {"a": {"picture": "turned-180"}}, {"picture": "upright"},
                 None, []):
        assert mirror.picture(plain | {"meta": meta}) == "upright"
    assert mirror.picture(plain) == mirror.picture({"picture": "turned-180"}) == "upright"
    for value in ("turned-90", "Upright", "", None, True, 180, ["turned-180"], {}):
        assert mirror.picture(plain | {"meta": {"picture": value}}) == ""
        assert "picture" in mirror.schema_problem(plain | {"meta": {"picture": value}})
