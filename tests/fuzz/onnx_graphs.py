# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A mutator of ONNX models for fuzz_python.py: the graph is changed, the encoding stays whole."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from efm3.convert._onnx_graph import READ
from tests.fuzz.mutators import raw

if TYPE_CHECKING:
    import onnx

EDGES = (-2**63, -2**31, -1, 0, 1, 2, 3, 4, 7, 16, 112, 2**31 - 1, 2**63 - 1)
OPS = (*sorted(READ), "If", "Loop", "NonZero", "")


def seeds() -> list[bytes]:
    """The models of the reader's tests."""
    from tests.convert.onnx_cases import CASES, model_of

    return [model_of(nodes).SerializeToString() for nodes in CASES.values()]


def graph(rng: random.Random, data: bytes) -> bytes:
    """The serialized model with one to three changes of nodes, edges, shapes or values."""
    import onnx

    if rng.randrange(5) == 0:
        return raw(rng, data)
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(data)
    except Exception:
        return raw(rng, data)
    for _ in range(rng.randint(1, 3)):
        try:
            _change(rng, proto)
        except UnicodeDecodeError:
            # A name that is no UTF-8, of an earlier change of raw bytes, cannot be set again.
            return raw(rng, data)
    out: bytes = proto.SerializeToString()
    return out


def _change(rng: random.Random, proto: onnx.ModelProto) -> None:
    g = proto.graph
    if g.node and rng.random() < 0.6:
        _node(rng, g)
    elif g.initializer and rng.random() < 0.8:
        _constant(rng, rng.choice(g.initializer))
    else:
        _model(rng, proto)


def _node(rng: random.Random, g: onnx.GraphProto) -> None:
    node = rng.choice(g.node)
    names = [*(n for other in g.node for n in other.output), *(t.name for t in g.initializer), "",
             "nobody"]
    kind = rng.randrange(8)
    if kind == 0:
        node.op_type = rng.choice(OPS)
    elif kind == 7 and node.input:
        # One more, between a node and what it takes.
        new = g.node.add(op_type=rng.choice(OPS), output=[f"{len(g.node)}/new"])
        new.input.extend([node.input[0], *rng.choices(names, k=rng.randrange(4))])
        node.input[0] = new.output[0]
    elif kind == 1 and node.input:
        node.input[rng.randrange(len(node.input))] = rng.choice(names)
    elif kind == 2 and node.output:
        node.output[rng.randrange(len(node.output))] = rng.choice(names)
    elif kind == 3 and node.attribute:
        _attribute(rng, rng.choice(node.attribute))
    elif kind == 4:
        g.node.remove(node)
    elif kind == 5:
        g.node.insert(rng.randrange(len(g.node) + 1), node)
    elif node.input:
        rng.choice((node.input.pop, lambda: node.input.append(rng.choice(names))))()


def _attribute(rng: random.Random, attribute: onnx.AttributeProto) -> None:
    kind = rng.randrange(5)
    if kind == 0 and attribute.ints:
        attribute.ints[rng.randrange(len(attribute.ints))] = rng.choice(EDGES)
    elif kind == 1:
        attribute.i = rng.choice(EDGES)
    elif kind == 2:
        attribute.f = rng.choice((0.0, -1.0, 1e-5, float("nan"), float("inf"), 3e38))
    elif kind == 3 and attribute.ints:
        attribute.ints.pop()
    else:
        attribute.name = rng.choice(("axis", "axes", "epsilon", "group", "pads", "strides", "perm",
                                     "kernel_shape", "value", "auto_pad", "to", "split", "keepdims",
                                     "transA", "alpha", "starts", "ends", "x"))


def _constant(rng: random.Random, tensor: onnx.TensorProto) -> None:
    kind = rng.randrange(6)
    if kind == 0 and tensor.dims:
        tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(EDGES)
    elif kind == 1:
        tensor.dims.append(rng.choice(EDGES))
    elif kind == 2:
        tensor.data_type = rng.randrange(24)
    elif kind == 3:
        tensor.raw_data = raw(rng, tensor.raw_data)
    elif kind == 4:
        tensor.data_location = rng.randrange(2)
        entry = tensor.external_data.add()
        entry.key = rng.choice(("location", "offset", "length", "x"))
        entry.value = rng.choice(("", "x", "..", "/dev/zero", "a\0b", "-1", str(2**70)))
    else:
        tensor.name = rng.choice(("", "x", f"{tensor.name!r}x"))


def _model(rng: random.Random, proto: onnx.ModelProto) -> None:
    kind = rng.randrange(5)
    if kind == 0 and proto.opset_import:
        proto.opset_import[0].version = rng.choice(EDGES)
    elif kind == 1 and proto.metadata_props:
        entry = rng.choice(proto.metadata_props)
        # Text that is no UTF-8 comes from the parser as bytes.
        value = entry.value if isinstance(entry.value, bytes) else entry.value.encode()
        entry.value = raw(rng, value).decode("utf-8", "replace")
    elif kind == 2 and proto.graph.input:
        entry = proto.graph.input[0]
        dims = entry.type.tensor_type.shape.dim
        if dims:
            rng.choice(dims).dim_value = rng.choice(EDGES)
    elif kind == 3 and proto.graph.output:
        proto.graph.output[0].name = rng.choice(("", "x", *proto.graph.node[0].output[:1])
                                                if proto.graph.node else ("", "x"))
    else:
        del proto.metadata_props[:]
