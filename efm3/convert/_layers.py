# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the layers of MXNet and of Caffe have in common: one layer's way into the graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from efm3.convert.graph import Builder, Node
from efm3.convert.graph.nodes import CONST, INPUT
from efm3.convert.graph.ops import OPS, axis_of
from efm3.findings import refuse

MOST_PARTS = 1000
"""Most outputs or inputs of a layer."""


class Foreign(Exception):
    """The layer is of a kind that the graph does not know; its text is the operation's name."""


@dataclass
class Call:
    """A layer of a source, with what it takes."""

    builder: Builder
    op: str
    place: str
    inputs: list[Node]

    def add(self, op: str, *inputs: Node, **attrs: Any) -> Node:
        """A node of this layer."""
        return self.builder.add(op, *inputs, place=self.place, **attrs)

    def const(self, value: Any) -> Node:
        """A constant of this layer."""
        return self.builder.const(value, self.place)

    def reshape(self, x: Node, shape: Sequence[int]) -> Node:
        """x in another shape, -1 once for the rest."""
        return self.builder.reshape(x, shape, self.place, zero=False)

    def foreign(self, name: str) -> Node:
        """The layer as an operation that nothing knows, also where a known one has its name."""
        known = name in OPS or name in (INPUT, CONST)
        return self.builder.add(f"{name}?" if known else name, *self.inputs, place=self.place)

    def one(self) -> Node:
        """Its only input. Raises X007."""
        self.takes(1)
        return self.inputs[0]

    def takes(self, *counts: int) -> None:
        """Raises X007 unless it has so many inputs."""
        if len(self.inputs) not in counts:
            refuse("X007", f"{self.place} has {len(self.inputs)} inputs, not "
                           f"{' or '.join(map(str, counts))}", self.place, len(self.inputs))

    def shape(self, x: Node) -> tuple[int, ...]:
        """x's sizes. Raises Foreign below an operation that is not known."""
        if x.shape is None or None in x.shape:
            raise Foreign(self.op)
        return tuple(s or 0 for s in x.shape)

    def axis(self, axis: int, rank: int) -> int:
        """The axis counted from the front. Raises X006."""
        try:
            return axis_of(axis, rank)
        except ValueError as e:
            refuse("X006", f"{self.place}: {e}", self.place)

    def along(self, x: Node, values: Node, axis: int = 1) -> Node:
        """`values` in the shape in which it broadcasts along x's axes from `axis` on; one value
        alone as it is."""
        shape = self.shape(values)
        if shape in ((), (1,)):
            return values
        return self.reshape(values, (*shape, *[1] * (len(self.shape(x)) - axis - len(shape))))

    def flat(self, x: Node, first: int, last: int = -1) -> Node:
        """x with the axes from `first` to `last` as one."""
        shape = self.shape(x)
        a, b = self.axis(first, len(shape)), self.axis(last, len(shape))
        return self.reshape(x, (*shape[:a], -1, *shape[b + 1:]))

    def chain(self, op: str, nodes: Sequence[Node]) -> Node:
        """(a op b) op c ..."""
        if not nodes:
            refuse("X007", f"{self.place} has no inputs", self.place)
        out = nodes[0]
        for n in nodes[1:]:
            out = self.add(op, out, n)
        return out

    def part(self, x: Node, axis: int, start: int, stop: int) -> Node:
        """x from start to stop along an axis."""
        return self.add("Slice", x, axis=axis, start=start, stop=stop, step=1)

    def swapped(self, x: Node, one: int, two: int) -> Node:
        """x with two axes in each other's place."""
        perm = list(range(len(self.shape(x))))
        a, b = self.axis(one, len(perm)), self.axis(two, len(perm))
        perm[a], perm[b] = perm[b], perm[a]
        return x if a == b else self.add("Transpose", x, perm=tuple(perm))

    def pooled(self, x: Node, kind: str, whole: bool, kernel: Sequence[int],
               strides: Sequence[int], pads: Sequence[int]) -> Node:
        """A pooling over the whole map, or over no more than each pixel. Raises Foreign for
        others; `kind` is max, or avg."""
        shape = self.shape(x)
        if len(shape) != 4 or kind not in ("max", "avg"):
            raise Foreign(f"{self.op} ({kind})")
        same = not any(pads)
        if whole or (same and tuple(kernel) == shape[2:]):
            return self.add("ReduceMax" if kind == "max" else "ReduceMean", x, axes=(2, 3),
                            keepdims=True)
        if same and set(kernel) == set(strides) == {1}:
            return x
        raise Foreign(f"{self.op} ({kind})")


Made = Sequence[Node]
C = TypeVar("C", bound=Call)


def built(call: C, table: Mapping[str, Callable[[C], Node | Made]]) -> Made:
    """The outputs of a layer, by its operation's row; a foreign node where it has none."""
    try:
        make = table[call.op]
    except KeyError:
        return [call.foreign(call.op)]
    try:
        made = make(call)
    except Foreign as e:
        return [call.foreign(str(e))]
    return [made] if isinstance(made, Node) else made


def output(made: Made, number: int, place: str) -> Node:
    """One of a layer's outputs. A layer that is not known gives the same for all; X007 beyond."""
    if len(made) == 1 and made[0].op not in (*OPS, INPUT, CONST):
        return made[0]
    if number >= len(made):
        refuse("X007", f"{place} has {len(made)} outputs, not {number + 1}", place)
    return made[number]
