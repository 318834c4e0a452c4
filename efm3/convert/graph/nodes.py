# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Nodes of the graph: one operation, one output; and the graph, the nodes that its output needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from efm3.arrays import Array

Shape = tuple[int | None, ...] | None
"""Sizes of a value; None for a size that the source does not state, or for the whole shape."""

INPUT, CONST = "Input", "Const"


@dataclass(eq=False, slots=True)
class Node:
    """An operation, its inputs, and the shape of its only output.

    `op` is one of the operations of `ops.OPS`, or a foreign name, which nothing can match or run.
    `place` is the source's own name of the layer, as a refusal quotes it. `value` is the array of
    a constant.
    """

    op: str
    place: str
    inputs: tuple[Node, ...] = ()
    attrs: Mapping[str, Any] = field(default_factory=dict)
    shape: Shape = None
    value: Array | None = None

    @property
    def constant(self) -> Array | None:
        """Its array where it is a constant, else None."""
        return self.value

    @property
    def channels(self) -> int | None:
        """The size of axis 1."""
        return self.shape[1] if self.shape is not None and len(self.shape) > 1 else None


def live(output: Node) -> list[Node]:
    """The nodes that `output` depends on, each after its inputs; without recursion."""
    order: list[Node] = []
    state: set[int] = set()
    stack: list[tuple[Node, int]] = [(output, 0)]
    state.add(id(output))
    while stack:
        node, at = stack.pop()
        if at < len(node.inputs):
            stack.append((node, at + 1))
            below = node.inputs[at]
            if id(below) not in state:
                state.add(id(below))
                stack.append((below, 0))
        else:
            order.append(node)
    return order


@dataclass
class Graph:
    """A network from its picture to one output.

    `batch` is the number of pictures that the source's shapes are for. `assumed` lists what the
    reader had to assume or round.
    """

    input: Node
    output: Node
    batch: int = 1
    assumed: list[str] = field(default_factory=list)
    nodes: list[Node] = field(init=False)

    def __post_init__(self) -> None:
        self.nodes = live(self.output)

    def users(self) -> dict[int, list[Node]]:
        """The nodes that take each node, by its id; none twice."""
        out: dict[int, list[Node]] = {}
        for n in self.nodes:
            for below in _once(n.inputs):
                out.setdefault(id(below), []).append(n)
        return out


def _once(nodes: Iterable[Node]) -> list[Node]:
    return list({id(n): n for n in nodes}.values())
