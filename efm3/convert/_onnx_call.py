# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""An ONNX node as the table of operations sees it: its inputs in the graph, its attributes."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

import numpy as np

from efm3.arrays import Array
from efm3.convert._onnx_file import ATTRIBUTE, File
from efm3.convert._onnx_live import Item
from efm3.convert._onnx_tensors import Store
from efm3.convert._protobuf import Message
from efm3.convert.graph.build import Builder
from efm3.convert.graph.nodes import Node, Shape
from efm3.convert.graph.ops import OPS
from efm3.findings import refuse

MOST = 64
"""Most numbers of a list attribute: eight dimensions take 16."""


class Call:
    """One node. `mended` is set where the runtime's copy of it must be given a slope [C, 1, 1];
    `rounds` where it computes with numbers that are not kept here (8 bits, float16); `kind` is
    the element type of a Constant."""

    def __init__(self, item: Item, inputs: Sequence[Node | None], file: File, builder: Builder,
                 store: Store) -> None:
        self.op = item.op
        self.place = item.place
        self.inputs = inputs
        self.builder = builder
        self.wanted = len(item.outputs)
        self._store = store
        self.mended = False
        self.rounds = ""
        self.kind = 0
        self._attributes = {a.word("name"): a for a in (
            file.wire.message(s, ATTRIBUTE) for s in item.attributes)}

    def of(self, inputs: Sequence[Node | None]) -> Call:
        """The same node with other inputs."""
        other = copy(self)
        other.inputs = inputs
        return other

    def __contains__(self, name: str) -> bool:
        return name in self._attributes

    def integer(self, name: str, default: int) -> int:
        """An integer attribute."""
        return self._attributes[name].whole("i", 0) if name in self._attributes else default

    def real(self, name: str, default: float) -> float:
        """A float attribute: the shortest decimal of its float32, which its author wrote."""
        if name not in self._attributes:
            return default
        return float(str(np.float32(self._attributes[name].real("f", 0.0))))

    def integers(self, name: str) -> list[int] | None:
        """A list of integers, None where the attribute is not there. Raises X006."""
        if name not in self._attributes:
            return None
        listed = self._attributes[name].wholes("ints")
        if len(listed) > MOST:
            refuse("X006", f"{self.place} has {len(listed)} numbers in {name}", self.place)
        return listed

    def text(self, name: str) -> str:
        """A text attribute, "" where it is not there."""
        return self._attributes[name].word("s") if name in self._attributes else ""

    def attribute(self, name: str) -> Message:
        """An attribute as the file holds it."""
        return self._attributes[name]

    def tensor(self, name: str) -> Array:
        """A tensor attribute's values. Raises X005, X006."""
        return self._store.value(self._attributes[name].sub("t"), self.place)

    def spend(self, size: int) -> None:
        """Count an array of `size` bytes that this node makes. Raises X006."""
        self._store.spend(size, self.place)

    def at(self, number: int) -> Node | None:
        """An input, None where it is left out."""
        return self.inputs[number] if number < len(self.inputs) else None

    def need(self, number: int, what: str = "") -> Node:
        """An input that must be there. Raises X007."""
        node = self.at(number)
        if node is None:
            refuse("X007", f"{self.place} has no {what or f'input {number}'}", self.place)
        return node

    @property
    def x(self) -> Node:
        """Its first input."""
        return self.need(0)

    @property
    def rank(self) -> int | None:
        """The number of its first input's dimensions, None where it is not known."""
        return None if self.x.shape is None else len(self.x.shape)

    def add(self, op: str, *inputs: Node, **attrs: Any) -> Node:
        """A node of the graph, in this node's place."""
        return self.builder.add(op, *inputs, place=self.place, **attrs)

    def const(self, value: Any) -> Node:
        """A constant of this node's own."""
        return self.builder.const(value, self.place)

    def numbers(self, name: str, number: int) -> list[int] | None:
        """Whole numbers that are an attribute in older opsets and an input in newer ones; None
        where they are left out. Raises X006, X008."""
        node = self.at(number)
        return self.integers(name) if node is None else self.builder.numbers(node, self.place)

    def foreign(self, shape: Shape = None) -> Node:
        """This node as an operation that only the source's own runtime knows."""
        op = f"{self.op}?" if self.op in OPS else self.op
        node = self.builder.add(op, *(i for i in self.inputs if i is not None), place=self.place)
        node.shape = shape
        return node
