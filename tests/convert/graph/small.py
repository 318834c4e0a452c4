# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Small graphs for the tests of rewrites, and the one property that each rewrite has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from efm3.arrays import Array
from efm3.convert.graph import Builder, Graph, Node, run

CLOSE = 3e-8
"""A spelled BatchNorm gets the variance IDENTITY_VAR, whose scale is within 2^-25 of 1."""
Rewrite = Callable[[Graph], Graph]


class Draw:
    """A builder with random constants, all from one seed."""

    def __init__(self, seed: int, shape: tuple[int, ...] = (2, 4, 6, 6)) -> None:
        self.b = Builder(1 << 20)
        self.rng = np.random.default_rng(seed)
        self.x = self.b.input(shape, "data")

    def array(self, *shape: int, low: float = -2, high: float = 2) -> Array:
        return self.rng.uniform(low, high, shape)

    def const(self, *shape: int, low: float = -2, high: float = 2) -> Node:
        return self.b.const(self.array(*shape, low=low, high=high), "const")

    def value(self, value: Any) -> Node:
        return self.b.const(value, "const")

    def op(self, op: str, *inputs: Node, **attrs: Any) -> Node:
        return self.b.add(op, *inputs, place=f"{op.lower()} ({op})", **attrs)

    def conv(self, x: Node, out: int = 4, kernel: int = 1, group: int = 1, pad: int = 0,
             bias: bool = False, stride: int = 1) -> Node:
        c = x.channels or 1
        more = [self.const(out)] if bias else []
        return self.op("Conv", x, self.const(out, c // group, kernel, kernel), *more,
                       strides=(stride, stride), pads=(pad,) * 4, dilations=(1, 1), group=group)

    def norm(self, x: Node, eps: float = 1e-5) -> Node:
        c = x.channels or 1
        return self.op("BatchNorm", x, self.const(c), self.const(c), self.const(c),
                       self.const(c, low=0.1), eps=eps)

    def to_last(self, x: Node) -> Node:
        return self.op("Transpose", x, perm=(0, 2, 3, 1))

    def graph(self, output: Node) -> Graph:
        return self.b.graph(self.x, output)


def ops(graph: Graph) -> list[str]:
    """The operations of a graph, sorted, without constants and the input."""
    return sorted(n.op for n in graph.nodes if n.op not in ("Const", "Input"))


def kept(graph: Graph, rewrite: Rewrite, seed: int = 0) -> Graph:
    """The rewritten graph, which has the same function: on inputs of both signs and on zeros."""
    after = rewrite(graph)
    shape = tuple(s or 1 for s in graph.input.shape or ())
    rng = np.random.default_rng(seed)
    for x in (rng.normal(size=shape), np.zeros(shape), rng.integers(-1, 2, shape)):
        want = run.forward(graph, x)
        fed = x
        if after.input.shape != graph.input.shape:
            fed = np.moveaxis(x, -1, 1)
        have = run.forward(after, fed)
        assert have.shape == want.shape
        np.testing.assert_allclose(have, want, rtol=CLOSE, atol=1e-8)
    return after
