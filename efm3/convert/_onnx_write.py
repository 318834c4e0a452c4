# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Writes the ONNX model: nodes by onnx's helper, weights one after the other.

A protobuf message is its fields, each a number, a length and the bytes, in any order. The
weights are appended to the nodes as such fields, so that they are in memory once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from efm3 import format as fmt
from efm3.arrays import Array
from efm3.convert import _meta, _upright
from efm3.convert._fold import fold as folded
from efm3.model import Model
from efm3.network import BN_TENSORS, Layer, layers
from efm3.version import __version__

OPSET, IR_VERSION = 17, 8
INPUT, OUTPUT, LEAST = "input", "embedding", "norm/least"
BATCH = "N"

Shape = tuple[int, ...]


def pieces(library: Any, model: Model, fold: bool) -> Iterator[bytes]:
    """The model's bytes; `library` is the onnx module."""
    helper = library.helper
    head = library.ModelProto(ir_version=IR_VERSION, producer_name="efm3",
                              producer_version=__version__,
                              opset_import=[helper.make_opsetid("", OPSET)])
    texts = _meta.texts(model)
    if fold:
        # A seal is valid only for the file's own tensors, which a folded graph does not have.
        texts = {_meta.ARCH_KEY: texts[_meta.ARCH_KEY]}
    helper.set_model_props(head, texts)
    nodes = _graph(helper, model, fold).SerializeToString()
    number = {name: kind.DESCRIPTOR.fields_by_name[name].number for kind, name in (
        (library.ModelProto, "graph"), (library.GraphProto, "initializer"),
        (library.TensorProto, "raw_data"))}

    def tensor(name: str, value: Array) -> bytes:
        own = library.TensorProto(name=name, dims=value.shape,
                                  data_type=library.TensorProto.FLOAT).SerializeToString()
        own = bytes(own) + start(number["raw_data"], value.nbytes)
        return start(number["initializer"], len(own) + value.nbytes) + own

    total = len(nodes) + sum(len(tensor(n, v)) + v.nbytes for n, v in _constants(model, fold))
    yield head.SerializeToString() + start(number["graph"], total) + nodes
    for name, value in _constants(model, fold):
        yield tensor(name, value)
        yield np.ascontiguousarray(value, "<f4").tobytes()


def start(number: int, size: int) -> bytes:
    """The start of a field of that many bytes (wire type 2)."""
    return _varint(number << 3 | 2) + _varint(size)


def field(number: int, held: bytes | memoryview) -> bytes:
    """A field of bytes."""
    return start(number, len(held)) + held


def word(number: int, held: str) -> bytes:
    """A field of text."""
    return field(number, held.encode("utf-8", "surrogatepass"))


def number(number: int, held: int) -> bytes:
    """A field of a number that is not negative."""
    return _varint(number << 3) + _varint(held)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _constants(model: Model, fold: bool) -> Iterator[tuple[str, Array]]:
    yield LEAST, np.array(fmt.L2_EPS, np.float32)
    for layer in layers(model.arch):
        def own(name: str, of: str = layer.name) -> Array:
            return np.asarray(model.tensors[f"{of}.{name}"])

        bn = {k: own(k) for k in BN_TENSORS}
        upright = _upright.weight(model, own("conv.w"))
        if fold:
            weight, bias = folded(upright, bn)
            yield f"{layer.name}.conv.w", weight
            yield f"{layer.name}.conv.b", bias
        else:
            yield f"{layer.name}.conv.w", upright
            for k, v in bn.items():
                yield f"{layer.name}.{k}", v
        if layer.act:
            yield f"{layer.name}.act.w", own("act.w").reshape(-1, 1, 1)


def _graph(helper: Any, model: Model, fold: bool) -> Any:
    """The graph without its weights; it states the shape of every value, so that an explorer shows
    it on the edges."""
    nodes: list[Any] = []
    shapes: list[Any] = []

    def node(op: str, inputs: list[str], name: str, shape: Shape, doc: str = "",
             **own: Any) -> str:
        output = f"{name}/y"
        nodes.append(helper.make_node(op, inputs, [output], name, doc or None, **own))
        shapes.append(helper.make_tensor_value_info(output, 1, [BATCH, *shape]))
        return output

    value, entries = INPUT, {}
    for layer in layers(model.arch):
        entries[layer.name] = value
        value = _layer(node, layer, value, fold, _upright.pads(model, layer))
        if layer.residual:
            value = node("Add", [value, entries[layer.residual]], f"{layer.name}/add",
                         _map(layer), f"adds the input of {layer.residual}")
    size = model.arch.embedding_dim
    value = node("Flatten", [value], "flatten", (size,), axis=1)
    norm = node("ReduceL2", [value], "norm", (1,), axes=[1], keepdims=1)
    norm = node("Max", [norm, LEAST], "norm/max", (1,))
    nodes.append(helper.make_node("Div", [value, norm], [OUTPUT], "normalize",
                                  "the embedding has length 1"))
    picture = [BATCH, fmt.INPUT_CHANNELS, fmt.INPUT_SIDE, fmt.INPUT_SIDE]
    return helper.make_graph(
        nodes, model.arch.name or "mobilefacenet",
        [helper.make_tensor_value_info(INPUT, 1, picture)],
        [helper.make_tensor_value_info(OUTPUT, 1, [BATCH, size])], value_info=shapes)


def _map(layer: Layer) -> Shape:
    """The shape of a layer's output, but for the batch."""
    return layer.out_channels, layer.out_side, layer.out_side


def _layer(node: Any, layer: Layer, value: str, fold: bool, pads: tuple[int, ...]) -> str:
    name, shape = layer.name, _map(layer)
    said = (f"{layer.name}: {layer.kind}, kernel {layer.kernel}, stride {layer.stride}, channels "
            f"{layer.in_channels} to {layer.out_channels}, side {layer.in_side} to "
            f"{layer.out_side}")
    value = node("Conv", [value, f"{name}.conv.w", *([f"{name}.conv.b"] if fold else [])],
                 f"{name}/conv", shape, said, group=layer.groups,
                 kernel_shape=[layer.kernel] * 2, pads=list(pads), strides=[layer.stride] * 2)
    if not fold:
        value = node("BatchNormalization", [value, *(f"{name}.{k}" for k in BN_TENSORS)],
                     f"{name}/bn", shape, epsilon=fmt.BN_EPS)
    if layer.act:
        value = node("PRelu", [value, f"{name}.act.w"], f"{name}/act", shape)
    return str(value)
