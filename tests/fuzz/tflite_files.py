# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""TFLite files for fuzz_python.py: the network is changed, or a word where offsets are.

A file is read into the tests' writer, a part of the network is changed there, and written again;
what cannot be read that way any more is changed word by word.
"""

from __future__ import annotations

import random
import struct
from typing import Any

import numpy as np

import efm3
from efm3.arch import Arch, Stage
from efm3.conformance import sample
from efm3.convert import tflite
from efm3.convert._base import Wanted
from efm3.convert._tflite_file import TYPES, File
from efm3.convert.matching import network_of
from tests.convert.tflite_files import OPTIONS, RELU, VALID, Style, Writer, network
from tests.fuzz.mutators import raw

ARCH = Arch("small", 0.25, 2, 2, 4, 3, 14, (Stage(2, 1, 2), Stage(2, 1, 2)))
EDGES = (-2**31, -129, -2, -1, 0, 1, 2, 3, 4, 7, 16, 112, 127, 2**20, 2**31 - 1)
REALS = (0.0, -1.0, 1 / 128, 6 / 255, 1e38, float("inf"), float("nan"))
CODES = tuple(tflite.ROWS)


def seeds() -> list[bytes]:
    """A network in several spellings, one of 8 bits, and shape arithmetic."""
    model = efm3.load(sample.build(ARCH))
    styles = (Style(), Style(prelu="abs", norm="rsqrt"), Style(prelu="where", weights="int8"),
              Style(batch=2, prelu="keras", weights="float16", same=True, norm="none"))
    return [*(network(model, s) for s in styles), _moves()]


def _moves() -> bytes:
    w = Writer()
    shape = (1, 4, 4, 3)
    x = w.input(shape, kind="int8", scale=1 / 128, zero=-1, signature=(-1, 4, 4, 3))
    parts = [w.tensor((1, 4, 4, 1)) for _ in range(3)]
    w.ops("SPLIT", [w.const(3), x], parts, number=3)
    x = w.op("CONCATENATION", parts[::-1], shape, axis=3)
    x = w.op("STRIDED_SLICE", [x, *(w.const([v] * 4) for v in (0, 4, 1))], shape, begin=15)
    x = w.op("CONV_2D", [x, w.int8(np.eye(3).reshape(3, 1, 1, 3), 0)], shape, "conv", "int8",
             scale=6 / 255, zero=-128, padding=VALID, stride_w=1, stride_h=1)
    x = w.op("AVERAGE_POOL_2D", [x], (1, 1, 1, 3), padding=VALID, width=4, height=4, stride_w=4,
             stride_h=4)
    size = w.op("SHAPE", [x], (4,), kind="int32", out_type=2)
    first = w.op("SLICE", [size, w.const([0]), w.const([1])], (1,), kind="int32")
    both = w.op("CONCATENATION", [first, w.const([-1])], (2,), kind="int32", axis=0)
    x = w.op("RESHAPE", [x, both], (1, 3))
    x = w.op("FULLY_CONNECTED", [x, w.const(np.ones((4, 3), np.float32))], (1, 4), activation=RELU)
    return w.data([w.op("L2_NORMALIZATION", [x], (1, 4), "end")], signature={"out": 0})


def change(rng: random.Random, data: bytes) -> bytes:
    """The file with one to three changes."""
    kind = rng.randrange(6)
    if kind == 0:
        return raw(rng, data)
    if kind == 1:
        return _word(rng, data)
    try:
        w, outputs = _read(data)
        for _ in range(rng.randint(1, 3)):
            rng.choice((_operator, _operator, _tensor, _tensor, _ends))(rng, w, outputs)
        return w.data(outputs, old=rng.randrange(8) == 0)
    except (efm3.Efm3Error, ValueError, LookupError, struct.error, OverflowError):
        return _word(rng, data)


def _word(rng: random.Random, data: bytes) -> bytes:
    """Another word of 32 bits: an edge, an offset near by, or one of the file's."""
    at = rng.randrange(len(data) // 4 + 1) * 4
    old = int.from_bytes(data[at:at + 4], "little")
    word = rng.choice((rng.choice(EDGES) % 2**32, (old + rng.randint(-8, 8) * 4) % 2**32,
                       int.from_bytes(data[(other := rng.randrange(len(data) + 1)):other + 4],
                                      "little")))
    return data[:at] + struct.pack("<I", word) + data[at + 4:]


def _read(data: bytes) -> tuple[Writer, list[int]]:
    file, w = File(data, "x"), Writer()
    for i in range(len(file.main.tables(0))):
        t = file.tensor(i)
        more: dict[str, Any] = {} if t.scale is None else t.scale._asdict()
        w.tensor(t.shape, t.label, t.kind, data=None if t.data is None else t.data.tobytes(),
                 signature=t.signature or None, **more)
    w.inputs += file.inputs
    for op in file.operators:
        w.ops(op.name, op.inputs, op.outputs, custom=op.custom)
        options, fields = op.table.table(4), w.operators[-1]
        if options is None or 4 not in fields:
            continue
        for number, form in OPTIONS[op.name][1].values():
            if options.where(number):
                fields[4][number] = (np.array(options.integers(number), "<i4") if form == "<i4"
                                     else (form, options.number(number, form)))
    return w, [*file.outputs]


def _operator(rng: random.Random, w: Writer, outputs: list[int]) -> None:
    at = rng.randrange(len(w.operators))
    op = w.operators[at]
    kind = rng.randrange(6)
    if kind == 0:
        w.codes.append((rng.choice(CODES), False))
        op[0] = ("I", len(w.codes) - 1)
    elif kind == 1:
        end = rng.choice((1, 1, 1, 2))
        op[end] = _edged(rng, op[end], (-1, len(w.tensors), *range(len(w.tensors))))
    elif kind == 2 and op.get(4):
        number, value = rng.choice([*op[4].items()])
        if isinstance(value, np.ndarray):
            op[4][number] = _edged(rng, value, EDGES)
        else:
            known = REALS if value[0] == "f" else EDGES[2:9] if value[0] == "b" else EDGES
            op[4][number] = (value[0], rng.choice(known))
    elif kind == 3:
        w.operators[at:at + 1] = rng.choice(([], [op, op], w.operators[at - 1:at + 1]))
    elif kind == 4:
        op.pop(rng.choice([*op]))
    else:
        op[3] = ("B", rng.randrange(130))


def _tensor(rng: random.Random, w: Writer, outputs: list[int]) -> None:
    t = rng.choice(w.tensors)
    kind = rng.randrange(6)
    if kind == 0:
        t[rng.choice((0, 0, 7))] = _edged(rng, t[0], EDGES)
    elif kind == 1:
        t[1] = ("b", rng.randrange(len(TYPES) + 1))
    elif kind == 2 and 2 in t:
        buffer = w.buffers[t[2][1]]
        buffer[0] = raw(rng, buffer[0])
    elif kind == 3:
        t[2] = ("I", rng.randrange(len(w.buffers) + 1))
    elif kind == 4:
        size = rng.choice((1, 1, 3, 4))
        t[4] = {2: np.array([rng.choice(REALS) for _ in range(size)], "<f4"),
                3: np.array([rng.choice(EDGES)] * rng.choice((1, size)), "<i8"),
                6: ("i", rng.choice((0, 0, 3, -1, 9)))}
    else:
        w.buffers[rng.randrange(len(w.buffers))] = {
            1: ("Q", rng.choice((0, 8, 4096, 2**63))), 2: ("Q", rng.choice((0, 12, 2**63)))}


def _ends(rng: random.Random, w: Writer, outputs: list[int]) -> None:
    ends = rng.choice((w.inputs, outputs))
    new = rng.randrange(len(w.tensors))
    ends[:] = rng.choice(([], [new], [*ends, new]))


def _edged(rng: random.Random, old: Any, values: tuple[int, ...]) -> Any:
    """A vector with one item more, less, or other."""
    new = old.tolist()
    at = rng.randrange(len(new) + 1)
    one = [rng.choice(values)]
    new[at:at + 1] = rng.choice(([], one, one, new[at:at + 1] * 2))
    return np.array(new, "<i4")


def check(data: bytes) -> str:
    """A model, a graph that is none of EFM3's, or Efm3Error."""
    try:
        source = tflite.parse(data, "x.tflite", Wanted(turned=True))
    except efm3.Efm3Error as e:
        return e.code
    try:
        model = network_of(source, Wanted(turned=True)).model
    except efm3.Efm3Error as e:
        return f"graph {e.code}"
    assert efm3.validate(b"".join(model.parts(finite=False)), "structure").ok
    return "network"
