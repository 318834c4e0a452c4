# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Rewrites that bring every map to [N, C, H, W], and the embedding to [N, D, 1, 1].

Transpose and Reshape move values without changing them; an operation on each value commutes with
both, so they are moved towards the output until they meet their inverse or the end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from efm3.convert.graph.nodes import INPUT, Graph, Node
from efm3.convert.graph.rewrite import Maker, Rule, rebuilt, vector
from efm3.convert.graph.rewrite import maker as maker_of

UNARY = ("Relu", "LeakyRelu", "Clip", "Neg", "Abs", "Sqrt", "Reciprocal", "Exp", "Sign", "Not",
         "Tanh", "Sigmoid", "HardSigmoid", "HardSwish", "Cast")
WIDE = ("PRelu", "Add", "Sub", "Mul", "Div", "Max", "Min", "Pow", "Greater", "GreaterEqual",
        "Less", "LessEqual", "Equal", "And", "Or", "Where")
MOST = 1 << 16
"""Most values of a constant that is written out to be moved past a Reshape."""


def transpose_of_transpose(n: Node, make: Maker) -> Node | None:
    """T_q(T_p(x)) = T_r(x), where axis k of the result is axis p[q[k]] of x."""
    below = n.inputs[0]
    if below.op != "Transpose":
        return None
    perm = tuple(below.attrs["perm"][q] for q in n.attrs["perm"])
    return make.make("Transpose", below.inputs[0], place=n.place, perm=perm)


def transpose_of_nothing(n: Node, make: Maker) -> Node | None:
    """T_p(x) = x where p is the identity."""
    return n.inputs[0] if list(n.attrs["perm"]) == sorted(n.attrs["perm"]) else None


def transpose_of_ones(n: Node, make: Maker) -> Node | None:
    """T_p(x) = Reshape(x) where only axes of size 1 move: the order of the values stays.

    One channel of a map stays as it is: a Concat of several is again a map.
    """
    x = n.inputs[0]
    if x.shape is None or None in x.shape or n.shape is None or sum(
            s != 1 for s in x.shape[1:]) > 1:
        return None
    moved = [p for p in n.attrs["perm"] if x.shape[p] != 1]
    if moved != sorted(moved):
        return None
    return make.reshape(x, [s or 0 for s in n.shape], n.place)


def reshape_of_reshape(n: Node, make: Maker) -> Node | None:
    """R_b(R_a(x)) = R_b(x); R to the shape that x has is x."""
    below = n.inputs[0]
    if below.shape == n.shape:
        return below
    if below.op != "Reshape":
        return None
    return make.reshape(below.inputs[0], n.attrs["shape"], n.place)


def _moved(c: Node, rank: int, perm: Sequence[int], make: Maker) -> Node | None:
    """A constant or a Transpose by `perm`, as it is before the Transpose; None otherwise."""
    if c.value is not None:
        if c.value.ndim > rank:
            return None
        full = c.value.reshape((1,) * (rank - c.value.ndim) + c.value.shape)
        return make.const(full.transpose(np.argsort(perm)), c.place)
    if c.op == "Transpose" and tuple(c.attrs["perm"]) == tuple(perm):
        return c.inputs[0]
    return None


def each_of_transpose(n: Node, make: Maker) -> Node | None:
    """f(T(x), T(y), c) = T(f(x, y, c')), f working on each value; c' is c with axes moved back."""
    first = next((i for i in n.inputs if i.op == "Transpose"), None)
    if first is None or n.shape is None or first.shape is None or len(n.shape) != len(first.shape):
        return None
    perm = first.attrs["perm"]
    inputs = [_moved(i, len(n.shape), perm, make) for i in n.inputs]
    if any(i is None for i in inputs):
        return None
    inner = make.again(n, *(i for i in inputs if i is not None))
    return make.make("Transpose", inner, place=first.place, perm=perm)


def pad_of_transpose(n: Node, make: Maker) -> Node | None:
    """Pad(T_p(x)) = T_p(Pad'(x)), the pads of axis k now those of axis p[k]."""
    below = n.inputs[0]
    if below.op != "Transpose":
        return None
    perm, pads = below.attrs["perm"], n.attrs["pads"]
    back = [pads[k] for k in np.argsort(perm)]
    inner = make.make("Pad", below.inputs[0], place=n.place, **{**n.attrs, "pads": back})
    return make.make("Transpose", inner, place=below.place, perm=perm)


def part_of_transpose(n: Node, make: Maker) -> Node | None:
    """Slice and Gather along axis a of T_p(x) are T_p of those along axis p[a] of x."""
    below = n.inputs[0]
    if below.op != "Transpose" or (n.op == "Gather" and len(n.inputs[1].shape or ()) != 1):
        return None
    perm = below.attrs["perm"]
    attrs = {**n.attrs, "axis": perm[n.attrs["axis"] % len(perm)]}
    inner = make.make(n.op, below.inputs[0], *n.inputs[1:], place=n.place, **attrs)
    return make.make("Transpose", inner, place=below.place, perm=perm)


def concat_of_transposes(n: Node, make: Maker) -> Node | None:
    """Concat along axis a of T_p(x), T_p(y) is T_p of the one along axis p[a]."""
    first = n.inputs[0]
    if first.op != "Transpose" or n.shape is None:
        return None
    perm = first.attrs["perm"]
    inputs = [_moved(i, len(n.shape), perm, make) for i in n.inputs]
    if any(i is None or (i.value is not None) for i in inputs):
        return None
    axis = perm[n.attrs["axis"] % len(perm)]
    inner = make.make("Concat", *(i for i in inputs if i is not None), place=n.place, axis=axis)
    return make.make("Transpose", inner, place=first.place, perm=perm)


def reduce_of_transpose(n: Node, make: Maker) -> Node | None:
    """Reduce over axes A of T_p(x) is that over p[A] of x, its other axes in T's order."""
    below = n.inputs[0]
    if below.op != "Transpose":
        return None
    perm = list(below.attrs["perm"])
    gone = {perm[a % len(perm)] for a in n.attrs["axes"]}
    inner = make.make(n.op, below.inputs[0], place=n.place, axes=tuple(sorted(gone)),
                      keepdims=n.attrs["keepdims"])
    if not n.attrs["keepdims"]:
        left = [p for p in perm if p not in gone]
        perm = [sorted(left).index(p) for p in left]
    return make.make("Transpose", inner, place=below.place, perm=tuple(perm))


def reduce_of_ones(n: Node, make: Maker) -> Node | None:
    """The sum, mean, product or extreme of one value is the value."""
    x = n.inputs[0]
    if n.op not in ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd"):
        return None
    if x.shape is None or n.shape is None or None in n.shape or any(
            x.shape[a % len(x.shape)] != 1 for a in n.attrs["axes"]):
        return None
    return make.reshape(x, [s or 0 for s in n.shape], n.place)


def each_of_reshape(n: Node, make: Maker) -> Node | None:
    """f(R(x), c) = R(f(x, c')), f working on each value; c' is c written out in x's shape.

    f(R(x), R(y)) = R(f(x, y)) where x and y have one shape.
    """
    first = next((i for i in n.inputs if i.op == "Reshape"), None)
    if first is None or n.shape != first.shape or n.shape is None or None in n.shape:
        return None
    x = first.inputs[0]
    if x.shape is None or None in x.shape or math.prod(s or 0 for s in x.shape) > MOST:
        return None
    want = tuple(s or 0 for s in n.shape)
    inputs = []
    for i in n.inputs:
        if i.value is not None:
            value = i.value if i.value.size == 1 else np.broadcast_to(i.value, want)
            inputs.append(make.const(_slim(value, x.shape), i.place))
        elif i.op == "Reshape" and i.inputs[0].shape == x.shape and i.shape == n.shape:
            inputs.append(i.inputs[0])
        else:
            return None
    return make.reshape(make.again(n, *inputs), want, first.place)


def _slim(value: np.ndarray[tuple[int, ...], np.dtype[np.generic]], shape: Sequence[int | None]
          ) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    """A constant in another shape; one value for each channel where it is that."""
    if value.size == 1:
        return value.reshape(())
    full = value.reshape([s or 0 for s in shape])
    own = vector(full, shape) if len(shape) > 1 else None
    return full if own is None else own.reshape(-1, *[1] * (len(shape) - 2))


def norm_of_reshape(n: Node, make: Maker) -> Node | None:
    """BatchNorm(R(x)) = R(BatchNorm(x)) where R keeps the first two axes and adds or drops ones."""
    below = n.inputs[0]
    if below.op != "Reshape" or n.shape is None or below.inputs[0].shape is None:
        return None
    x = below.inputs[0]
    if x.shape is None or x.shape[:2] != n.shape[:2] or math.prod(
            s or 0 for s in x.shape[2:]) != 1:
        return None
    return make.reshape(make.again(n, x, *n.inputs[1:]), [s or 0 for s in n.shape], n.place)


def dense_of_reshape(n: Node, make: Maker) -> Node | None:
    """Dense(R(x)) = R(Conv1x1(x)) where x is [N, C, 1, 1] and R keeps its channels together."""
    below = n.inputs[0]
    x = below.inputs[0] if below.op == "Reshape" else below
    if x.shape is None or n.shape is None or None in n.shape or len(x.shape) != 4:
        return _dense_of_vector(n, make)
    if x.shape[2:] != (1, 1) or below.shape is None or below.shape[-1] != x.shape[1]:
        return None
    return make.reshape(_pointwise(n, x, make), [s or 0 for s in n.shape], n.place)


def _dense_of_vector(n: Node, make: Maker) -> Node | None:
    """Dense on [N, C] that comes from no map: the same on [N, C, 1, 1]."""
    x = n.inputs[0]
    if x.shape is None or len(x.shape) != 2 or None in x.shape or n.shape is None:
        return None
    tall = make.reshape(x, [x.shape[0] or 0, x.shape[1] or 0, 1, 1], n.place)
    return make.reshape(_pointwise(n, tall, make), [s or 0 for s in n.shape], n.place)


def dense_of_transpose(n: Node, make: Maker) -> Node | None:
    """Dense on the channels of [N, H, W, C] is a 1×1 convolution of [N, C, H, W]."""
    below = n.inputs[0]
    if below.op != "Transpose" or list(below.attrs["perm"]) != [0, 2, 3, 1]:
        return None
    return make.make("Transpose", _pointwise(n, below.inputs[0], make), place=below.place,
                     perm=below.attrs["perm"])


def _pointwise(n: Node, x: Node, make: Maker) -> Node:
    w, *more = n.inputs[1:]
    if w.value is None:
        return make.make("Dense of two values", x, *n.inputs[1:], place=n.place)
    tall = make.const(w.value[:, :, None, None], w.place)
    return make.make("Conv", x, tall, *more, place=n.place, strides=(1, 1), pads=(0, 0, 0, 0),
                     dilations=(1, 1), group=1)


def slices_to_gather(n: Node, make: Maker) -> Node | None:
    """Concat along an axis of slices of one x along it picks entries of x: a Gather."""
    axis = n.attrs["axis"]
    if n.shape is None or not (n.shape[axis] or MOST + 1) <= MOST:
        return None
    picks: list[int] = []
    base: Node | None = None
    for i in n.inputs:
        size = None if i.op != "Slice" or i.inputs[0].shape is None else (
            i.inputs[0].shape[i.attrs["axis"]])
        if size is None or i.attrs["axis"] != axis or (base is not None
                                                       and base is not i.inputs[0]):
            return None
        base = i.inputs[0]
        picks += range(*slice(i.attrs["start"], i.attrs["stop"], i.attrs["step"]).indices(size))
    if base is None:
        return None
    return make.make("Gather", base, make.const(np.array(picks, np.int64), n.place),
                     place=n.place, axis=axis)


RULES: dict[str, tuple[Rule, ...]] = {
    "Transpose": (transpose_of_nothing, transpose_of_transpose, transpose_of_ones),
    "Reshape": (reshape_of_reshape,),
    **{op: (each_of_transpose, each_of_reshape) for op in (*UNARY, *WIDE)},
    "Pad": (pad_of_transpose,),
    "Slice": (part_of_transpose,), "Gather": (part_of_transpose,),
    "Concat": (slices_to_gather, concat_of_transposes),
    **{op: (reduce_of_ones, reduce_of_transpose) for op in (
        "ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
        "ReduceSumSquare")},
    "BatchNorm": (norm_of_reshape,),
    "Dense": (dense_of_reshape, dense_of_transpose),
}


def upright(graph: Graph) -> Graph:
    """The graph with its maps in [N, C, H, W], its picture too."""
    make = maker_of(graph, RULES)
    known: dict[int, Node] = {}
    shape = graph.input.shape
    if shape is not None and len(shape) == 4 and shape[3] == 3 and shape[1] != 3:
        picture = Node(INPUT, graph.input.place, shape=(shape[0], 3, shape[1], shape[2]))
        known[id(graph.input)] = make.make("Transpose", picture, place=graph.input.place,
                                           perm=(0, 2, 3, 1))
        out = rebuilt(graph, make, known)
        out.input = picture
        return out
    return rebuilt(graph, make, known)


