# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The end of an ONNX graph: the nodes that an exporter writes for x / ||x||.

There are many forms, so the nodes are run on small vectors, and the result is compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from efm3.arithmetic import TOLERANCE
from efm3.arrays import Array
from efm3.convert._graph import DTYPES, RESHAPING, Graph, Node, axes_of
from efm3.findings import refuse

MOST = 1 << 20
"""Most values that one node of the end may output."""


def _reduced(f: Callable[..., Array]) -> Callable[..., Array]:
    def run(node: Node, x: Array, *more: Array) -> Array:
        return np.asarray(f(x, axis=axes_of(node, more),
                            keepdims=bool(node.integer("keepdims", 1))))
    return run


def _clip(node: Node, x: Array, low: Array | None = None, high: Array | None = None) -> Array:
    # Opset 6 has attributes, opset 11 inputs.
    lo = node.real("min", -math.inf) if low is None else low
    hi = node.real("max", math.inf) if high is None else high
    return np.clip(x, lo, hi)


def _expand(node: Node, x: Array, shape: Array) -> Array:
    want = [int(v) for v in shape.reshape(-1)]
    if math.prod(want) > MOST:
        raise ValueError(f"it would make {math.prod(want):,} values")
    return x * np.ones(want, x.dtype)


def _lp(node: Node, x: Array) -> Array:
    p, axis = node.integer("p", 2), node.integer("axis", -1)
    if p != 2:
        raise ValueError(f"p is {p}")
    return np.asarray(x / np.sqrt(np.sum(x * x, axis=axis, keepdims=True)))


def _cast(node: Node, x: Array) -> Array:
    return x.astype(DTYPES[node.integer("to", 0)][0])


OPS: dict[str, Callable[..., Array]] = {
    **RESHAPING,
    "ReduceL2": _reduced(lambda x, **k: np.sqrt(np.sum(x * x, **k))),
    "ReduceSum": _reduced(np.sum),
    "ReduceSumSquare": _reduced(lambda x, **k: np.sum(x * x, **k)),
    "LpNormalization": _lp,
    "Pow": lambda n, x, y: np.power(x, y),
    "Abs": lambda n, x: np.abs(x),
    "Sqrt": lambda n, x: np.sqrt(x),
    "Reciprocal": lambda n, x: 1 / x,
    "Mul": lambda n, x, y: x * y,
    "Div": lambda n, x, y: x / y,
    "Add": lambda n, x, y: x + y,
    "Max": lambda n, x, *y: np.maximum(x, *y) if y else x,
    "Clip": _clip,
    "Cast": _cast,
    "Shape": lambda n, x: np.array(x.shape, np.int64),
    "Expand": _expand,
}
"""Operations that occur in a norm, in numpy."""


def check(graph: Graph, nodes: Sequence[Node], value: str, flat: bool, channels: int) -> None:
    """Compare the nodes between the embedding `value` and the output with x / ||x||.

    `flat` says whether the value is [N, D] or [N, D, 1, 1]. Raises X008.
    """
    for seed in (1, 2):
        x = np.sin(np.arange(1, channels + 1) * seed * 1.7).astype(np.float64) * 3
        known: dict[str, Array] = {value: x.reshape((1, -1) if flat else (1, -1, 1, 1))}
        for node in nodes:
            known[node.output] = _one(graph, node, known)
        want = x / math.sqrt(float(x @ x))
        have = known[graph.output].reshape(-1)
        if have.shape != want.shape or not np.abs(have - want).max() < TOLERANCE:
            refuse("X008", f"{nodes[-1].name} and what leads to it do not divide the embedding by "
                           "its L2 norm", nodes[-1].name)


def _one(graph: Graph, node: Node, known: dict[str, Array]) -> Array:
    if node.op not in OPS:
        refuse("X008", f"{node.name}: EFM3 has no such layer", node.name)
    args: list[Array | None] = []
    for name in node.inputs:
        if name not in known and name:
            known[name] = graph.constant(name, node)
            if known[name].size > MOST:
                refuse("X008", f"{node.name} takes {known[name].size:,} constants", node.name)
        args.append(known[name] if name else None)
    try:
        with np.errstate(all="ignore"):
            out = OPS[node.op](node, *args)
    except (TypeError, ValueError, LookupError, OverflowError, MemoryError) as e:
        refuse("X008", f"{node.name} cannot be run on an embedding: {e}", node.name)
    if out.size > MOST:
        refuse("X008", f"{node.name} makes {out.size:,} values of an embedding", node.name)
    return out
