# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Two linear pointwise layers in a row are one: W2·(W1·x + b1) + b2 = (W2·W1)·x + (W2·b1 + b2).

EFM3 itself has a linear pointwise layer before a pointwise one, project before expand. That pair
stays: a pair is joined where its second layer is linear too, or where its first is no project,
which follows a depthwise layer (but not the second layer of the network).
"""

from __future__ import annotations

import numpy as np

from efm3.arrays import Array
from efm3.convert.graph.nodes import Graph, Node
from efm3.convert.graph.rewrite import Maker, maker, rebuilt, wide


def pointwise(n: Node) -> bool:
    """True for an ordinary 1×1 convolution of stride 1 (or of none stated) without padding."""
    w = n.inputs[1].value if n.op == "Conv" else None
    return w is not None and w.shape[2:] == (1, 1) and n.attrs["group"] == 1 and (
        n.attrs["strides"] in (None, (1, 1)) and not any(n.attrs["pads"]))


def depthwise(n: Node) -> bool:
    """True for a convolution of one channel in and out a group, and a kernel above 1×1."""
    w = n.inputs[1].value if n.op == "Conv" else None
    return (w is not None and w.shape[1] == 1 and w.shape[2] > 1
            and n.attrs["group"] == len(w))


def _unit(n: Node) -> Node | None:
    """The convolution of a BatchNorm or the convolution itself; None for anything else."""
    if n.op == "BatchNorm":
        n = n.inputs[0]
    return n if n.op == "Conv" else None


MOST_WORK, MOST_WEIGHTS = 1 << 32, 1 << 22
"""Most products of all joins, and most weights of a joined layer: 2,048 channels in and out."""


def joined(graph: Graph) -> Graph:
    """The graph with such pairs joined, from the first to the last, within MOST_WORK."""
    left = MOST_WORK
    while True:
        users = graph.users()
        convs = [n for n in graph.nodes if n.op == "Conv"]
        pair = next((n for n in convs if _pair(n, users, convs)), None)
        if pair is None:
            return graph
        out, middle = (pair.inputs[1].shape or (0, 0))[:2]
        first = _unit(pair.inputs[0])
        size = (out or 0) * ((first.inputs[0].channels if first else 0) or 0)
        left -= size * (middle or 0)
        if size > MOST_WEIGHTS or left < 0:
            return graph
        make = maker(graph, {})
        known: dict[int, Node] = {}
        for n in graph.nodes:
            if n is pair:
                break
            known[id(n)] = n
        known[id(pair)] = _join(pair, pair.inputs[0], make)
        graph = rebuilt(graph, make, known)


def _pair(second: Node, users: dict[int, list[Node]], convs: list[Node]) -> bool:
    below = second.inputs[0]
    first = _unit(below)
    if first is None or not pointwise(second) or not pointwise(first):
        return False
    if len(users[id(below)]) != 1 or len(users[id(first)]) != 1:
        return False
    if any(p.value is None for n in (first, below) for p in n.inputs[1:]):
        return False
    return not (_active(second, users) and _after_depthwise(first, convs))


def _active(conv: Node, users: dict[int, list[Node]]) -> bool:
    """True where an activation or a depthwise layer follows: at expand's and final_conv's place."""
    n = conv
    for _ in range(2):
        above = users.get(id(n), [])
        if len(above) != 1:
            return False
        n = above[0]
        if n.op != "BatchNorm":
            break
    return n.op == "PRelu" or depthwise(n)


def _after_depthwise(conv: Node, convs: list[Node]) -> bool:
    n = conv.inputs[0]
    if n.op == "PRelu":
        n = n.inputs[0]
    below = _unit(n)
    return below is not None and depthwise(below) and not any(below is c for c in convs[:2])


def _folded(n: Node) -> tuple[Array, Array]:
    """w [O, I] and bias [O] of a convolution with or without BatchNorm."""
    conv = _unit(n)
    assert conv is not None
    values = [wide(i.value) for i in conv.inputs[1:] if i.value is not None]
    w = values[0][:, :, 0, 0]
    b = values[1] if len(values) > 1 else np.zeros(len(w))
    if n.op == "BatchNorm":
        scale, shift, mean, var = (wide(i.value) for i in n.inputs[1:] if i.value is not None)
        with np.errstate(all="ignore"):
            factor = scale / np.sqrt(var + n.attrs["eps"])
        w, b = w * factor[:, None], (b - mean) * factor + shift
    return w, b


def _join(second: Node, first: Node, make: Maker) -> Node:
    inner = _unit(first)
    assert inner is not None
    (w1, b1), (w2, b2) = _folded(first), _folded(second)
    x = inner.inputs[0]
    more = [make.const(w2 @ b1 + b2, second.place)] if (w2 @ b1 + b2).any() else []
    weight = make.const((w2 @ w1)[:, :, None, None], second.place)
    return make.make("Conv", x, weight, *more, place=second.place,
                     **{**second.attrs, "strides": inner.attrs["strides"]})


