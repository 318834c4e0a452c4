# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""An ONNX model's graph, from its picture to one output, as the graph of known operations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from efm3 import format as fmt
from efm3.convert._onnx_call import Call
from efm3.convert._onnx_external import External
from efm3.convert._onnx_file import text
from efm3.convert._onnx_layers import LAYERS
from efm3.convert._onnx_live import DOMAINS, Item, Live
from efm3.convert._onnx_quant import QUANTISED
from efm3.convert._onnx_shapes import LISTS, SHAPES
from efm3.convert._onnx_tensors import BFLOAT, DOUBLE, FLOAT, HALF, stored, type_name, value
from efm3.convert.graph.build import Builder
from efm3.convert.graph.nodes import Graph, Node
from efm3.findings import refuse

MIN_OPSET = 7
"""Older ones align shapes by an attribute of each operation."""
READ = {**LAYERS, **SHAPES, **QUANTISED}
"""How each operation is read."""
FED = {0: "<f4", FLOAT: "<f4", HALF: "<f2", DOUBLE: "<f8", 2: "u1", 3: "i1"}
"""Element types of a picture, and what it is fed as."""
SHOWN = 8
"""Outputs that a refusal lists."""


@dataclass
class Read:
    """The graph, and what running the model as it is takes."""

    graph: Graph
    live: Live
    picture: Any
    output: str
    values: dict[str, Node]
    """The node of each name."""
    kinds: dict[str, int] = field(default_factory=dict)
    """The element type of each constant that is used."""
    mended: set[int] = field(default_factory=set)
    """The ids of the items whose slopes are to be reshaped."""
    approximate: str = ""


def read(model: Any, path: str, size: int, output: str | None) -> Read:
    """Build the graph of what the output depends on. Raises Efm3Error."""
    versions = {text(o.domain): o.version for o in model.opset_import}
    opset = next((versions[d] for d in DOMAINS if d in versions), 0)
    if opset < MIN_OPSET:
        refuse("X008", f"it states opset {opset}; {MIN_OPSET} or newer is read", "opset_import",
               opset, f"at least {MIN_OPSET}")
    name = _chosen(model.graph, output)
    return _Reader(Live(model.graph, name), External(path), Builder(size)).read(name)


def _chosen(graph: Any, wanted: str | None) -> str:
    """The output to convert: the one wanted, which any node may make, or the only one."""
    outputs = {text(v.name): v for v in graph.output}
    if wanted is None and len(outputs) == 1:
        return next(iter(outputs))
    listed = ", ".join(f"{n} {_words(v)}" for n, v in [*outputs.items()][:SHOWN])
    if wanted is None:
        refuse("X018", f"it has {len(outputs)} outputs: {listed}; give --output NAME", "output",
               len(outputs), 1)
    if wanted not in outputs and all(wanted not in map(text, n.output) for n in graph.node):
        refuse("X018", f"no node makes {wanted}; its outputs: {listed}", wanted)
    return wanted


def _words(v: Any) -> str:
    """The shape of an input or an output as its file states it."""
    kind = v.type.tensor_type
    if not kind.HasField("shape"):
        return "of any shape"
    return "[" + ", ".join(str(d.dim_value) if d.dim_value > 0 else text(d.dim_param) or "?"
                           for d in kind.shape.dim[:SHOWN]) + "]"


class _Reader:
    def __init__(self, live: Live, external: External, builder: Builder) -> None:
        self._live = live
        self._external = external
        self._builder = builder
        self._counted = 0
        self._values: dict[str, Node] = {}
        self._kinds: dict[str, int] = {}
        self._rounds: dict[str, None] = {}

    def read(self, output: str) -> Read:
        fed = self._live.fed
        if len(fed) != 1:
            refuse("X008", f"its output depends on {len(fed)} inputs, not on one picture",
                   ", ".join(text(v.name) for v in fed), len(fed), 1)
        picture = self._builder.input(_shape(fed[0]), text(fed[0].name))
        self._values[text(fed[0].name)] = picture
        mended = set()
        for item in self._live.items:
            if self._item(item):
                mended.add(id(item))
        out = self._values[output]
        return Read(self._builder.graph(picture, out), self._live, fed[0], output, self._values,
                    self._kinds, mended, ", ".join(self._rounds))

    def _item(self, item: Item) -> bool:
        """Build one item; True where the runtime's copy is to be mended."""
        call = Call(item, [self._value(i, item) if i else None for i in item.inputs],
                    self._builder, self._external)
        how = READ.get(item.op)
        made = call.foreign() if how is None else how(call)
        nodes = [made] if isinstance(made, Node) else [*made]
        for i, name in enumerate(item.outputs):
            # What has no second output here (a mask, a mean) can be asked for all the same.
            self._values[name] = nodes[i] if i < len(nodes) else call.foreign()
        if call.rounds:
            self._rounds[call.rounds] = None
        if item.op == "Constant":
            self._kinds[item.outputs[0]] = _kind(item)
        return call.mended

    def _value(self, name: str, item: Item) -> Node:
        """The node of a name; an initializer becomes one when it is first used."""
        if name not in self._values:
            t = self._live.tensors[name]
            array = value(stored(t, name, self._external), t.data_type)
            self._builder.grow(self._external.taken - self._counted)
            self._counted = self._external.taken
            self._values[name] = self._builder.const(array, name)
            self._kinds[name] = t.data_type
        if self._kinds.get(name) in (HALF, BFLOAT) and item.op not in ("Cast", "CastLike"):
            self._rounds[f"computed in {type_name(self._kinds[name]).lower()}"] = None
        return self._values[name]


def _kind(item: Item) -> int:
    """The element type of a Constant."""
    attribute = item.proto.attribute[0]
    if text(attribute.name) == "value":
        return int(attribute.t.data_type)
    return FLOAT if LISTS[text(attribute.name)][1] == "<f4" else 7


def _shape(v: Any) -> list[int]:
    """The picture's shape: one picture where the batch is free, 112×112 where the size is."""
    kind = v.type.tensor_type
    name = text(v.name)
    if kind.elem_type not in FED:
        kind_name = type_name(kind.elem_type)
        refuse("X016", f"the input {name} is of element type {kind_name}, not float32", name,
               kind_name, "FLOAT")
    channels, side = fmt.INPUT_CHANNELS, fmt.INPUT_SIDE
    if not kind.HasField("shape"):
        return [1, channels, side, side]
    if len(kind.shape.dim) != 4:
        refuse("X016", f"the input {name} is {_words(v)}, not [N, 3, 112, 112] or "
                       "[N, 112, 112, 3]", name, _words(v))
    dims = [int(d.dim_value) if d.dim_value > 0 else 0 for d in kind.shape.dim]
    last = dims[3] == channels and dims[1] != channels
    usual = [1, side, side, channels] if last or (not dims[3] and dims[1] == side) else [
        1, channels, side, side]
    return [d or u for d, u in zip(dims, usual, strict=True)]
