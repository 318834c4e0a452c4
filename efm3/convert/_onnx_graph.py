# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""An ONNX model's graph, from its picture to one output, as the graph of known operations."""

from __future__ import annotations

from dataclasses import dataclass, field

from efm3 import format as fmt
from efm3.convert._onnx_call import Call
from efm3.convert._onnx_file import NODE, OPSET, File
from efm3.convert._onnx_layers import LAYERS
from efm3.convert._onnx_live import DOMAINS, Item, Live
from efm3.convert._onnx_quant import QUANTISED
from efm3.convert._onnx_shapes import SHAPES
from efm3.convert._onnx_tensors import BFLOAT, DOUBLE, FLOAT, HALF, Store, computed_in, type_name
from efm3.convert._protobuf import Message
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
"""Outputs, or sizes of one, that a refusal lists."""


@dataclass
class Read:
    """The graph, and what running the model as it is takes."""

    file: File
    graph: Graph
    live: Live
    output: str
    values: dict[str, Node]
    """The node of each name."""
    kinds: dict[str, int] = field(default_factory=dict)
    """The element type of each constant that is used."""
    mended: set[int] = field(default_factory=set)
    """The ids of the items whose slopes are to be reshaped."""
    fed_kind: int = FLOAT
    """The element type of the picture; 0 where it is not stated."""
    approximate: str = ""


def read(file: File, output: str | None) -> Read:
    """Build the graph of what the output depends on. Raises Efm3Error."""
    stated = [file.wire.message(s, OPSET) for s in file.model.spans("opset_import")]
    opset = next((o.whole("version", 0) for o in stated if o.word("domain") in DOMAINS), 0)
    if opset < MIN_OPSET:
        refuse("X008", f"it states opset {opset}; {MIN_OPSET} or newer is read", "opset_import",
               opset, f"at least {MIN_OPSET}")
    name = _chosen(file, output)
    return _Reader(file, Live(file, name)).read(name)


def _chosen(file: File, wanted: str | None) -> str:
    """The output to convert: the one wanted, which any node may make, or the only one."""
    outputs = {v.word("name"): v for v in file.graph.all("output")}
    if wanted is None and len(outputs) == 1:
        return next(iter(outputs))
    listed = ", ".join(f"{n} {_words(v)}" for n, v in [*outputs.items()][:SHOWN])
    if wanted is None:
        refuse("X018", f"it has {len(outputs)} outputs: {listed}; give --output NAME", "output",
               len(outputs), 1)
    if wanted not in outputs and not any(
            wanted in file.wire.message(s, NODE).words("output") for s in file.graph.spans("node")):
        refuse("X018", f"no node makes {wanted}; its outputs: {listed}", wanted)
    return wanted


def _kind(v: Message) -> int:
    return v.sub("type").sub("tensor_type").whole("elem_type", 0)


def _sizes(v: Message) -> list[tuple[int, str]] | None:
    """The sizes of an input or an output, each a number or 0 and a name; None for any."""
    kind = v.sub("type").sub("tensor_type")
    if "shape" not in kind:
        return None
    return [(max(d.whole("dim_value", 0), 0), d.word("dim_param"))
            for d in kind.sub("shape").all("dim")]


def _words(v: Message) -> str:
    """The shape of an input or an output as its file states it."""
    sizes = _sizes(v)
    if sizes is None:
        return "of any shape"
    return "[" + ", ".join(str(size) if size else name or "?" for size, name in sizes[:SHOWN]) + "]"


class _Reader:
    def __init__(self, file: File, live: Live) -> None:
        self._file = file
        self._live = live
        self._store = Store(file)
        self._builder = Builder(len(file.wire.data))
        self._counted = 0
        self._values: dict[str, Node] = {}
        self._kinds: dict[str, int] = {}
        self._rounds: dict[str, None] = {}

    def read(self, output: str) -> Read:
        fed = self._live.fed
        if len(fed) != 1:
            refuse("X008", f"its output depends on {len(fed)} inputs, not on one picture",
                   ", ".join(v.word("name") for v in fed), len(fed), 1)
        name = fed[0].word("name")
        picture = self._values[name] = self._builder.input(_shape(fed[0], name), name)
        mended = {id(item) for item in self._live.items if self._item(item)}
        graph = self._builder.graph(picture, self._values[output])
        return Read(self._file, graph, self._live, output, self._values, self._kinds, mended,
                    _kind(fed[0]), ", ".join(self._rounds))

    def _item(self, item: Item) -> bool:
        """Build one item; True where the runtime's copy is to be mended."""
        call = Call(item, [self._value(i, item) if i else None for i in item.inputs], self._file,
                    self._builder, self._store)
        how = READ.get(item.op)
        made = call.foreign() if how is None else how(call)
        nodes = [made] if isinstance(made, Node) else [*made]
        for i, name in enumerate(item.outputs):
            # What has no second output here (a mask, a mean) can be asked for all the same.
            self._values[name] = nodes[i] if i < len(nodes) else call.foreign()
        if call.rounds:
            self._rounds[call.rounds] = None
        if call.kind:
            self._kinds[item.outputs[0]] = call.kind
        return call.mended

    def _value(self, name: str, item: Item) -> Node:
        """The node of a name; an initializer becomes one when it is first used."""
        if name not in self._values:
            tensor = self._live.tensors[name]
            self._values[name] = self._builder.const(self._store.value(tensor, name), name)
            self._builder.grow(self._store.outside - self._counted)
            self._counted = self._store.outside
            self._kinds[name] = tensor.whole("data_type", 0)
        if self._kinds.get(name) in (HALF, BFLOAT) and item.op not in ("Cast", "CastLike"):
            self._rounds[computed_in(self._kinds[name])] = None
        return self._values[name]


def _shape(v: Message, name: str) -> list[int]:
    """The picture's shape: one picture where the batch is free, 112×112 where the size is."""
    if _kind(v) not in FED:
        word = type_name(_kind(v))
        refuse("X016", f"the input {name} is of element type {word}, not FLOAT", name, word,
               "FLOAT")
    channels, side = fmt.INPUT_CHANNELS, fmt.INPUT_SIDE
    sizes = _sizes(v)
    if sizes is None:
        return [1, channels, side, side]
    if len(sizes) != 4:
        refuse("X016", f"the input {name} is {_words(v)}, not [N, 3, 112, 112] or "
                       "[N, 112, 112, 3]", name, _words(v))
    dims = [size for size, _ in sizes]
    last = dims[1] != channels and (dims[3] == channels or dims[1] == side)
    usual = [1, side, side, channels] if last else [1, channels, side, side]
    return [d or u for d, u in zip(dims, usual, strict=True)]
