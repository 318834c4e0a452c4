# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Writes the base network as an ONNX graph, in any opset from 9 on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from efm3 import format as fmt
from efm3.arrays import Array, Floats
from tests.zoo.base import Part, Walk, sizes

F = onnx.TensorProto.FLOAT
SIDE = fmt.INPUT_SIDE


class Net(Walk):
    """A Conv, a BatchNormalization and a PRelu for each layer, Flatten, ReduceL2 and Div.

    A node is called after its layer and its operation, as `stem/Conv`.
    """

    opset = 13
    eps = fmt.BN_EPS
    batch: int | str = "N"
    input_type = F
    input_shape: tuple[int | str, ...] = (3, SIDE, SIDE)

    def __init__(self) -> None:
        super().__init__()
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []
        self.outputs: list[str] = []
        self._count: dict[str, int] = {}

    # Parts of a graph.

    def name(self, word: str) -> str:
        """A new name in the layer that is written."""
        name = f"{self.at}/{word}"
        count = self._count[name] = self._count.get(name, -1) + 1
        return f"{name}_{count}" if count else name

    def several(self, op: str, inputs: Sequence[str], count: int, **attrs: Any) -> list[str]:
        """A node of `count` outputs."""
        name = self.name(op)
        out = [f"{name}:{i}" for i in range(count)]
        self.nodes.append(helper.make_node(op, inputs, out, name, **attrs))
        return out

    def op(self, op: str, *inputs: str, **attrs: Any) -> str:
        """A node of one output, which is returned."""
        return self.several(op, inputs, 1, **attrs)[0]

    def put(self, value: Any, kind: Any = np.float32) -> str:
        """A constant, as an initializer."""
        name = self.name("value")
        array = np.ascontiguousarray(np.asarray(value, kind))
        self.tensors.append(numpy_helper.from_array(array.reshape(np.shape(value)), name))
        return name

    def ints(self, *values: int) -> str:
        """A constant of whole numbers [n]."""
        return self.put(values, np.int64)

    def axes(self, op: str, x: str, axes: Sequence[int], since: int, **attrs: Any) -> str:
        """An operation over axes: an attribute before opset `since`, then an input."""
        if self.opset < since:
            return self.op(op, x, axes=axes, **attrs)
        return self.op(op, x, self.ints(*axes), **attrs)

    def squeeze(self, x: str, *axes: int) -> str:
        """x without these axes."""
        return self.axes("Squeeze", x, axes, 13)

    def unsqueeze(self, x: str, *axes: int) -> str:
        """x with these new axes."""
        return self.axes("Unsqueeze", x, axes, 13)

    def reduce(self, op: str, x: str, *axes: int, keepdims: int = 1) -> str:
        """A reduction."""
        return self.axes(op, x, axes, 13 if op == "ReduceSum" else 18, keepdims=keepdims)

    def clip(self, x: str, low: float | None = None, high: float | None = None) -> str:
        """Clip with the limits that are given."""
        if self.opset < 11:
            limits = {"min": low, "max": high}
            return self.op("Clip", x, **{k: v for k, v in limits.items() if v is not None})
        inputs = ["" if v is None else self.put(v) for v in (low, high)]
        return self.op("Clip", x, *inputs[:1 if high is None else 2])

    def pad(self, x: str, *pads: int) -> str:
        """Pad with zeros: all that is before, then all that is after."""
        if self.opset < 11:
            return self.op("Pad", x, pads=pads)
        return self.op("Pad", x, self.ints(*pads))

    def channels(self, v: Array) -> str:
        """A constant for each channel of a map, [C, 1, 1]."""
        return self.put(v.reshape(-1, 1, 1))

    # The network.

    def picture(self) -> str:
        return "picture"

    def weight(self, part: Part) -> Array:
        """The convolution's weight."""
        return part.w

    def bias(self, part: Part) -> Array | None:
        """The convolution's bias."""
        return None

    def geometry(self, part: Part) -> dict[str, Any]:
        """The convolution's attributes."""
        layer = part.layer
        return {"kernel_shape": [layer.kernel] * 2, "strides": [layer.stride] * 2,
                "pads": [layer.padding] * 4, "group": layer.groups, "dilations": [1, 1]}

    def conv(self, part: Part, x: str) -> str:
        bias = self.bias(part)
        more = [] if bias is None else [self.put(bias)]
        return self.op("Conv", x, self.put(self.weight(part)), *more, **self.geometry(part))

    def statistics(self, part: Part) -> tuple[Array, Array, Array, Array]:
        """BatchNorm's scale, shift, mean and variance, for `eps`."""
        return part.gamma, part.beta, part.mean, part.var

    def bn(self, part: Part, x: str) -> str:
        return self.op("BatchNormalization", x, *map(self.put, self.statistics(part)),
                       epsilon=self.eps)

    def slopes(self, slope: Floats) -> Array:
        """The slopes in the shape that PRelu gets."""
        return slope.reshape(-1, 1, 1)

    def act(self, part: Part, slope: Floats, x: str) -> str:
        return self.op("PRelu", x, self.put(self.slopes(slope)))

    def add(self, part: Part, skip: str, x: str) -> str:
        return self.op("Add", skip, x)

    def flat(self, x: str) -> str:
        return self.op("Flatten", x, axis=1)

    def unit(self, x: str) -> str:
        return self.op("Div", x, self.reduce("ReduceL2", x, 1))

    # The file.

    def build(self) -> onnx.ModelProto:
        """The whole file."""
        outputs = [self.walk(), *self.outputs]
        picture = helper.make_tensor_value_info(
            "picture", self.input_type, [self.batch, *self.input_shape])
        graph = helper.make_graph(
            self.nodes, "zoo", [picture],
            [helper.make_tensor_value_info(o, F, None) for o in outputs], self.tensors)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)],
                                 ir_version=8 if self.opset < 19 else 10)

    def save(self, folder: Path) -> Path:
        """Writes it into the folder."""
        path = folder / "zoo.onnx"
        path.write_bytes(self.build().SerializeToString())
        return path

    # Its own runtime.

    def feed(self, x: Floats) -> Array:
        """EFM3's input as this graph takes it."""
        return x

    def run(self, path: Path, x: Floats) -> Array:
        """The graph's first output by onnxruntime."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        # At once as it is written: the graph optimiser would take longer than the run.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(str(path), options)
        name = session.get_outputs()[0].name
        u = self.feed(x)
        batch = self.batch if isinstance(self.batch, int) else len(u)
        rows = [session.run([name], {"picture": part})[0] for part in sizes(batch, u)]
        return np.concatenate(rows)[:len(x)]
