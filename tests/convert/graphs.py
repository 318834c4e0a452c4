# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""ONNX graphs as other exporters spell them, made from the one that efm3 writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

import efm3
from efm3.convert.onnx import parts

Change = Callable[[onnx.ModelProto], None]


def proto(model: efm3.Model, fold: bool = False) -> onnx.ModelProto:
    """The graph that efm3 writes of a model, without EFM3's metadata."""
    p = onnx.ModelProto.FromString(b"".join(parts(model, "x.onnx", fold)))
    del p.metadata_props[:]
    return p


def tensor(p: onnx.ModelProto, name: str) -> onnx.TensorProto:
    return next(t for t in p.graph.initializer if t.name == name)


def value(p: onnx.ModelProto, name: str) -> NDArray[Any]:
    array: NDArray[Any] = numpy_helper.to_array(tensor(p, name))
    return array


def put(p: onnx.ModelProto, name: str, array: NDArray[np.generic]) -> str:
    """Replace an initializer, or add one; returns its name."""
    for t in list(p.graph.initializer):
        if t.name == name:
            p.graph.initializer.remove(t)
    p.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
    return name


def node(p: onnx.ModelProto, name: str) -> onnx.NodeProto:
    return next(n for n in p.graph.node if n.name == name)


def attribute(n: onnx.NodeProto, name: str, value: Any) -> None:
    for a in list(n.attribute):
        if a.name == name:
            n.attribute.remove(a)
    if value is not None:
        n.attribute.append(helper.make_attribute(name, value))


def insert(p: onnx.ModelProto, before: str, op: str, inputs: list[Any], name: str,
           **own: Any) -> onnx.NodeProto:
    """A node in front of the node called `before`, which then takes its output first.

    `...` among the inputs stands for what that node took.
    """
    at = next(i for i, n in enumerate(p.graph.node) if n.name == before)
    old = p.graph.node[at].input[0]
    new = helper.make_node(op, [old if i is ... else i for i in inputs], [f"{name}/y"], name, **own)
    p.graph.node[at].input[0] = f"{name}/y"
    p.graph.node.insert(at, new)
    return new


def cut(p: onnx.ModelProto, name: str) -> None:
    """Take out a node; what took its output takes its first input."""
    gone = node(p, name)
    p.graph.node.remove(gone)
    for n in p.graph.node:
        for i, v in enumerate(n.input):
            if v == gone.output[0]:
                n.input[i] = gone.input[0]


def opset(p: onnx.ModelProto, version: int) -> None:
    del p.opset_import[:]
    p.opset_import.append(helper.make_opsetid("", version))


def norm(p: onnx.ModelProto, *nodes: tuple[str, list[str], str, dict[str, Any]]) -> None:
    """Replace everything behind `flatten` by nodes (op, inputs, output, attributes)."""
    for n in list(p.graph.node):
        if n.name in ("norm", "norm/max", "normalize"):
            p.graph.node.remove(n)
    for op, inputs, output, own in nodes:
        p.graph.node.append(helper.make_node(op, inputs, [output], op + output, **own))


def dense(op: str, flipped: bool) -> Change:
    def change(p: onnx.ModelProto) -> None:
        w = value(p, "embed_proj.conv.w")[:, :, 0, 0]
        put(p, "embed_proj.conv.w", w.T if flipped else w)
        n = node(p, "embed_proj/conv")
        n.op_type = op
        del n.attribute[:]
        if op == "Gemm":
            attribute(n, "transB", int(not flipped))
        cut(p, "flatten")
        insert(p, "embed_proj/conv", "Flatten", [...], "flatten", axis=1)
        node(p, "norm").input[0] = node(p, "normalize").input[0] = "embed_proj/bn/y"
    return change


def reshape(*shape: int) -> Change:
    def change(p: onnx.ModelProto) -> None:
        n = node(p, "flatten")
        n.op_type = "Reshape"
        del n.attribute[:]
        n.input.append(put(p, "shape", np.array(shape, np.int64)))
    return change
