# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The graph of an EFM3 model, built as a reader builds one, with places to change it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import efm3
from efm3 import format as fmt
from efm3.convert.graph import Builder, Graph, Node
from efm3.network import Layer, layers

Change = Callable[[Builder, Layer, Node], Node]


class Net:
    """A builder and the operations of a layer; a test replaces the methods it is about."""

    def __init__(self, model: efm3.Model, batch: int = 1) -> None:
        self.b = Builder(1 << 20)
        self.model = model
        self.batch = batch

    def tensor(self, layer: Layer, name: str) -> Node:
        value = np.asarray(self.model.tensors[f"{layer.name}.{name}"])
        return self.b.const(value, f"{layer.name}.{name}")

    def op(self, op: str, *inputs: Node, place: str = "", **attrs: Any) -> Node:
        return self.b.add(op, *inputs, place=place or op.lower(), **attrs)

    def const(self, value: Any) -> Node:
        return self.b.const(np.asarray(value, np.float32), "const")

    def picture(self) -> tuple[Node, Node]:
        """The input, and what the first layer takes."""
        x = self.b.input((self.batch, 3, 112, 112), "data")
        return x, x

    def conv(self, layer: Layer, x: Node) -> Node:
        p = layer.padding
        return self.op("Conv", x, self.tensor(layer, "conv.w"), place=f"{layer.name} (Conv)",
                       strides=(layer.stride, layer.stride), pads=(p, p, p, p), dilations=(1, 1),
                       group=layer.groups)

    def norm(self, layer: Layer, x: Node) -> Node:
        params = [self.tensor(layer, f"bn.{k}") for k in ("w", "b", "mean", "var")]
        return self.op("BatchNorm", x, *params, place=f"{layer.name} (BatchNorm)", eps=fmt.BN_EPS)

    def act(self, layer: Layer, x: Node) -> Node:
        slope = np.asarray(self.model.tensors[f"{layer.name}.act.w"]).reshape(-1, 1, 1)
        return self.op("PRelu", x, self.const(slope), place=f"{layer.name} (PRelu)")

    def add(self, layer: Layer, x: Node, entry: Node) -> Node:
        return self.op("Add", x, entry, place=f"{layer.name} (Add)")

    def end(self, x: Node) -> Node:
        flat = self.b.reshape(x, (0, -1), "flatten")
        return self.b.normalised(flat, (1,), "norm", least=1e-24)

    def layer(self, layer: Layer, x: Node) -> Node:
        x = self.norm(layer, self.conv(layer, x))
        return self.act(layer, x) if layer.act else x

    def graph(self) -> Graph:
        source, x = self.picture()
        entries: dict[str, Node] = {}
        for layer in layers(self.model.arch):
            entries[layer.name] = x
            x = self.layer(layer, x)
            if layer.residual:
                x = self.add(layer, x, entries[layer.residual])
        return self.b.graph(source, self.end(x))
