# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The pickle machine without a subclass: it builds values, and refuses every name and call."""

import pickle
import pickletools

import pytest

from efm3 import pickles


class Plain(pickles.Machine):
    codes = pickles.COMMON


@pytest.mark.parametrize("protocol", range(6))
def test_values(protocol):
    value = [None, True, (1, -70000, 1 << 80), "é", [[]]]
    assert Plain(pickle.dumps(value, protocol)).run() == value


def test_two_pickles_one_after_the_other():
    data = pickle.dumps("a") + pickle.dumps("b")
    first = Plain(data)
    assert first.run() == "a" and Plain(data, first.at).run() == "b"


@pytest.mark.parametrize("data,words", [
    (b"cos\nsystem\n.", "asks for os.system"), (b"N)R.", "calls something"),
    (b"N)b.", "sets the state"), (b"}.", "opcode EMPTY_DICT"),
])
def test_what_only_a_subclass_allows(data, words):
    with pytest.raises(pickles.Forbidden, match=words):
        Plain(data).run()


@pytest.mark.parametrize("data,words", [
    (b"N", "ends before"), (b"Np4294967296\n.", "memo"), (b"Np-1\n.", "memo"),
    (b"\x8a\xff.", "announced"), (b"\xff", "0xff"), (b"(p1\n.", "empty"),
    (b"X\1\0\0\0aN\x93.", "not text"), (b"NX\1\0\0\0a\x93.", "not text"),
])
def test_damage(data, words):
    with pytest.raises(pickles.Damaged, match=words):
        Plain(data).run()


def test_the_longest_line():
    assert Plain(b"a" * 10 + b"\n").line(10) == b"a" * 10 and Plain(b"\n").line(0) == b""
    for machine, most in ((Plain(b"a" * 11 + b"\n"), 10), (Plain(b"a" * 9), 10), (Plain(b""), 0)):
        with pytest.raises(pickles.Damaged, match=f"without an end in {most} bytes"):
            machine.line(most)
    assert Plain(b"a" * 32768 + b"\n").line() == b"a" * 32768
    with pytest.raises(pickles.Damaged, match="in 32,768 bytes"):
        Plain(b"a" * 32769 + b"\n").line()
    with pytest.raises(pickles.Damaged, match="in 64 bytes"):
        Plain(b"I" + b"9" * 65 + b"\n.").run()


@pytest.mark.parametrize("data,value", [
    (b"I01\n.", True), (b"I00\n.", False), (b"I1\n.", 1), (b"I010\n.", 10), (b"I0\n.", 0),
    (b"S''\n.", b""), (b"S'a'\n.", b"a"), (b'S"\\x41\\n\'"\n.', b"A\n'"), (b"L-5L\n.", -5),
])
def test_values_in_letters(data, value):
    found = Plain(data).run()
    assert found == value and isinstance(found, bool) == isinstance(value, bool)


@pytest.mark.parametrize("line", [b"'", b'"', b"", b"xabcx", b"'a\"", b"a'", b"'a"])
def test_a_string_stands_in_quotes(line):
    with pytest.raises(pickles.Damaged, match="without its quotes"):
        Plain(b"S" + line + b"\n.").run()


def test_the_numbers_of_the_memo():
    last = Plain(b"N")
    last.push("x")
    last.put((1 << 32) - 1)
    last.put(0)
    assert list(last.memo) == [4294967295, 0]
    for key in (1 << 32, -1):
        with pytest.raises(pickles.Damaged, match="memo"):
            last.put(key)


def test_the_most_opcodes():
    assert Plain.most == 4_000_000
    machine = Plain(b"N" * 11)
    machine.most = 10
    with pytest.raises(pickles.Damaged, match="more than 10 opcodes"):
        machine.run()
    assert machine.at == 10


def test_text_is_made_up_to_four_times_the_file():
    machine = Plain(bytes(10))
    machine.spend(15)
    machine.spend(25)
    with pytest.raises(pickles.Damaged, match="far more text"):
        machine.spend(1)


def test_every_opcode_has_a_name():
    assert {ord(o.code.encode("latin1")) for o in pickletools.opcodes} <= set(pickles.WORDS)
    assert set(pickles.COMMON) < set(pickles.WORDS)
