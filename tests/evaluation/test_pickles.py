# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The pickle machine: it reads what InsightFace writes, and nothing in a pickle runs."""

import os
import pickle
import pickletools
import random
import struct

import numpy as np
import pytest

from efm3 import Efm3Error
from efm3 import pickles as machine
from efm3.evaluation import _machine, pickles

PICTURES = [bytes(range(256)), b"\xff\xd8 jpeg '\"\n\\", b"x" * 70000]
ANSWERS = [True, False, True]


def plain(value):
    value = pickles.value_of(value)
    if isinstance(value, (list, tuple)):
        return type(value)(plain(v) for v in value)
    return bytes(value) if isinstance(value, memoryview) else value


def loads(data):
    return plain(pickles.loads(data, "set.bin"))


def refused(data, code, words=""):
    with pytest.raises(Efm3Error) as e:
        pickles.loads(data, "set.bin")
    f = e.value.finding
    assert f.code == code, f.message
    assert words in f.message
    assert f.path == "set.bin" and f.expected and 0 <= f.offset <= len(data)
    return f


@pytest.mark.parametrize("protocol", range(6))
def test_what_python_3_writes(protocol):
    value = (PICTURES, ANSWERS)
    assert loads(pickle.dumps(value, protocol)) == value
    shared = ([PICTURES[0]] * 4, [True, False])
    assert loads(pickle.dumps(shared, protocol)) == shared
    assert loads(pickle.dumps((PICTURES, [1, 0, 300, -5, 70000]), protocol)) == (
        PICTURES, [1, 0, 300, -5, 70000])


@pytest.mark.parametrize("protocol", range(5))
def test_numpy_bools_and_bytes(protocol):
    data = pickle.dumps((PICTURES, [np.bool_(a) for a in ANSWERS]), protocol)
    assert loads(data) == (PICTURES, ANSWERS)
    data = pickle.dumps((PICTURES, np.array(ANSWERS)), protocol)
    assert loads(data) == (PICTURES, ANSWERS)
    arrays = [np.frombuffer(p, np.uint8).copy() for p in PICTURES]
    assert loads(pickle.dumps((arrays, ANSWERS), protocol)) == (PICTURES, ANSWERS)
    both = [arrays[0], arrays[0]]
    assert loads(pickle.dumps((both, ANSWERS), protocol))[0] == PICTURES[:1] * 2
    # The names of numpy 1 and of numpy 2.
    for old, new in ((b"numpy.core.", b"numpy._core."), (b"numpy._core.", b"numpy.core.")):
        if protocol < 4:
            data = data.replace(old, new)
            assert loads(data) == (PICTURES, ANSWERS)


def python_2(pictures, answers):
    """What Python 2's cPickle writes with protocol 2: byte strings as text."""
    out = [b"\x80\x02]q\x00("]
    for p in pictures:
        out.append((b"U" + bytes([len(p)]) if len(p) < 256 else b"T" + struct.pack("<i", len(p)))
                   + p + b"q\x01")
    out += [b"e]q\x02(", *(b"\x88" if a else b"\x89" for a in answers), b"e\x86q\x03."]
    return b"".join(out)


def test_what_python_2_writes():
    data = python_2(PICTURES, ANSWERS)
    assert pickle.loads(data, encoding="bytes") == (PICTURES, ANSWERS)
    assert loads(data) == (PICTURES, ANSWERS)
    zero = (b"((lp0\nS" + repr(PICTURES[1])[1:].encode() + b"\np1\naS'\\x00\\xff'\np2\na(lp3\nI01\n"
            b"aI00\nat.")
    assert pickle.loads(zero, encoding="bytes") == ([PICTURES[1], b"\x00\xff"], [True, False])
    assert loads(zero) == ([PICTURES[1], b"\x00\xff"], [True, False])
    numpy_2 = (b"\x80\x02]cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\nU\x02b1K\x00K\x01\x87R"
               b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tbU\x01\x01\x86Ra.")
    assert loads(numpy_2) == [True]


class Runs:
    """Runs a function when it is loaded."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("number,payload", list(enumerate([
    Runs(os.system, "touch ran"), Runs(exec, "open('ran', 'w')"), Runs(getattr, "x", "upper"),
    Runs(bytes, 1 << 40), Runs(np.fromfile, "x"), os.system, b"".join, object(), {"a": 1}, {1},
    1.5, Ellipsis, np.float32(1), np.zeros(3), np.zeros((2, 2), bool),
])))
def test_nothing_runs(number, payload, protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(pickle.dumps(([payload], ANSWERS), protocol), "F002")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("data,words", [
    (b"cos\nsystem\n(S'touch ran'\ntR.", "asks for os.system"),
    (b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.", "asks for posix.system"),
    (b"(S'touch ran'\nios\nsystem\n.", "INST"),
    (b"(cos\nsystem\nS'x'\no.", "asks for os.system"),
    (b"(S'x'\no.", "OBJ"),
    (b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00hex\x86R.", "calls encode"),
    (b"\x80\x02c_codecs\ndecode\nX\x01\x00\x00\x00a\x85R.", "asks for _codecs.decode"),
    (b"\x80\x02cnumpy\ndtype\nX\x02\x00\x00\x00O8\x85R.", "calls dtype"),
    (b"\x80\x02cnumpy\nndarray\n)R.", "calls ndarray"),
    (b"\x80\x02cnumpy\nndarray\n)\x81.", "NEWOBJ"),
    (b"]K\x01b.", "sets the state"),
    (b"P1\n.", "PERSID"), (b"K\x01Q.", "BINPERSID"), (b"\x82\x01.", "EXT1"), (b"}.", "EMPTY_DICT"),
    (b"\x97.", "NEXT_BUFFER"), (b"K\x01)R.", "calls int"),
])
def test_hand_made_attacks(data, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(data, "F002", words)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("data,words", [
    (b"", "ends before"), (b"\x80", "1 bytes announced"), (b"\x80\x04", "ends before"),
    (b".", "0 values"), (b"NN.", "2 values"), (b"(.", "1 values"), (b"\xffabc", "0xff"),
    (b"B\xff\xff\xff\xffabc.", "4,294,967,295 bytes announced, 4 left"),
    (b"\x8e" + b"\xff" * 8 + b".", "bytes announced"), (b"\x8d" + b"\xff" * 8 + b".", "announced"),
    (b"X\x00\x00\x00\x7fa.", "bytes announced"), (b"T\xff\xff\xff\xffa.", "bytes announced"),
    (b"\x80\x05\x96" + b"\xff" * 7 + b"\x7f.", "bytes announced"),
    (b"X\x01\x00\x00\x00\xff.", "codec"), (b"V\\uD8\n.", "codec"), (b"S'\\x1'\n.", "escape"),
    (b"S'\\q'\n.", "escape"), (b"S'\\'\n.", "escape"),
    (b"Sabc\n.", "quotes"), (b"S'abc\".\n.", "quotes"), (b"I12x\n.", "not a number"),
    (b"I" + b"9" * 5000 + b"\n.", "without an end"), (b"L" + b"9" * 60 + b"\n.", "not a number"),
    (b"h\x05.", "memo"), (b"j\xff\xff\xff\x7f.", "memo"), (b"g1\n.", "memo"),
    (b"a.", "empty"), (b"e.", "no mark"), (b"NNa.", "no list"), (b"(Ne.", "no list"),
    (b"(a.", "empty"), (b"t.", "no mark"), (b"\x86.", "empty"), (b"R.", "empty"), (b"0.", "empty"),
    (b"c" + b"a" * 40000 + b"\n", "without an end"), (b"cos", "without an end"),
    (b"NN\x93.", "not text"), (b"r\xff\xff\xff\xff.", "empty"),
])
def test_damage(data, words):
    refused(data, "F003", words)


def test_the_values_of_arrays():
    assert list(map(type, _machine.Dtype("b1").values(memoryview(b"\0\1\2")))) == [bool] * 3
    assert _machine.Dtype("b1").values(memoryview(b"\0\1\2")) == [False, True, True]
    words = memoryview(b"\xff\xff\0\x80")
    assert _machine.Dtype("i2").values(words) == [-1, -0x8000]
    assert _machine.Dtype("u2").values(words) == [0xFFFF, 0x8000]
    assert _machine.Dtype("i2", ">").values(words) == [-1, 0x80]


@pytest.mark.parametrize("shape,fits", [
    ((3,), True), ((1, 3), True), ((1, 1, 3, 1), True), ((1, 1, 1, 1, 3), False), ((2,), False),
    ((4,), False), ((3.0,), False), ((-3,), False), ((-1, -3), False), ((3, 2), False), ((), False),
])
def test_the_shapes_of_arrays(shape, fits):
    assert _machine._fits(memoryview(bytes(6)), _machine.Dtype("i2"), shape) is fits
    assert _machine._fits(memoryview(b""), _machine.Dtype("i2"), (0,))


def test_a_words_bytes_are_few():
    """Of Python 2's bytes no more than the longest word takes are made text."""
    assert _machine._word(memoryview(b"latin-1, and more")) == "latin-1,"


def test_huge_memo_numbers_cost_nothing():
    assert loads(b"Nr\xff\xff\xff\xff0j\xff\xff\xff\xff.") is None


def laughs(levels=200):
    """Lists that hold the list before ten times: 10^200 items for who walks them."""
    steps = (b"](" + b"h%c" % i * 10 + b"eq%c" % (i + 1) for i in range(levels))
    return b"(]q\x00" + b"".join(steps) + b"t."


def test_billion_laughs():
    value = pickles.loads(laughs(), "x")
    assert len(value) == 201 and len(value[-1]) == 10


def test_text_is_not_multiplied():
    """One long text of the memo, encoded again and again."""
    body = "x" * 100_000
    text = b"X" + struct.pack("<I", len(body)) + body.encode() + b"q\x00"
    encode = b"c_codecs\nencode\nq\x01X\x06\x00\x00\x00latin1q\x02"
    data = b"\x80\x02]" + text + b"0" + encode + b"00" + b"h\x01h\x00h\x02\x86Ra" * 1000 + b"."
    refused(data, "F003", "far more text")


def test_too_many_opcodes(monkeypatch):
    monkeypatch.setattr(machine.Machine, "most", 1000)
    loads(b"N0" * 499 + b"N.")
    refused(b"N0" * 499 + b"N\x85.", "F003", "more than 1,000 opcodes")


def test_every_cut_and_many_flips():
    """Whatever happens to a pickle, it is read or refused."""
    rng = random.Random(1)
    for protocol in range(5):
        value = ([b"\xff\xd8" + bytes(rng.randrange(256) for _ in range(20)) for _ in range(4)],
                 [np.bool_(True), False])
        data = pickle.dumps(value, protocol)
        for cut in range(len(data)):
            refused(data[:cut], "F003")
        for _ in range(1500):
            broken = bytearray(data)
            for _ in range(rng.randrange(1, 4)):
                broken[rng.randrange(len(data))] = rng.randrange(256)
            try:
                pickles.loads(bytes(broken), "x")
            except Efm3Error as e:
                assert e.code in ("F002", "F003")


def test_every_opcode_is_known_to_the_machine_or_refused():
    for opcode in pickletools.opcodes:
        code = opcode.code.encode("latin1")
        if code != b".":
            assert ord(code) in machine.COMMON or ord(code) in machine.WORDS
