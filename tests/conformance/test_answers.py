# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a program printed: one JSON object, or the line that is not, quoted and escaped."""

import pytest

from efm3.conformance import answers


def said(raw):
    return answers.object_of(raw, "output", "an object is due")


@pytest.mark.parametrize("raw", [
    b'{"a":1}', b'{\n "a":\n 1}\n', b' {"a":1} \r\n', b'\r\n{"a":1}\r\n\r\n', b'\t{"a":1}'])
def test_objects_and_white_space_around_them(raw):
    assert said(raw) == {"a": 1}


@pytest.mark.parametrize("raw,words", [
    (b"", "output is empty; an object is due"), (b" \r\n", "is empty"),
    (b"\xef\xbb\xbf{}", "byte order mark"), (b'{"a":\xff}', "not UTF-8"),
    (b"ok\n\xfe\n{}", 'not UTF-8: line 2 is "\\xfe"'),
    (b"fine", 'not JSON: "fine"; an object is due, and logs belong on standard error'),
    (b"loading\n{}\n", 'line 1 is "loading"'), (b"{}\nbye\n", 'line 2 is "bye"'),
    (b'{"a":\n\n', 'not JSON: "{"a":"'), (b"[1]", 'not a JSON object but "[1]"'),
    (b"7", 'not a JSON object but "7"'), (b"\x1b[2J", r'"\x1b[2J"'),
    (b"{" * 9 + b'"a":' * 9, "not JSON"), (b'{"a":' * 9000, "nested too deeply"),
    (b'{"a":' + b"9" * 5000 + b"}", "thousands of digits"),
    (b"x" * 500, f'"{"x" * answers.MAX_QUOTED}..."')])
def test_anything_else_is_said(raw, words):
    assert isinstance(said(raw), str) and words in said(raw) and "\x1b" not in said(raw)
    assert len(said(raw)) < 400


def test_a_long_answer_is_not_parsed(monkeypatch):
    monkeypatch.setattr(answers, "MAX_OUTPUT", 10)
    assert said(b'{"a":"' + b"x" * 20 + b'"}') == "output is over 10 bytes"
