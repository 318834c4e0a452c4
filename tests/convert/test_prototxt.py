# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The text form of messages: what is read, and where what is none is refused."""

import tracemalloc

import pytest

import efm3
from efm3.convert._prototxt import DEEPEST, MOST_TEXT, parse

TEXT = b"""\xef\xbb\xbf# a comment in any encoding: \xb2\xe2\xca\xd4
name: "two " 'texts' # joined
layer { name: "a" type: 'b # {' bottom: "x" bottom: "y", param { lr_mult: 1.5e-3f } ; flag: true }
layer: < dim: [1, -2, 3] empty {} >
input_dim: 1 input_dim: 3
"""


def test_everything_that_a_text_can_hold():
    m = parse(TEXT, "x")
    assert m.word("name") == "two texts" and m.wholes("input_dim") == [1, 3]
    one, two = m.all("layer")
    assert one.words("bottom") == ["x", "y"] and one.word("type") == "b # {"
    assert one.sub("param").real("lr_mult", 0) == 0.0015 and one.flag("flag", False)
    assert two.wholes("dim") == [1, -2, 3] and "empty" in two and "full" not in two
    assert two.sub("full").whole("size", 7) == 7
    assert two.place == "x, line 4"


@pytest.mark.parametrize("text,line,word", [
    ("a: 1\nb {\n", 3, "it ends before '}'"), ("a: 1\n}", 2, "'}' where a field's name"),
    ("a {\n>", 2, "'>' where"), ("a", 1, "neither a value nor a message follows 'a'"),
    ("a 1", 1, "neither"), ("a:", 1, "it ends before a value"), ("a: ]", 1, "']' where a value"),
    ("a: [1, 2", 1, "before a value"), ("'a': 1", 1, "'a' where a field's name"),
    ('\n\na: "x', 3, "is no message's text"), ("a: \"\\x\"", 1, "is no message's text"),
    ("a: \x00", 1, "is no message's text"), ("a: $", 1, "'$'"), ("\u00e9: 1", 1, "no message's"),
    ("a {" * 17, 1, "nested deeper than 16"),
])
def test_what_is_no_text_of_a_message(text, line, word):
    with pytest.raises(efm3.Efm3Error) as e:
        parse(text.encode(), "net\x1b.prototxt")
    assert e.value.code == "X003"
    assert f"net\\x1b.prototxt, line {line}: " in str(e.value) and word in str(e.value)


@pytest.mark.parametrize("text,ask,word", [
    ("a: x", lambda m: m.whole("a", 0), "line 1: a is 'x', not a whole number".partition(": ")[2]),
    ("a: 1.5", lambda m: m.whole("a", 0), "a is '1.5', not a whole number"),
    ("a: x", lambda m: m.real("a", 0), "not a number"),
    ("a: " + "9" * 101, lambda m: m.whole("a", 0), "not a whole number"),
    ("a: 2", lambda m: m.flag("a", True), "not true or false"),
    ("a {}", lambda m: m.word("a"), "a is a message, not a text"),
    ("a {}", lambda m: m.real("a", 0), "a is a message, not a number"),
    ("a: 1", lambda m: m.all("a"), "a is '1', not a message"),
])
def test_a_value_of_another_kind(text, ask, word):
    with pytest.raises(efm3.Efm3Error, match=r"X003") as e:
        ask(parse(text.encode(), "x"))
    assert word in str(e.value)


def test_marks_in_quotes_are_texts():
    assert parse(b'a: "["', "x").word("a") == "["
    assert parse(b'a: ["]", ",", ";"]', "x").words("a") == ["]", ",", ";"]
    assert parse(b'a: [b ","]', "x").words("a") == ["b", ","]
    for text in (b'a { "}" }', b'a { "}"', b'";" a: 1', b'a ":" 1', b'a: 1 ","', b'a "{" }'):
        with pytest.raises(efm3.Efm3Error, match="X003"):
            parse(text, "x")


def test_the_limits():
    assert (MOST_TEXT, DEEPEST) == (524288, 16)
    parse(b" " * MOST_TEXT, "x")
    parse(b"a {" * DEEPEST + b"}" * DEEPEST, "x")
    with pytest.raises(efm3.Efm3Error, match="deeper than 16"):
        parse(b"a {" * (DEEPEST + 1), "x")


@pytest.mark.parametrize("piece", ["aXX:1 ", "a{}", "a{b{}}", 'a:"x"', "a:[1,2]"])
def test_the_largest_text_takes_little_memory(piece):
    size = MOST_TEXT // 64
    text = "".join(piece.replace("XX", str(i)) for i in range(size // len(piece))).encode()
    tracemalloc.start()
    parse(text, "x")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak * 64 < 64 << 20
    with pytest.raises(efm3.Efm3Error, match="X003"):
        parse(b" " * (MOST_TEXT + 1), "x")
