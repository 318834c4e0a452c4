# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""TFLite: float networks, and those with 16-bit or 8-bit weights, or with 8 bits throughout.

The file's maps are NHWC: a Transpose before and one after each convolution say so in the graph.
Whole numbers that stand for real ones are multiplied out, so QUANTIZE and DEQUANTIZE do nothing.
"""

from __future__ import annotations

import math
from functools import partial

from efm3 import format as fmt
from efm3 import source
from efm3.convert import _tflite_conv, _tflite_math, _tflite_shape
from efm3.convert._base import Runtime, Source, Wanted
from efm3.convert._tflite_file import File, Operator, Tensor, short
from efm3.convert._tflite_layer import RELU, RELU6, Layer
from efm3.convert._tflite_run import Run, start
from efm3.convert.graph.build import Builder
from efm3.convert.graph.nodes import Node
from efm3.convert.graph.run import MOST
from efm3.findings import refuse

ROWS = {**_tflite_conv.ROWS, **_tflite_math.ROWS, **_tflite_shape.ROWS}
"""What builds each operator's nodes."""
EIGHT_BITS = {"int8": -128, "uint8": 0}
"""The types of 8-bit values, with the lowest."""
SIX = 0.03
"""How far from 6 the end of the range of a ReLU6 may be: a little more than its step."""


def read(path: str, wanted: Wanted) -> Source:
    """The network in a file: of the first subgraph the operators that the output depends on.

    Raises Efm3Error, Unreadable.
    """
    return parse(source.read(path), path, wanted)


def parse(data: bytes | bytearray | memoryview, path: str, wanted: Wanted) -> Source:
    """The network in the bytes of a file called `path`. Raises Efm3Error."""
    file = File(data, path)
    return _Reader(file, len(data)).source(_output(file, wanted.output))


def _output(file: File, name: str | None) -> int:
    """The chosen output, by its tensor's name or the signature's. Raises X018."""
    if not file.outputs:
        refuse("X007", f"{file.path} has no output", file.path)
    known = {file.tensor(i).label: i for i in file.outputs}
    if name is None and len(known) == 1:
        return file.outputs[0]
    aliases = {k: v for k, v in file.signatures().items() if v in known.values()}
    for names in (known, aliases):
        if name in names:
            return names[name]
    listed = ", ".join(f"{short(k)} {[*file.tensor(v).shape]}" for k, v in [*known.items()][:16])
    refuse("X018", f"{file.path} has the outputs {listed}; give --output NAME" if name is None else
           f"no output of {file.path} is called {short(name)!r}; it has {listed}", file.path)


class _Reader:
    """Builds the graph of one file."""

    def __init__(self, file: File, size: int) -> None:
        self._file = file
        self._build = Builder(size)
        self._nodes: dict[int, Node] = {}
        self._weights: set[str] = set()
        self._rounded: set[str] = set()

    def source(self, output: int) -> Source:
        """The whole Source."""
        file = self._file
        live = self._live(output)
        picture = self._picture(live, output)
        for i in live:
            self._add(file.operators[i], i)
        graph = self._build.graph(self._nodes[picture], self._value(output, "the output"))
        values = sum(math.prod(s or 1 for s in n.shape or ()) for n in graph.nodes)
        run = Run(file, live, picture, output, tuple(s or 1 for s in graph.input.shape or ()),
                  values)
        return Source(graph, runtime=Runtime("LiteRT", partial(start, run)),
                      approximate=self._approximate(file.tensor(picture)))

    def _live(self, output: int) -> list[int]:
        """The operators that the output depends on, in order, which is the file's."""
        needed, live = {output}, list[int]()
        for i, op in reversed([*enumerate(self._file.operators)]):
            if not needed.isdisjoint(op.outputs):
                live.append(i)
                needed.update(op.inputs)
        return live[::-1]

    def _picture(self, live: list[int], output: int) -> int:
        """The only input that the output depends on; the graph's input is made of it."""
        file = self._file
        used = {output}.union(*(file.operators[i].inputs for i in live))
        mine = [i for i in dict.fromkeys(file.inputs) if i in used]
        if len(mine) != 1:
            words = ", ".join(file.tensor(i).name for i in mine[:8]) or "none"
            refuse("X008", f"{file.path} takes {len(mine)} inputs ({words}), not one picture",
                   file.path, len(mine), 1)
        t = file.tensor(mine[0])
        # A size that may change is -1 in the signature, and a sample of it in the shape.
        free = t.signature if len(t.signature) == len(t.shape) else t.shape
        shape = [fmt.INPUT_SIDE if i and f < 0 and s != fmt.INPUT_CHANNELS else s
                 for i, (s, f) in enumerate(zip(t.shape, free, strict=True))]
        if len(shape) != 4 or not 0 < math.prod(shape) <= MOST:
            refuse("X016", f"the input {t.name} is {[*t.shape]}, not a picture", t.name,
                   [*t.shape], [1, fmt.INPUT_SIDE, fmt.INPUT_SIDE, fmt.INPUT_CHANNELS])
        self._nodes[mine[0]] = self._build.input(shape, t.name)
        if t.quantised:
            self._rounded.add(t.kind)
        return mine[0]

    def _value(self, i: int, user: str) -> Node:
        """The node of a tensor that `user` takes. Raises X007 where nothing makes it."""
        node = self._nodes.get(i)
        if node is not None:
            return node
        t = self._file.tensor(i)
        value = self._file.constant(t)
        if value is None:
            refuse("X007", f"{user} takes {t.name}, which nothing before it makes", t.name)
        if t.quantised and t.kind in EIGHT_BITS:
            self._weights.add(t.kind)
        # Made anew for each use, and each use counts: what is kept is bounded by what is counted.
        return self._build.const(value, t.name)

    def _add(self, op: Operator, number: int) -> None:
        if not op.outputs:
            refuse("X007", f"operator {number} ({op.name}) has no output", self._file.path)
        outputs = [self._file.tensor(i) for i in op.outputs]
        place = f"{outputs[0].name} ({op.name})"
        given = [None if i == -1 else self._value(i, place) for i in op.inputs]
        layer = Layer(self._build, op.name, place, given, op.table.table(4), outputs)
        row = None if op.custom else ROWS.get(op.name)
        made = row(layer) if row else [layer.foreign()] * len(outputs)
        nodes = made if isinstance(made, list) else [made]
        if len(nodes) != len(outputs):
            refuse("X007", f"{place} has {len(outputs)} outputs", place, len(outputs), len(nodes))
        for i, t, node in zip(op.outputs, outputs, nodes, strict=True):
            if i in self._nodes:
                refuse("X007", f"{t.name} is made twice", place)
            if t.quantised and node.value is None:
                self._rounded.add(t.kind)
                node = _saturated(layer, node, t)
            self._nodes[i] = node

    def _approximate(self, picture: Tensor) -> str:
        if not self._rounded:
            kinds = " and ".join(sorted(self._weights))
            return f"{kinds} weights, dequantised" if kinds else ""
        bits = 16 if self._rounded == {"int16"} else 8
        text = f"full-integer, dequantised: activations were rounded to {bits} bits in the source"
        if picture.scale is None or picture.kind not in EIGHT_BITS:
            return text
        scale, zero = float(picture.scale.scale[0]), int(picture.scale.zero[0])
        low = (EIGHT_BITS[picture.kind] - zero) * scale
        return f"{text}; its input's 256 values stand for {low:.4g} to {low + 255 * scale:.4g}"


def _saturated(layer: Layer, x: Node, t: Tensor) -> Node:
    """A weighted layer's output after the activation that only its range states.

    Older converters leave out a ReLU or ReLU6 whose range is the range of the 8 bits.
    """
    if (layer.op not in _tflite_conv.WEIGHTED or layer.activation or t.scale is None
            or t.kind not in EIGHT_BITS or t.scale.zero[0] != EIGHT_BITS[t.kind]):
        return x
    if abs(float(t.scale.scale[0]) * 255 - 6) < SIX:
        return layer.active(x, RELU6)
    return layer.active(x, RELU)
