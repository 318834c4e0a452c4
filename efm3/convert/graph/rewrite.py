# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Applies exact rewrites to a graph until none fits.

A rule is a function of one node: it looks at the node and at what it takes, and returns an equal
node of simpler operations, or None. Rules are applied where a node is made, so what they see
below a node is settled already.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from efm3.arrays import Array
from efm3.convert.graph.build import Builder
from efm3.convert.graph.nodes import CONST, INPUT, Graph, Node
from efm3.findings import refuse

DEEPEST = 64
"""Most rewrites inside one another: a rule moves one operation above another, a few times."""
EACH = 64
"""Most nodes made for each node of the source, on average."""


class Maker:
    """Makes nodes, each rewritten by the rules of its operation."""

    def __init__(self, builder: Builder, rules: Mapping[str, Sequence[Rule]]) -> None:
        self._builder = builder
        self._rules = rules
        self._depth = 0

    def const(self, value: Any, place: str) -> Node:
        """A constant."""
        return self._builder.const(value, place)

    def make(self, op: str, *inputs: Node, place: str, **attrs: Any) -> Node:
        """The node, or what the rules make of it."""
        node = self._builder.add(op, *inputs, place=place, **attrs)
        if node.op in (CONST, INPUT) or any(node is i for i in inputs):
            return node
        self._depth += 1
        if self._depth > DEEPEST:
            refuse("X008", f"{place} is nested too deeply in operations that move values", place)
        for rule in self._rules.get(node.op, ()):
            new = rule(node, self)
            if new is not None:
                node = new
                break
        self._depth -= 1
        return node

    def again(self, node: Node, *inputs: Node) -> Node:
        """The same operation on other inputs."""
        return self.make(node.op, *inputs, place=node.place, **node.attrs)

    def reshape(self, x: Node, shape: Sequence[int], place: str) -> Node:
        """x in a shape of as many values; x itself where it has that shape."""
        if x.shape == tuple(shape):
            return x
        return self.make("Reshape", x, place=place, shape=tuple(shape))


Rule = Callable[[Node, Maker], "Node | None"]


def maker(graph: Graph, rules: Mapping[str, Sequence[Rule]]) -> Maker:
    """A maker for one pass over a graph, with a budget that grows with it."""
    size = sum(n.value.nbytes for n in graph.nodes if n.value is not None)
    return Maker(Builder(size, EACH * len(graph.nodes) + 1000), rules)


def applied(graph: Graph, rules: Mapping[str, Sequence[Rule]]) -> Graph:
    """The graph with every node made anew under these rules."""
    return rebuilt(graph, maker(graph, rules), {})


def rebuilt(graph: Graph, make: Maker, known: dict[int, Node]) -> Graph:
    """The graph with every node made anew, but those whose new ones are known by the old id."""
    for n in graph.nodes:
        if id(n) not in known:
            same = n.op in (CONST, INPUT)
            known[id(n)] = n if same else make.again(n, *(known[id(i)] for i in n.inputs))
    entry = known[id(graph.input)]
    return Graph(entry if entry.op == INPUT else graph.input, known[id(graph.output)],
                 graph.batch, graph.assumed)


def wide(value: Array) -> Array:
    """A constant's values for arithmetic: float64."""
    with np.errstate(all="ignore"):
        return np.asarray(value, np.float64)


def vector(value: Array, shape: Sequence[int | None] | None, axis: int = 1) -> Array | None:
    """A constant that broadcasts to `shape`, as one value for each channel; None where it is not
    constant within channels. The sizes of other axes need not be known."""
    if shape is None or len(shape) <= axis or shape[axis] is None:
        return None
    rank, count = len(shape), int(shape[axis] or 0)
    if value.ndim > rank:
        if value.shape[:value.ndim - rank] != (1,) * (value.ndim - rank):
            return None
        value = value.reshape(value.shape[value.ndim - rank:])
    full = value.reshape((1,) * (rank - value.ndim) + value.shape)
    for i, size in enumerate(full.shape):
        if i != axis and size != 1:
            first = full.take([0], axis=i)
            if not np.array_equal(np.broadcast_to(first, full.shape), full):
                return None
            full = first
    if full.size not in (1, count):
        return None
    return np.broadcast_to(full.reshape(-1), (count,))
