# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""TFLite files that are damaged, or made to cost more than they weigh."""

import contextlib
import random
import struct
import tracemalloc

import numpy as np
import pytest

import efm3
from efm3.convert import _tflite_bytes, tflite
from efm3.convert._base import Wanted
from efm3.source import Unreadable
from tests.convert.tflite_checks import RANDOM, SHAPE, begin, refused, source
from tests.convert.tflite_files import VALID, Many, Writer, encode
from tests.fuzz import tflite_files


def plain(name="y"):
    """A file with every kind of part: options, scales, signatures, a custom operator."""
    w = Writer()
    x = w.input(SHAPE, signature=(-1, 4, 5, 3))
    kernel = w.int8(RANDOM.normal(size=(3, 1, 1, 3)).astype(np.float32), 0)
    x = w.op("CONV_2D", [x, kernel, w.const(np.ones(3, np.float32))], SHAPE, "conv",
             padding=VALID, stride_w=1, stride_h=1, activation=1)
    x = w.op("RESHAPE", [x, w.const([2, 60])], (2, 60), "flat", new_shape=[2, 60])
    y = w.op("Odd", [x], (2, 60), name, custom=True)
    return w, y


def test_other_files(tmp_path):
    for data in (b"", b"TFL3", b"\x1c\0\0\0TFL", b"\x1c\0\0\0TFL2" + bytes(64), b"<html>" * 20):
        refused(data, "X003", "not a TFLite file")
    w, y = plain()
    model = w.fields([y])
    refused(encode(model | {0: ("I", 2)}), "X003", "version 2")
    refused(encode(model | {2: Many([])}), "X007", "no network")
    refused(w.data([]), "X007", "no output")
    with pytest.raises(Unreadable):
        tflite.read(str(tmp_path), Wanted())


def test_a_truncated_file_is_refused_wherever_it_ends():
    w, y = plain()
    data = w.data([y], signature={"out": y})
    source(data)
    for size in range(len(data) - 1):
        try:
            source(data[:size])
        except efm3.Efm3Error as e:
            assert e.code in ("X003", "X006")
            continue
        # What is behind the last byte that is read may be gone.
        assert size > len(data) - 32


def test_no_word_of_a_file_does_harm():
    """Words of 32 bits are replaced by what offsets and lengths must not be."""
    w, y = plain()
    data = w.data([y])
    codes = set()
    for at in range(0, len(data) - 4, 4):
        for word in ((0, 0x80000000, len(data) - at), (4, 0xFFFFFFFF, 0x7FFFFFFF))[at // 4 % 2]:
            try:
                source(data[:at] + struct.pack("<I", word) + data[at + 4:])
            except efm3.Efm3Error as e:
                codes.add(e.code)
    assert {"X003", "X006", "X007", "X008"} <= codes


def test_no_byte_of_a_file_does_harm():
    w, y = plain()
    data = bytearray(w.data([y]))
    for seed in range(300):
        rng, changed = random.Random(seed), bytearray(data)
        for _ in range(rng.randint(1, 4)):
            changed[rng.randrange(8, len(data))] = rng.choice((0, 1, 2, 3, 127, 128, 255))
        with contextlib.suppress(efm3.Efm3Error):
            source(bytes(changed))


def test_changed_networks_meet_every_verdict():
    """A slice of the fuzzing, with the seeds and the mutator of tests/fuzz."""
    rng, files, met = random.Random(3), tflite_files.seeds(), set()
    for _ in range(60):
        met.add(tflite_files.check(tflite_files.change(rng, rng.choice(files))))
    assert {"network", "X003", "X006", "X007", "X008"} <= met


def test_places_of_damage():
    w, y = plain("the output")
    data = bytearray(w.data([y]))
    at = data.index(b"the output") - 4
    struct.pack_into("<I", data, at, 0xFFFFFFF0)
    refused(bytes(data), "X003", "4,294,967,280 items", f"at byte {at:,}")


def test_tables_that_name_one_another_for_ever(monkeypatch):
    """Many operators name one table; what is read of a file has an end."""
    w, x = begin()
    y = w.op("ADD", [x] * 500, SHAPE)
    monkeypatch.setattr(_tflite_bytes, "MOST_ITEMS", 400)
    refused(w.data([y]), "X003", "more parts than a network can have")


def test_more_operations_than_a_network_has():
    w, x = begin()
    for _ in range(3):
        x = w.op("RELU", [x], SHAPE)
    model = w.fields([x])
    main = model[2].tables[0]
    # One table, named again and again by a vector that is written by hand.
    data = bytearray(encode(model | {2: Many([main | {3: b"\1" * 4}])}))
    mark = data.index(struct.pack("<I", 4) + b"\1" * 4)
    count = 10_001
    target = len(data) + 4 + 4 * count
    target += -target % 8
    words = [target - (len(data) + 4 + 4 * i) for i in range(count)]
    tail = struct.pack(f"<I{count}I", count, *words)
    entry = next(i for i in range(0, mark, 4) if struct.unpack_from("<I", data, i)[0] == mark - i)
    struct.pack_into("<I", data, entry, len(data) - entry)
    data += tail + bytes(-len(data + tail) % 8)
    data += struct.pack("<HHHHHHi", 10, 8, 4, 0, 0, 0, 12) + bytes(16)
    refused(bytes(data), "X008", "more than 10,000 operations")


def test_numbers_of_tensors_buffers_and_codes():
    for change, code, words in (
            (lambda w: w.operators[0].update({0: ("I", 9)}), "X007", "of kind 9"),
            (lambda w: w.operators[0].update({1: np.array([0, 99], "<i4")}), "X007", "number 99"),
            (lambda w: w.operators[0].update({1: np.array([0, -2], "<i4")}), "X007", "number -2"),
            (lambda w: w.operators[0].update({2: np.array([], "<i4")}), "X008", "takes 0 inputs"),
            (lambda w: w.tensors[1].update({2: ("I", 77)}), "X007", "buffer 77"),
            (lambda w: w.tensors[1].pop(2), "X008", "2 inputs"),
            (lambda w: w.tensors[1].update({1: ("b", 60)}), "X006", "type 60"),
            (lambda w: w.tensors[1].update({1: ("b", 5)}), "X006", "constant of type string"),
            (lambda w: w.tensors[1].update({0: np.array([-3], "<i4")}), "X006", "[-3]"),
            (lambda w: w.tensors[1].update({0: np.array([4], "<i4")}), "X006", "12 bytes for"),
            (lambda w: w.tensors[1].update({0: np.array([1] * 9, "<i4")}), "X006", "[1, 1, 1"),
            (lambda w: w.tensors[1].update({0: np.array([2**31 - 1] * 8, "<i4")}), "X006", "bytes"),
            (lambda w: w.tensors[1].update({6: {}}), "X008", "sparse")):
        w, x = begin()
        y = w.op("ADD", [x, w.const(np.ones(3, np.float32), "c")], SHAPE)
        source(w.data([y]))
        if words == "2 inputs":
            w.inputs.append(1)
        change(w)
        refused(w.data([y]), code, words)


def test_scales_that_do_not_fit():
    q = np.ones((1, 1, 2, 3), np.int8)
    for more, code, words in (
            ({"scale": [1, 2]}, "X006", "2 scales for axis 0 of [1, 1, 2, 3]"),
            ({"scale": [1, 2, 3], "axis": 4}, "X006", "3 scales for axis 4"),
            ({"scale": [1, 2, 3], "axis": -1}, "X006", "axis -1"),
            ({"scale": np.inf}, "X006", "1 scales and 1 zero points")):
        w, x = begin((1, 1, 2, 3))
        y = w.op("MUL", [x, w.const(q, **more)], (1, 1, 2, 3))
        refused(w.data([y]), code, words)
    w, x = begin((1, 1, 2, 3))
    c = w.const(q, scale=[1, 2, 3], axis=3)
    w.tensors[c][4][3] = np.zeros(2, "<i8")
    y = w.op("MUL", [x, c], (1, 1, 2, 3))
    refused(w.data([y]), "X006", "3 scales and 2 zero points")
    w.tensors[c][4] |= {3: np.zeros(3, "<i8"), 4: ("B", 2), 5: {}}
    refused(w.data([y]), "X008", "in blocks")


def test_a_scale_beyond_float32_gives_infinity_and_no_warning():
    w, x = begin((1, 1, 2, 3))
    y = w.op("MUL", [x, w.const(np.full((3,), 100, np.int8), scale=3e38)], (1, 1, 2, 3))
    assert np.isinf(source(w.data([y])).graph.output.inputs[1].value).all()


def test_cycles_and_values_made_twice():
    w, x = begin()
    a, b = w.tensor(SHAPE, "a"), w.tensor(SHAPE, "b")
    w.ops("ADD", [x, b], [a])
    w.ops("ADD", [x, a], [b])
    refused(w.data([b]), "X007", "a (ADD) takes b, which nothing before it makes")
    w, x = begin()
    a = w.op("RELU", [x], SHAPE, "a")
    w.ops("NEG", [x], [a])
    refused(w.data([a]), "X007", "a is made twice")
    w, x = begin()
    w.ops("RELU", [x], [x])
    refused(w.data([x]), "X007", "input is made twice")


def test_data_behind_the_tables():
    """Files of over 2 GiB keep it there."""
    for start, size, fine in ((-12, 12, True), (-12, 13, False), (-11, 12, False),
                              (2**62, 12, False), (-12, 2**62, False)):
        w, x = begin()
        c = w.const(np.array([1, 2, 3], np.float32))
        y = w.op("ADD", [x, c], SHAPE)
        w.buffers[1] = {1: ("Q", 0), 2: ("Q", size)}
        length = len(w.data([y])) + 12
        w.buffers[1] = {1: ("Q", start % 2**64 if start > 0 else length + start), 2: ("Q", size)}
        data = w.data([y]) + np.array([1, 2, 3], "<f4").tobytes()
        if fine:
            node = source(data).graph.output.inputs[1]
            assert node.value.tolist() == [1, 2, 3]
        else:
            refused(data, "X003", "beyond the file's end")


def test_constants_that_many_layers_name_are_counted():
    """A file of 1 MB whose int8 weights would become 256 MB."""
    w, x = begin((2, 4, 1, 3))
    shared = w.const(np.ones((1, 1, 1 << 20, 1), np.int8), scale=1.0)
    y = w.op("MEAN", [x, w.const([3])], (2, 4, 5, 1), keep_dims=True)
    for _ in range(64):
        y = w.op("REDUCE_MAX", [w.op("ADD", [y, shared], SHAPE), w.const([2])], SHAPE,
                 keep_dims=True)
    data = w.data([y])
    tracemalloc.start()
    try:
        refused(data, "X008", "more constants than the file holds")
        assert tracemalloc.get_traced_memory()[1] < 2 * len(data) + (64 << 20)
    finally:
        tracemalloc.stop()


def test_a_refusal_takes_little_memory():
    """Weights are views of the file."""
    w, x = begin((1, 1, 1, 3))
    y = w.op("FULLY_CONNECTED", [x, w.const(np.ones((1 << 21, 3), np.float32))], (1, 1 << 21))
    y = w.op("SOFTMAX", [w.op("ADD", [y, w.const(np.ones((2, 5), np.float32))], (1, 1 << 21))],
             (1, 1 << 21))
    data = w.data([y])
    tracemalloc.start()
    try:
        refused(data, "X006", "do not fit")
        assert tracemalloc.get_traced_memory()[1] < 1.1 * len(data) + (1 << 20)
    finally:
        tracemalloc.stop()


def test_names_cannot_speak_to_a_terminal():
    w, x = begin()
    y = w.op("ADD", [x, w.const(np.ones(4, np.float32))], SHAPE, "\x1b[2Ja\u202e")
    refused(w.data([y]), "X006", "\\x1b[2Ja\\u202e (ADD)")
