# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Evaluates a graph in float64, as it was built: the source's function before any rewrite."""

from __future__ import annotations

import math

import numpy as np

from efm3.arrays import Array
from efm3.convert.graph.nodes import CONST, INPUT, Graph, Node
from efm3.convert.graph.ops import OPS
from efm3.findings import refuse

MOST = 1 << 26
"""Most values of one map: 4,096 channels of 112×112 pixels."""


def forward(graph: Graph, u: Array) -> Array:
    """The output for one batch u, an array of the graph's input shape. Raises X008.

    A value is dropped after its last use.
    """
    return values(graph.nodes, graph.output, {id(graph.input): u})


def values(nodes: list[Node], output: Node, known: dict[int, Array]) -> Array:
    """`output`, where `known` has the values of some nodes by their id; `nodes` are in order."""
    last = {id(i): n for n in nodes for i in n.inputs}
    have = {k: np.asarray(v, np.float64) for k, v in known.items()}
    for node in nodes:
        if id(node) in have:
            continue
        have[id(node)] = _one(node, have)
        for i in node.inputs:
            if last.get(id(i)) is node and i is not output:
                have.pop(id(i), None)
    return have[id(output)]


def _one(node: Node, have: dict[int, Array]) -> Array:
    if node.op == CONST and node.value is not None:
        with np.errstate(all="ignore"):
            # A signalling NaN warns as it is widened.
            return node.value if node.value.dtype.kind in "iub" else node.value.astype(np.float64)
    if node.op not in OPS or node.op == INPUT:
        refuse("X008", f"{node.place} cannot be run here: {node.op} is not a known operation",
               node.place, node.op)
    if max(math.prod(s or 1 for s in node.shape or ()), _padded(node)) > MOST:
        refuse("X008", f"{node.place} makes a map of {[*(node.shape or ())]}", node.place)
    try:
        with np.errstate(all="ignore"):
            return np.asarray(OPS[node.op].run(node.attrs, *(have[id(i)] for i in node.inputs)))
    except (ValueError, TypeError, IndexError, KeyError, OverflowError, MemoryError) as e:
        refuse("X008", f"{node.place} cannot be run: {e}", node.place)


def _padded(node: Node) -> int:
    """Values of a convolution's input with its padding."""
    x = node.inputs[0].shape if node.op == "Conv" else None
    if x is None or len(x) != 4:
        return 0
    top, left, bottom, right = node.attrs["pads"]
    n, channels, height, width = (s or 1 for s in x)
    return int(n * channels * (height + top + bottom) * (width + left + right))
