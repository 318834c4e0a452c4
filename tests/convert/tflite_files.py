# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Writes TFLite files, operator by operator, as TensorFlow's converter lays them out.

    w = Writer()
    x = w.input((1, 112, 112, 3))
    y = w.op("CONV_2D", [x, w.const(kernel), w.const(bias)], (1, 56, 56, 8), "stem", padding=SAME,
             stride_w=2, stride_h=2, activation=RELU6)
    data = w.data([y])

Tensors are their numbers. `op` gives one output, `ops` several; an operator's options are named as
in OPTIONS. All maps are NHWC; kernels are [O, kh, kw, I], depthwise ones [1, kh, kw, C], weights
of FULLY_CONNECTED [O, I]. `network` writes an EFM3 model, in the spellings of its Style; `encode`
writes any table, for files that are wrong on purpose.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import efm3
from efm3.convert._fold import fold
from efm3.convert._tflite_file import CUSTOM, TYPES
from efm3.convert._tflite_names import BUILTIN
from efm3.network import BN_TENSORS, Layer, layers

SAME, VALID = 0, 1
NONE, RELU, RELU_N1_TO_1, RELU6, TANH = range(5)

WINDOW = {"padding": (0, "b"), "stride_w": (1, "i"), "stride_h": (2, "i")}
AXIS, FUSED = {"axis": (0, "i")}, {"activation": (0, "b")}
KEEP = {"keep_dims": (0, "?")}
OPTIONS: dict[str, tuple[int, dict[str, tuple[int, str]]]] = {
    "CONV_2D": (1, WINDOW | {"activation": (3, "b"), "dilation_w": (4, "i"),
                             "dilation_h": (5, "i")}),
    "DEPTHWISE_CONV_2D": (2, WINDOW | {"multiplier": (3, "i"), "activation": (4, "b"),
                                       "dilation_w": (5, "i"), "dilation_h": (6, "i")}),
    "AVERAGE_POOL_2D": (5, WINDOW | {"width": (3, "i"), "height": (4, "i"),
                                     "activation": (5, "b")}),
    "MAX_POOL_2D": (5, WINDOW | {"width": (3, "i"), "height": (4, "i"), "activation": (5, "b")}),
    "FULLY_CONNECTED": (8, FUSED | {"format": (1, "b"), "keep_dims": (2, "?")}),
    "CONCATENATION": (10, AXIS | {"activation": (1, "b")}), "ADD": (11, FUSED),
    "L2_NORMALIZATION": (12, FUSED), "RESHAPE": (17, {"new_shape": (0, "<i4")}), "MUL": (21, FUSED),
    "GATHER": (23, AXIS | {"batch_dims": (1, "i")}), "MEAN": (27, KEEP), "SUM": (27, KEEP),
    "REDUCE_MAX": (27, KEEP), "REDUCE_MIN": (27, KEEP), "REDUCE_PROD": (27, KEEP),
    "SUB": (28, FUSED), "DIV": (29, FUSED), "SQUEEZE": (30, {"dims": (0, "<i4")}),
    "STRIDED_SLICE": (32, {"begin": (0, "i"), "end": (1, "i"), "ellipsis": (2, "i"),
                           "new": (3, "i"), "shrink": (4, "i"), "offset": (5, "?")}),
    "SHAPE": (55, {"out_type": (0, "b")}), "SPLIT": (35, {"number": (0, "i")}),
    "PACK": (59, {"number": (0, "i"), "axis": (1, "i")}),
    "UNPACK": (64, {"number": (0, "i"), "axis": (1, "i")}), "LEAKY_RELU": (75, {"alpha": (0, "f")}),
    "MIRROR_PAD": (77, {"mode": (0, "b")}), "SPLIT_V": (79, {"number": (0, "i")}),
}
"""For each operator with options: the union's number, and the fields' numbers and types."""


class Many(NamedTuple):
    """A vector of tables."""

    tables: Sequence[Mapping[int, Any]]


def encode(root: Mapping[int, Any], magic: bytes = b"TFL3") -> bytes:
    """A FlatBuffer. A table is a dict from its fields' numbers to what they hold: (letter, number)
    with struct's letter, a text, an array (a vector; bytes are aligned to 16), a table, Many."""
    out = bytearray(4) + magic
    waiting: list[tuple[int, Any]] = [(0, root)]
    while waiting:
        at, value = waiting.pop()
        start = _table(out, value, waiting) if isinstance(value, Mapping) else (
            _vector(out, value, waiting))
        struct.pack_into("<I", out, at, start - at)
    return bytes(out)


def _align(out: bytearray, to: int, offset: int = 0) -> None:
    out += bytes(-(len(out) + offset) % to)


def _table(out: bytearray, fields: Mapping[int, Any], waiting: list[tuple[int, Any]]) -> int:
    """Fields stand in the order of their numbers, each aligned to its size."""
    places, at = dict[int, int](), 4
    for number, value in sorted(fields.items()):
        size = struct.calcsize("<" + value[0]) if type(value) is tuple else 4
        at += -at % size
        places[number] = at
        at += size
    count = max(places, default=-1) + 1
    vtable = struct.pack(f"<HH{count}H", 4 + 2 * count, at, *(places.get(i, 0)
                                                              for i in range(count)))
    _align(out, 8, len(vtable))
    out += vtable
    start = len(out)
    out += struct.pack("<i", len(vtable)) + bytes(at - 4)
    for number, value in fields.items():
        where = start + places[number]
        if type(value) is tuple:
            struct.pack_into("<" + value[0], out, where, value[1])
        else:
            waiting.append((where, value))
    return start


def _vector(out: bytearray, value: Any, waiting: list[tuple[int, Any]]) -> int:
    if isinstance(value, Many):
        _align(out, 4)
        start = len(out)
        out += struct.pack("<I", len(value.tables)) + bytes(4 * len(value.tables))
        waiting += [(start + 4 + 4 * i, t) for i, t in enumerate(value.tables)]
        return start
    if isinstance(value, str):
        value = value.encode()
    raw = value if isinstance(value, bytes) else np.ascontiguousarray(value).tobytes()
    width = 16 if raw is value else value.itemsize
    _align(out, max(width, 4), 4)
    start = len(out)
    out += struct.pack("<I", len(raw) // (1 if raw is value else width)) + raw + b"\0"
    return start


class Writer:
    """Collects a network's tensors and operators."""

    def __init__(self) -> None:
        self.tensors: list[dict[int, Any]] = []
        self.buffers: list[dict[int, Any]] = [{}]
        self.operators: list[dict[int, Any]] = []
        self.codes: list[tuple[str, bool]] = []
        self.inputs: list[int] = []

    def tensor(self, shape: Sequence[int], name: str = "", kind: str = "float32", *,
               data: bytes | None = None, scale: float | NDArray[Any] | None = None,
               zero: int | NDArray[Any] = 0, axis: int = 0,
               signature: Sequence[int] | None = None) -> int:
        """A tensor; `scale`, `zero` and `axis` say which real numbers whole ones stand for, and a
        -1 in `signature` which size may change."""
        fields: dict[int, Any] = {0: np.array(shape, "<i4"), 1: ("b", TYPES.index(kind)),
                                  3: name or f"t{len(self.tensors)}"}
        if data is not None:
            fields[2] = ("I", len(self.buffers))
            self.buffers.append({0: data})
        if scale is not None:
            scales = np.array(scale, "<f4").reshape(-1)
            fields[4] = {2: scales, 3: np.resize(np.array(zero, "<i8"), scales.size),
                         6: ("i", axis)}
        if signature is not None:
            fields[7] = np.array(signature, "<i4")
        self.tensors.append(fields)
        return len(self.tensors) - 1

    def input(self, shape: Sequence[int], name: str = "input", kind: str = "float32",
              **more: Any) -> int:
        """A tensor that the network takes."""
        self.inputs.append(self.tensor(shape, name, kind, **more))
        return self.inputs[-1]

    def const(self, value: Any, name: str = "", **more: Any) -> int:
        """A constant of the array's type; Python's numbers become float32 or int32."""
        a = np.asarray(value)
        if not isinstance(value, (np.ndarray, np.generic)):
            a = a.astype(np.int32 if a.dtype.kind in "iu" else np.float32)
        kind = str(a.dtype)
        return self.tensor(a.shape, name, kind, data=np.ascontiguousarray(a).tobytes(), **more)

    def int8(self, value: NDArray[Any], axis: int | None = None, name: str = "") -> int:
        """A constant as int8 with a scale, or with one for each index of `axis`; zero points 0."""
        other = tuple(i for i in range(value.ndim) if i != axis)
        scale = np.abs(value).max(axis=None if axis is None else other) / 127
        wide = scale.reshape([-1 if i == axis else 1 for i in range(value.ndim)])
        q = np.rint(value / wide).astype(np.int8)
        return self.const(q, name, scale=scale, axis=axis or 0)

    def half(self, value: NDArray[Any]) -> int:
        """A constant as float16, and the DEQUANTIZE that makes float32 of it."""
        return self.op("DEQUANTIZE", [self.const(value.astype(np.float16))], value.shape)

    def shape(self, x: int) -> tuple[int, ...]:
        """A tensor's shape."""
        return tuple(self.tensors[x][0].tolist())

    def prelu(self, spelling: str, x: int, slope: NDArray[Any], name: str = "") -> int:
        """PReLU as PRELU, or spelled as keras, abs, where or maximum do."""
        shape, s = self.shape(x), self.const(slope)

        def op(code: str, *inputs: int) -> int:
            return self.op(code, inputs, shape, name)

        if spelling == "keras":
            behind = op("MUL", self.const(-slope), op("RELU", op("NEG", x)))
        elif spelling == "abs":
            half = self.const(slope / 2)
            behind = op("MUL", half, op("SUB", x, op("ABS", x)))
        elif spelling == "maximum":
            behind = op("MUL", s, op("MINIMUM", x, self.const(0.0)))
        elif spelling == "where":
            above = self.op("GREATER", [x, self.const(0.0)], shape, kind="bool")
            return op("SELECT_V2", above, x, op("MUL", x, s))
        else:
            return op("PRELU", x, self.const(slope.reshape(1, 1, -1)))
        return op("ADD", op("RELU", x), behind)

    def ops(self, code: str, inputs: Sequence[int], outputs: Sequence[int], *,
            custom: bool = False, **options: Any) -> None:
        """An operator that makes tensors that are there; -1 is an input left out."""
        if (code, custom) not in self.codes:
            self.codes.append((code, custom))
        fields: dict[int, Any] = {0: ("I", self.codes.index((code, custom))),
                                  1: np.array(inputs, "<i4"), 2: np.array(outputs, "<i4")}
        if code in OPTIONS and not custom:
            union, known = OPTIONS[code]
            fields[3] = ("B", union)
            fields[4] = {known[k][0]: np.array(v, "<i4") if known[k][1] == "<i4"
                         else (known[k][1], v) for k, v in options.items()}
        self.operators.append(fields)

    def op(self, code: str, inputs: Sequence[int], shape: Sequence[int], name: str = "",
           kind: str = "float32", *, custom: bool = False, scale: Any = None, zero: Any = 0,
           **options: Any) -> int:
        """An operator and its only output, which is returned."""
        y = self.tensor(shape, name, kind, scale=scale, zero=zero)
        self.ops(code, inputs, [y], custom=custom, **options)
        return y

    def fields(self, outputs: Sequence[int], *, old: bool = False,
               signature: Mapping[str, int] | None = None) -> dict[int, Any]:
        """The whole model as a table. `old`: operators as files before 2020 number them;
        `signature` names outputs."""
        main = {0: Many(self.tensors), 1: np.array(self.inputs, "<i4"),
                2: np.array(outputs, "<i4"), 3: Many(self.operators), 4: "main"}
        model = {0: ("I", 3), 1: Many([self._code(*c, old) for c in self.codes]), 2: Many([main]),
                 3: "written by a test", 4: Many(self.buffers)}
        if signature is not None:
            names = Many([{0: k, 1: ("I", v)} for k, v in signature.items()])
            model[7] = Many([{0: Many([]), 1: names, 2: "serving_default"}])
        return model

    def data(self, outputs: Sequence[int], **more: Any) -> bytes:
        """The file's bytes; the options are those of `fields`."""
        return encode(self.fields(outputs, **more))

    @staticmethod
    def _code(name: str, custom: bool, old: bool) -> dict[int, Any]:
        number = CUSTOM if custom else BUILTIN.index(name)
        fields: dict[int, Any] = {0: ("b", min(number, 127)), 2: ("i", 1)}
        if custom:
            fields[1] = name
        return fields if old else fields | {3: ("i", number)}


@dataclass(frozen=True)
class Style:
    """How `network` writes: PReLU as PRELU, keras, abs, where or maximum; weights as float32,
    float16 or int8 (one scale for each output; "int8 pointwise" leaves wider kernels in float32);
    SAME at stride 2, which EFM3 has turned; the norm as L2_NORMALIZATION, rsqrt or none."""

    batch: int = 1
    prelu: str = "PRELU"
    weights: str = "float32"
    same: bool = False
    norm: str = "L2_NORMALIZATION"


def network(model: efm3.Model, style: Style = Style()) -> bytes:
    """The model as TensorFlow's converter would write it: NHWC, BatchNorm folded."""
    w = Writer()
    side, kept = 112, dict[str, int]()
    x = w.input((style.batch, side, side, 3))
    for layer in layers(model.arch):
        kept[layer.name] = x
        x = _layer(w, style, model, layer, x)
        if layer.residual:
            x = w.op("ADD", [x, kept[layer.residual]], w.shape(x), f"{layer.name}/add")
    size = model.arch.embedding_dim
    x = w.op("RESHAPE", [x, w.const([style.batch, size])], (style.batch, size), "flat")
    if style.norm == "L2_NORMALIZATION":
        x = w.op("L2_NORMALIZATION", [x], w.shape(x), "embedding")
    elif style.norm == "rsqrt":
        total = w.op("SUM", [w.op("MUL", [x, x], w.shape(x)), w.const([1])], (style.batch, 1),
                     keep_dims=True)
        least = w.op("MAXIMUM", [total, w.const(1e-12)], (style.batch, 1))
        x = w.op("MUL", [x, w.op("RSQRT", [least], (style.batch, 1))], w.shape(x), "embedding")
    return w.data([x])


def _layer(w: Writer, style: Style, model: efm3.Model, layer: Layer, x: int) -> int:
    kernel, bias = fold(np.asarray(model.tensors[f"{layer.name}.conv.w"]),
                        {k: np.asarray(model.tensors[f"{layer.name}.{k}"]) for k in BN_TENSORS})
    depthwise = layer.groups > 1
    kernel = kernel.transpose(1, 2, 3, 0) if depthwise else kernel.transpose(0, 2, 3, 1)
    padding, p = VALID if not layer.padding else SAME, layer.padding
    if layer.stride > 1 and not style.same:
        side = layer.in_side + 2 * p
        pads = w.const([[0, 0], [p, p], [p, p], [0, 0]])
        x = w.op("PAD", [x, pads], (style.batch, side, side, layer.in_channels), "pad")
        padding = VALID
    if style.weights == "int8" or (style.weights, layer.kind) == ("int8 pointwise", "pointwise"):
        weights = w.int8(kernel, 3 if depthwise else 0)
    else:
        weights = w.half(kernel) if style.weights == "float16" else w.const(kernel)
    shape = (style.batch, layer.out_side, layer.out_side, layer.out_channels)
    more: dict[str, Any] = {"multiplier": 1} if depthwise else {}
    x = w.op("DEPTHWISE_CONV_2D" if depthwise else "CONV_2D", [x, weights, w.const(bias)], shape,
             layer.name, padding=padding, stride_w=layer.stride, stride_h=layer.stride, **more)
    return w.prelu(style.prelu, x, np.asarray(model.tensors[f"{layer.name}.act.w"]),
                   f"{layer.name}/act") if layer.act else x
