# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""An ONNX graph's preprocessing before the first convolution, and how it is undone.

EFM3's input is x = (p - 127.5) / 128. A graph that starts with y = a*u + b, one constant per
channel, has its zero at u = -b/a. Where that is grey, a picture of pixels p (zero at 127.5) or
of p / 255 (zero at 1/2), y is s*x, and s goes into the first weights. Where b = 0 the graph's
input is taken for EFM3's. Any other offset cannot be undone: the padding's zeros would be
another colour.
"""

from __future__ import annotations

import numpy as np

from efm3 import format as fmt
from efm3.arithmetic import GREY, HALF_RANGE
from efm3.arrays import Array
from efm3.convert._graph import FLOAT, Graph, Node
from efm3.findings import refuse

WHITE = 255.0


class Input:
    """The affine map a*u + b of the graph's input per channel, extended node by node."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self.a = np.ones(fmt.INPUT_CHANNELS)
        self.b = np.zeros(fmt.INPUT_CHANNELS)
        self.nodes: list[str] = []
        kind = graph.input_type
        if kind.elem_type not in (0, FLOAT):
            refuse("X016", f"the input {graph.input} has element type {kind.elem_type}, not "
                           "float32", graph.input, kind.elem_type, FLOAT)
        dims = [d.dim_value if d.HasField("dim_value") else 0 for d in kind.shape.dim]
        want = (0, fmt.INPUT_CHANNELS, fmt.INPUT_SIDE, fmt.INPUT_SIDE)
        if kind.HasField("shape") and (
                len(dims) != 4 or any(d > 0 and w and d != w
                                      for d, w in zip(dims, want, strict=True))):
            refuse("X016", f"the input {graph.input} is {dims}, not [N, 3, 112, 112] (RGB, CHW)",
                   graph.input, dims, [*want])
        self.batch = dims[0] if dims else 0

    @property
    def changed(self) -> bool:
        """True where there is anything to undo."""
        return bool(self.nodes)

    def take(self, node: Node, at: str) -> None:
        """Add a node before the first convolution to the map. Raises X016."""
        if node.op in ("Identity", "Dropout"):
            return
        if node.op not in ("Sub", "Div", "Mul", "Add") or len(node.inputs) != 2:
            refuse("X016", f"{node.name} changes the input in a way that is not undone", node.name)
        first = node.inputs[0] == at
        value = self._graph.constant(node.inputs[1 if first else 0], node).astype(np.float64)
        if value.size == 1:
            value = np.full(fmt.INPUT_CHANNELS, value.reshape(-1)[0])
        elif value.size == fmt.INPUT_CHANNELS and value.shape[-3:] == (value.size, 1, 1):
            value = value.reshape(-1)
        else:
            refuse("X016", f"{node.name} has constants of shape {list(value.shape)}, not one a "
                           "channel", node.name, list(value.shape))
        if node.op == "Div" and (not first or not value.all()):
            refuse("X016", f"{node.name} divides by the input or by zero", node.name)
        if node.op == "Sub" and not first:
            self.a, self.b = -self.a, value - self.b
        elif node.op in ("Sub", "Add"):
            self.b = self.b + (value if node.op == "Add" else -value)
        else:
            factor = value if node.op == "Mul" else 1 / value
            self.a, self.b = self.a * factor, self.b * factor
        self.nodes.append(node.name)

    def feed(self) -> tuple[float, float]:
        """Factor and offset from EFM3's input to the graph's: u = g*x + h."""
        if not self.changed or not self.b.any():
            return 1.0, 0.0
        with np.errstate(all="ignore"):
            zero = -self.b / self.a
        for grey, unit in ((GREY, 1.0), (GREY / WHITE, WHITE)):
            if np.allclose(zero, grey, rtol=1e-6, atol=0):
                return HALF_RANGE / unit, grey
        refuse("X016", f"{', '.join(self.nodes)}: the input's zero is at {zero.tolist()}, EFM3's "
                       "at the grey 127.5; padding would have another colour", self.nodes[0],
               zero.tolist(), GREY)

    def undone(self, weight: Array, place: str) -> Array:
        """The first weights for EFM3's input. Raises X016."""
        factor, _ = self.feed()
        scale = self.a * factor
        if not np.isfinite(scale).all() or not scale.all():
            refuse("X016", f"the input is scaled by {scale.tolist()}", place)
        # 128 * 0.0078125 is 1; a factor within float32 rounding of 1 counts as 1.
        scale = np.where(np.abs(scale - 1) < 2.0**-23, 1.0, scale)
        if weight.shape[1] != fmt.INPUT_CHANNELS:
            refuse("X009", f"{place} takes {weight.shape[1]} channels, not 3", place)
        return np.asarray(weight * scale[None, :, None, None], np.float32)
