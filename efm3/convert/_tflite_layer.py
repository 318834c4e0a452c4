# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""One operator of a TFLite file, as the functions that build its nodes see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from efm3.arrays import Array
from efm3.convert._tflite_bytes import Table
from efm3.convert._tflite_file import Tensor
from efm3.convert.graph.build import Builder
from efm3.convert.graph.nodes import CONST, INPUT, Node
from efm3.convert.graph.ops import OPS
from efm3.findings import refuse

TO_NCHW, TO_NHWC = (0, 3, 1, 2), (0, 2, 3, 1)
ACTIVATIONS: tuple[tuple[str, str, dict[str, float]], ...] = (
    ("NONE", "", {}), ("RELU", "Relu", {}), ("RELU_N1_TO_1", "Clip", {"low": -1.0, "high": 1.0}),
    ("RELU6", "Clip", {"low": 0.0, "high": 6.0}), ("TANH", "Tanh", {}))
"""The schema's activations in the order of their numbers: names, operations, attributes."""
NONE, RELU, _, RELU6, _ = range(len(ACTIVATIONS))


@dataclass(eq=False)
class Layer:
    """An operator: its inputs as nodes (None for one left out), its options, its outputs."""

    build: Builder
    op: str
    place: str
    given: list[Node | None]
    options: Table | None
    outputs: list[Tensor]
    activation: int = NONE
    """What `activated` found in the options."""

    def option(self, field: int, form: str = "i", default: int = 0) -> int:
        """A whole number of the options, as the schema's default where it is not stated."""
        return int(self.options.number(field, form, default)) if self.options else default

    def flag(self, field: int) -> bool:
        """A truth of the options."""
        return bool(self.option(field, "?"))

    def x(self, i: int = 0) -> Node:
        """Input i. Raises X007 where it is left out."""
        found = self.given[i] if i < len(self.given) else None
        if found is None:
            refuse("X007", f"{self.place} has no input {i + 1}", self.place)
        return found

    def has(self, i: int) -> bool:
        """True where input i is not left out."""
        return i < len(self.given) and self.given[i] is not None

    def sizes(self, i: int = 0, rank: int | None = None) -> tuple[int, ...]:
        """Input i's shape. Raises X008 where a size is not known, X006 for another rank."""
        shape = self.x(i).shape
        if shape is None or None in shape:
            refuse("X008", f"{self.place} takes a shape that is not known", self.place)
        if rank is not None and len(shape) != rank:
            refuse("X006", f"{self.place} takes {[*shape]}, not {rank} dimensions", self.place)
        return tuple(s or 0 for s in shape)

    def weights(self, i: int, rank: int) -> Array:
        """Input i, a constant of this rank without an empty axis. Raises X008, X006."""
        value = self.x(i).value
        if value is None:
            refuse("X008", f"the weights of {self.place} are computed by {self.x(i).place}",
                   self.place)
        if value.ndim != rank or not value.size:
            refuse("X006", f"{self.place} has weights of shape {[*value.shape]}, not {rank} "
                           "dimensions", self.place)
        return value

    def ints(self, i: int) -> list[int]:
        """Input i's few whole numbers, a constant."""
        return self.build.numbers(self.x(i), self.place)

    def axes(self, i: int) -> tuple[int, ...]:
        """Axes named by input i, of input 0, from the front."""
        rank = len(self.sizes())
        return tuple(sorted({self.axis(a, rank) for a in self.ints(i)}))

    def axis(self, axis: int, rank: int) -> int:
        """An axis from the front. Raises X006 outside the rank."""
        if not -rank <= axis < rank:
            refuse("X006", f"{self.place} has axis {axis} of {rank}", self.place)
        return axis % rank

    def add(self, op: str, *inputs: Node, **attrs: object) -> Node:
        """A node of this layer."""
        return self.build.add(op, *inputs, place=self.place, **attrs)

    def const(self, value: object) -> Node:
        """A constant of this layer."""
        return self.build.const(value, self.place)

    def reshape(self, x: Node, shape: Sequence[int]) -> Node:
        """x in another shape, in which 0 is no word for the input's own size."""
        return self.build.reshape(x, shape, self.place, zero=False)

    def activated(self, x: Node, field: int) -> Node:
        """x after the activation that the options' field names. Raises X008."""
        self.activation = self.option(field, "b")
        if not 0 <= self.activation < len(ACTIVATIONS):
            refuse("X008", f"{self.place} has activation {self.activation}", self.place)
        return self.active(x, self.activation)

    def active(self, x: Node, kind: int) -> Node:
        """x after an activation, which is named as the layer is."""
        name, op, attrs = ACTIVATIONS[kind]
        place = f"{self.outputs[0].name} ({name})"
        return self.build.add(op, x, place=place, **attrs) if op else x

    def in_nchw(self, make: Callable[[Node], Node]) -> Node:
        """What `make` makes of the first input in NCHW, back in NHWC."""
        self.sizes(rank=4)
        y = make(self.add("Transpose", self.x(), perm=TO_NCHW))
        return self.add("Transpose", y, perm=TO_NHWC)

    def foreign(self) -> Node:
        """The operator as it is, which nothing can express; with the shape that it states."""
        # The name of a custom operator is the author's choice.
        op = f"custom {self.op}" if self.op in (*OPS, INPUT, CONST) else self.op
        node = self.build.add(op, *(n for n in self.given if n is not None), place=self.place)
        node.shape = self.outputs[0].shape
        return node
