# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A PReLU in any spelling: Relu and Neg, Abs, Max and Min, Where, LeakyRelu, with Mul and Add.

Every value made of x by these operations and constants alone is h(x) = p·x for x >= 0 and n·x for
x < 0 (at 0 both are 0), with p and n constant. The pair (p, n) of an operation follows from the
pairs of its inputs, since for x >= 0 the order of p·x and q·x is that of p and q, and for x < 0 the
reverse:

    Neg -> (-p, -n)    Abs -> (|p|, -|n|)    Relu -> (max(p, 0), min(n, 0))
    Max -> (max, min)    Min -> (min, max)    Add, Sub, Mul by c -> each
    PReLU of slope s: x >= 0 gives p·x, kept where p > 0, else s·p·x; likewise for x < 0

A comparison of two such values, or of one with 0, is one truth for x > 0 and one for x < 0; so a
Where, or a Mul by the truth cast to a number, chooses between the pairs. Then h(x) is
PReLU(x, n/p) where p = 1, and p·PReLU(x, n/p) elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from efm3.arrays import Array
from efm3.convert.graph.nodes import Graph, Node
from efm3.convert.graph.rewrite import Maker, maker, rebuilt, wide


class Piece(NamedTuple):
    """A value in terms of `base`: p and n, times the base (degree 1) or alone (degree 0)."""

    base: Node
    degree: int
    p: Array
    n: Array


ZERO = np.zeros(())
ONE = np.ones(())

COMPARE: dict[str, Callable[[Array, Array], Array]] = {
    "Greater": np.greater, "GreaterEqual": np.greater_equal, "Less": np.less,
    "LessEqual": np.less_equal}


def _relu(p: Array, n: Array, slope: Array) -> tuple[Array, Array]:
    """PReLU of p·x for x >= 0, and of n·x for x < 0, where n·x > 0 means n < 0."""
    return np.where(p > 0, p, slope * p), np.where(n < 0, n, slope * n)


def _one(node: Node, a: Piece) -> Piece | None:
    """The piece of an operation on one piece."""
    p, n = a.p, a.n
    if a.degree == 0:
        numbers = node.op == "Cast" and node.attrs["kind"] == "float"
        return a if numbers else Piece(a.base, 0, 1 - p, 1 - n) if (
            node.op == "Not") else None
    if node.op == "Relu" or (node.op == "Clip" and node.attrs["low"] == 0
                             and node.attrs["high"] == math.inf):
        p, n = _relu(p, n, ZERO)
    elif node.op == "Clip" and node.attrs["high"] == 0 and node.attrs["low"] == -math.inf:
        p, n = np.minimum(p, 0), np.maximum(n, 0)
    elif node.op == "LeakyRelu":
        p, n = _relu(p, n, wide(node.attrs["alpha"]))
    elif node.op == "Neg":
        p, n = -p, -n
    elif node.op == "Abs":
        p, n = np.abs(p), -np.abs(n)
    elif node.op == "Sign":
        return Piece(a.base, 0, np.sign(p), -np.sign(n))
    else:
        return None
    return Piece(a.base, 1, p, n)


def _two(node: Node, a: Piece, b: Piece) -> Piece | None:
    """The piece of an operation on two of one base; a constant has degree 0, zero any."""
    if node.op == "Mul" and a.degree + b.degree <= 1:
        return Piece(a.base, a.degree + b.degree, a.p * b.p, a.n * b.n)
    if node.op == "Div" and b.degree == 0 and b.p.all() and b.n.all():
        return Piece(a.base, a.degree, a.p / b.p, a.n / b.n)
    if node.op == "PRelu" and a.degree == 1 and b.degree == 0 and b.p is b.n:
        return Piece(a.base, 1, *_relu(a.p, a.n, b.p))
    # Zero is zero times x as well.
    if a.degree != b.degree:
        if any(v.any() for piece in (a, b) if piece.degree == 0 for v in (piece.p, piece.n)):
            return None
        degree = 1
    else:
        degree = a.degree
    if node.op in ("Add", "Sub"):
        sign = 1 if node.op == "Add" else -1
        return Piece(a.base, degree, a.p + sign * b.p, a.n + sign * b.n)
    if degree == 0:
        return None
    if node.op == "Max":
        return Piece(a.base, 1, np.maximum(a.p, b.p), np.minimum(a.n, b.n))
    if node.op == "Min":
        return Piece(a.base, 1, np.minimum(a.p, b.p), np.maximum(a.n, b.n))
    if node.op in COMPARE:
        f = COMPARE[node.op]
        # Times a negative x, the order turns. Where p = q they are equal, at x = 0 too, and what
        # a Where then takes does not matter only if both its sides are 0 there: pieces are.
        return Piece(a.base, 0, wide(f(a.p, b.p)), wide(f(-a.n, -b.n)))
    return None


def _where(c: Piece, a: Piece, b: Piece) -> Piece | None:
    """Where(c, a, b): one side for x > 0, one for x < 0."""
    if c.degree != 0 or a.degree != 1 or b.degree != 1:
        return None
    return Piece(a.base, 1, np.where(c.p != 0, a.p, b.p), np.where(c.n != 0, a.n, b.n))


def _piece(node: Node, pieces: dict[int, Piece]) -> Piece | None:
    """The node in terms of the one base of all its inputs, or None."""
    mine = [pieces.get(id(i)) for i in node.inputs]
    bases = {id(m.base): m.base for m in mine if m is not None}
    if len(bases) != 1:
        # A value that is no piece is the base of itself.
        others = {id(i): i for i, m in zip(node.inputs, mine, strict=True)
                  if m is None and i.value is None}
        if len(others) + len(bases) != 1:
            return None
        bases = bases or others
    (base,) = bases.values()
    args: list[Piece] = []
    for i, m in zip(node.inputs, mine, strict=True):
        if m is not None:
            args.append(m)
        elif i.value is not None:
            if i.value.size > 1 << 20 or i.value.dtype.kind not in "fiu":
                return None
            if node.op == "Div" and i.value.dtype.kind in "iu":
                # Whole numbers are divided without a rest.
                return None
            v = wide(i.value)
            args.append(Piece(base, 0, v, v))
        elif i is base:
            args.append(Piece(base, 1, ONE, ONE))
        else:
            return None
    if len(args) == 1:
        return _one(node, args[0])
    if len(args) == 2:
        return _two(node, args[0], args[1])
    if node.op == "Where" and len(args) == 3:
        zero = [a._replace(degree=1) if a.degree == 0 and not a.p.any() and not a.n.any() else a
                for a in args[1:]]
        return _where(args[0], zero[0], zero[1])
    return None


KNOWN = ("Relu", "LeakyRelu", "Clip", "Neg", "Abs", "Sign", "Not", "Cast", "PRelu", "Add", "Sub",
         "Mul", "Div", "Max", "Min", "Where", *COMPARE)
LINEAR = ("Neg", "Add", "Sub", "Mul", "Div", "Cast")
"""Operations that start no PReLU: alone they are a scale."""


def spelled(graph: Graph) -> Graph:
    """The graph with each piecewise linear function of one value as a PReLU."""
    pieces: dict[int, Piece] = {}
    for node in graph.nodes:
        if node.op in KNOWN:
            piece = _piece(node, pieces)
            if piece is not None and _fits(node, piece):
                pieces[id(node)] = piece
    make = maker(graph, {})
    known: dict[int, Node] = {}
    for node in graph.nodes:
        piece = pieces.get(id(node))
        if piece is not None and piece.degree == 1 and id(piece.base) in known:
            new = _prelu(node, piece, known[id(piece.base)], make)
            if new is not None:
                known[id(node)] = new
                continue
        same = node.op in ("Input", "Const")
        known[id(node)] = node if same else make.again(node, *(known[id(i)] for i in node.inputs))
    return rebuilt(graph, make, known)


def _fits(node: Node, piece: Piece) -> bool:
    """A constant larger than the base would widen it: then this is no function of each value."""
    return node.shape is not None and node.shape == piece.base.shape


def _prelu(node: Node, piece: Piece, base: Node, make: Maker) -> Node | None:
    p, n = np.broadcast_arrays(piece.p, piece.n)
    if np.array_equal(p, n):
        return None
    if (p == 1).all():
        return make.make("PRelu", base, make.const(np.array(n), node.place), place=node.place)
    if not p.all() or not np.isfinite(p).all():
        return None
    slope = make.make("PRelu", base, make.const(n / p, node.place), place=node.place)
    return make.make("Mul", slope, make.const(np.array(p), node.place), place=node.place)
