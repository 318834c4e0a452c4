# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The known operations: the shape of each one's output, and its value in numpy.

All maps are [N, C, H, W]; a source in another layout has its Transposes spelled out by its reader.

| operation | inputs | attributes |
|---|---|---|
| Conv | x [N,C,H,W], w [O,C/group,kh,kw], b [O] or none | strides (2), or None for "not stated"; \
pads (top, left, bottom, right); dilations (2); group |
| Dense | x [...,I], w [O,I], b [O] or none | |
| BatchNorm | x [N,C,...], scale, shift, mean, var, each [C] | eps |
| PRelu | x, slope (broadcast as numpy does) | |
| Relu Neg Abs Sqrt Reciprocal Exp Sign Not Sigmoid Tanh HardSigmoid HardSwish | x | |
| LeakyRelu | x | alpha |
| Clip | x | low, high (numbers; infinite for none) |
| Add Sub Mul Div Max Min Pow Greater GreaterEqual Less LessEqual Equal And Or | a, b \
(broadcast) | |
| Where | condition, a, b (broadcast) | |
| Cast | x | kind: float, int or bool |
| Pad | x | pads: (before, after) of each axis; value; mode: constant, or another word |
| Transpose | x | perm |
| Reshape | x | shape (whole, of the same number of values) |
| Expand | x | shape (broadcast to it) |
| Slice | x | axis, start, stop, step: as Python's, within the axis |
| Gather | x, indices (a constant) | axis |
| Concat | x, ... | axis |
| ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceSumSquare | x | \
axes (tuple of non-negative), keepdims |
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import zip_longest
from typing import Any, NamedTuple

import numpy as np

from efm3.arrays import Array
from efm3.convert.graph.nodes import Shape

Attrs = Mapping[str, Any]
MOST_RANK = 8


class Op(NamedTuple):
    """`shape(attrs, shapes)`; ValueError where the inputs do not fit. `run(attrs, arrays)`."""

    shape: Callable[[Attrs, list[Shape]], Shape]
    run: Callable[..., Array]
    least: int = 1
    most: int = 1


def broadcast(shapes: list[Shape]) -> Shape:
    """The shape that numpy broadcasts these to; an unknown size stays unknown."""
    if any(s is None for s in shapes):
        return None
    out: list[int | None] = []
    for sizes in zip_longest(*(reversed(s) for s in shapes if s is not None), fillvalue=1):
        known = {s for s in sizes if s is not None and s != 1}
        if len(known) > 1:
            words = " and ".join(str([*s]) for s in shapes if s is not None)
            raise ValueError(f"shapes {words} do not fit each other")
        out.append(known.pop() if known else None if None in sizes else 1)
    return tuple(reversed(out))


def _same(attrs: Attrs, shapes: list[Shape]) -> Shape:
    return shapes[0]


def _wide(attrs: Attrs, shapes: list[Shape]) -> Shape:
    return broadcast(shapes)


def _vectors(x: Shape, rest: list[Shape]) -> None:
    if x is None:
        return
    if len(x) < 2:
        raise ValueError(f"its input has shape {[*x]}, without channels")
    for s in rest:
        if s is not None and s != (x[1],) and x[1] is not None:
            raise ValueError(f"a parameter has shape {[*s]} for {x[1]} channels")


def _normed(attrs: Attrs, shapes: list[Shape]) -> Shape:
    _vectors(shapes[0], shapes[1:])
    return shapes[0]


def _prelu(attrs: Attrs, shapes: list[Shape]) -> Shape:
    out = broadcast(shapes)
    # The slope is broadcast to x, not x to the slope.
    if out is not None and shapes[0] is not None and (len(out) != len(shapes[0]) or any(
            s not in (None, o) for s, o in zip(shapes[0], out, strict=True))):
        raise ValueError(f"a slope of shape {[*(shapes[1] or ())]} for {[*shapes[0]]}")
    return shapes[0]


def window(side: int, kernel: int, stride: int, before: int, after: int) -> int:
    """Output side of a convolution. Raises ValueError where the kernel does not fit."""
    if before < 0 or after < 0 or stride < 1 or kernel < 1:
        raise ValueError(f"kernel {kernel}, stride {stride}, pads {before} and {after}")
    if side + before + after < kernel:
        raise ValueError(f"a kernel of {kernel} on a map of {side}")
    return (side + before + after - kernel) // stride + 1


def _conv(attrs: Attrs, shapes: list[Shape]) -> Shape:
    x, w, *more = shapes
    if w is None or x is None:
        return None
    if len(x) != 4 or len(w) != 4 or None in w or 0 in w:
        raise ValueError(f"a weight of shape {[*w]} on a map of shape {[*x]}")
    group = attrs["group"]
    out, part, kh, kw = (int(v or 0) for v in w)
    if group < 1 or out % group or (x[1] is not None and part * group != x[1]):
        raise ValueError(f"it takes {part * group} channels in {group} groups, and the layer "
                         f"before it puts out {x[1]}")
    if more and more[0] is not None and more[0] != (out,):
        raise ValueError(f"a bias of shape {[*more[0]]} for {out} channels")
    if attrs["strides"] is None or x[2] is None or x[3] is None:
        return (x[0], out, None, None)
    top, left, bottom, right = attrs["pads"]
    (sh, sw), (dh, dw) = attrs["strides"], attrs["dilations"]
    return (x[0], out, window(x[2], (kh - 1) * dh + 1, sh, top, bottom),
            window(x[3], (kw - 1) * dw + 1, sw, left, right))


def _dense(attrs: Attrs, shapes: list[Shape]) -> Shape:
    x, w, *more = shapes
    if x is None or w is None:
        return None
    if len(w) != 2 or not x or (x[-1] is not None and w[1] != x[-1]):
        raise ValueError(f"a weight of shape {[*w]} for an input of shape {[*x]}")
    if more and more[0] is not None and more[0] != (w[0],):
        raise ValueError(f"a bias of shape {[*more[0]]} for {w[0]} outputs")
    return (*x[:-1], w[0])


def _pad(attrs: Attrs, shapes: list[Shape]) -> Shape:
    x = shapes[0]
    if x is None:
        return None
    if len(attrs["pads"]) != len(x):
        raise ValueError(f"{len(attrs['pads'])} pads for {len(x)} axes")
    out = [None if s is None else s + a + b for s, (a, b) in zip(x, attrs["pads"], strict=True)]
    if any(s is not None and s < 0 for s in out):
        raise ValueError(f"pads {attrs['pads']} for {[*x]}")
    return tuple(out)


def _transpose(attrs: Attrs, shapes: list[Shape]) -> Shape:
    x, perm = shapes[0], attrs["perm"]
    if x is None:
        return None
    if sorted(perm) != list(range(len(x))):
        raise ValueError(f"perm {[*perm]} for {len(x)} axes")
    return tuple(x[p] for p in perm)


def _reshape(attrs: Attrs, shapes: list[Shape]) -> Shape:
    x, want = shapes[0], tuple(attrs["shape"])
    if x is None or None in x:
        return want
    if math.prod(s or 0 for s in x) != math.prod(want):
        raise ValueError(f"shape {[*x]} cannot become {[*want]}")
    return want


def _expand(attrs: Attrs, shapes: list[Shape]) -> Shape:
    return broadcast([shapes[0], tuple(attrs["shape"])])


def axis_of(axis: int, rank: int) -> int:
    """The axis counted from the front. Raises ValueError outside the rank."""
    if not -rank <= axis < rank:
        raise ValueError(f"axis {axis} of {rank}")
    return axis % rank


def _slice(attrs: Attrs, shapes: list[Shape]) -> Shape:
    x = shapes[0]
    if x is None:
        return None
    axis = axis_of(attrs["axis"], len(x))
    size = x[axis]
    count = None if size is None else len(range(*_part(attrs).indices(size)))
    return (*x[:axis], count, *x[axis + 1:])


def _part(attrs: Attrs) -> slice:
    return slice(attrs["start"], attrs["stop"], attrs["step"])


def _gather(attrs: Attrs, shapes: list[Shape]) -> Shape:
    x, indices = shapes
    if x is None or indices is None:
        return None
    axis = axis_of(attrs["axis"], len(x))
    return (*x[:axis], *indices, *x[axis + 1:])


def _concat(attrs: Attrs, shapes: list[Shape]) -> Shape:
    if any(s is None for s in shapes):
        return None
    known = [s for s in shapes if s is not None]
    axis = axis_of(attrs["axis"], len(known[0]))
    sizes = [s[axis] for s in known if len(s) == len(known[0])]
    if len(sizes) != len(known) or any(
            s[:axis] + s[axis + 1:] != known[0][:axis] + known[0][axis + 1:] for s in known):
        raise ValueError(f"shapes {' and '.join(str([*s]) for s in known[:4])} do not fit")
    total = None if None in sizes else sum(s or 0 for s in sizes)
    return (*known[0][:axis], total, *known[0][axis + 1:])


def _reduce(attrs: Attrs, shapes: list[Shape]) -> Shape:
    x = shapes[0]
    if x is None:
        return None
    axes = {axis_of(a, len(x)) for a in attrs["axes"]}
    return tuple(1 if i in axes else s for i, s in enumerate(x)
                 if i not in axes or attrs["keepdims"])


def _reduced(f: Callable[..., Array]) -> Callable[..., Array]:
    return lambda a, x: np.asarray(f(x, axis=tuple(a["axes"]), keepdims=bool(a["keepdims"])))


def _run_conv(a: Attrs, x: Array, w: Array, b: Array | None = None) -> Array:
    top, left, bottom, right = a["pads"]
    (sh, sw), (dh, dw), group = a["strides"], a["dilations"], a["group"]
    x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    n, (out, part, kh, kw) = len(x), w.shape
    rows = window(x.shape[2], (kh - 1) * dh + 1, sh, 0, 0)
    columns = window(x.shape[3], (kw - 1) * dw + 1, sw, 0, 0)
    y = np.zeros((n, group, out // group, rows * columns), x.dtype)
    wide = w.reshape(group, out // group, part, kh, kw)
    for i in range(kh):
        for j in range(kw):
            taps = x[:, :, i * dh:i * dh + sh * (rows - 1) + 1:sh,
                     j * dw:j * dw + sw * (columns - 1) + 1:sw]
            taps = taps.reshape(n, group, part, rows * columns)
            # One channel a group in and out is a product, which matmul does slowly.
            y += (wide[None, :, :, :, i, j] * taps if part == 1 and out == group
                  else wide[:, :, :, i, j] @ taps)
    y = y.reshape(n, out, rows, columns)
    return y if b is None else y + b[:, None, None]


def per_channel(v: Array, rank: int) -> Array:
    """A vector along axis 1 of a value of `rank`."""
    return v.reshape(-1, *[1] * (rank - 2))


def _run_bn(a: Attrs, x: Array, scale: Array, shift: Array, mean: Array, var: Array) -> Array:
    s, t, m, v = (per_channel(p, x.ndim) for p in (scale, shift, mean, var))
    return np.asarray((x - m) / np.sqrt(v + a["eps"]) * s + t)


def _run_gather(a: Attrs, x: Array, indices: Array) -> Array:
    return np.take(x, indices.astype(np.int64), axis=a["axis"])


def _run_slice(a: Attrs, x: Array) -> Array:
    where: list[slice] = [slice(None)] * x.ndim
    where[a["axis"]] = _part(a)
    return x[tuple(where)]


def _run_pad(a: Attrs, x: Array) -> Array:
    if a["mode"] != "constant" or any(v < 0 for pair in a["pads"] for v in pair):
        raise ValueError(f"pads {a['pads']} of mode {a['mode']}")
    return np.pad(x, a["pads"], constant_values=a["value"])


def _unary(f: Callable[[Array], Array]) -> Op:
    return Op(_same, lambda a, x: np.asarray(f(x)))


def _binary(f: Callable[[Array, Array], Array]) -> Op:
    return Op(_wide, lambda a, x, y: np.asarray(f(x, y)), 2, 2)


KINDS = {"float": np.float64, "int": np.int64, "bool": np.bool_}
MOVING = ("Reshape", "Transpose", "Expand", "Slice", "Gather", "Concat", "Pad")
"""Operations that move values and keep their type."""
TRUTHS = ("Greater", "GreaterEqual", "Less", "LessEqual", "Equal", "And", "Or", "Not")
"""Operations whose output is true or false."""

OPS: dict[str, Op] = {
    "Conv": Op(_conv, _run_conv, 2, 3),
    "Dense": Op(_dense, lambda a, x, w, b=None: x @ w.T if b is None else x @ w.T + b, 2, 3),
    "BatchNorm": Op(_normed, _run_bn, 5, 5),
    "PRelu": Op(_prelu, lambda a, x, s: np.where(x > 0, x, s * x), 2, 2),
    "Relu": _unary(lambda x: np.maximum(x, 0)),
    "LeakyRelu": Op(_same, lambda a, x: np.where(x > 0, x, a["alpha"] * x)),
    "Clip": Op(_same, lambda a, x: np.clip(x, a["low"], a["high"])),
    "Neg": _unary(np.negative), "Abs": _unary(np.abs), "Sqrt": _unary(np.sqrt),
    "Reciprocal": _unary(lambda x: 1 / x), "Exp": _unary(np.exp), "Sign": _unary(np.sign),
    "Not": _unary(np.logical_not), "Tanh": _unary(np.tanh),
    "Sigmoid": _unary(lambda x: 1 / (1 + np.exp(-x))),
    "HardSigmoid": _unary(lambda x: np.clip(x / 6 + 0.5, 0, 1)),
    "HardSwish": _unary(lambda x: x * np.clip(x / 6 + 0.5, 0, 1)),
    "Add": _binary(np.add), "Sub": _binary(np.subtract), "Mul": _binary(np.multiply),
    "Div": _binary(lambda x, y: x // y if y.dtype.kind == "i" == x.dtype.kind else x / y),
    "Max": _binary(np.maximum), "Min": _binary(np.minimum), "Pow": _binary(np.power),
    "Greater": _binary(np.greater), "GreaterEqual": _binary(np.greater_equal),
    "Less": _binary(np.less), "LessEqual": _binary(np.less_equal), "Equal": _binary(np.equal),
    "And": _binary(np.logical_and), "Or": _binary(np.logical_or),
    "Where": Op(_wide, lambda a, c, x, y: np.asarray(
        np.where(c.astype(bool), x, y)), 3, 3),
    "Cast": Op(_same, lambda a, x: x.astype(KINDS[a["kind"]])),
    "Pad": Op(_pad, _run_pad),
    "Transpose": Op(_transpose, lambda a, x: np.transpose(x, a["perm"])),
    "Reshape": Op(_reshape, lambda a, x: x.reshape(a["shape"])),
    "Expand": Op(_expand, lambda a, x: np.asarray(np.broadcast_to(
        x, np.broadcast_shapes(x.shape, tuple(a["shape"]))))),
    "Slice": Op(_slice, _run_slice),
    "Gather": Op(_gather, _run_gather, 2, 2),
    "Concat": Op(_concat, lambda a, *x: np.concatenate(x, axis=a["axis"]), 1, 1 << 10),
    "ReduceSum": Op(_reduce, _reduced(np.sum)), "ReduceMean": Op(_reduce, _reduced(np.mean)),
    "ReduceMax": Op(_reduce, _reduced(np.max)), "ReduceMin": Op(_reduce, _reduced(np.min)),
    "ReduceProd": Op(_reduce, _reduced(np.prod)),
    "ReduceL1": Op(_reduce, _reduced(lambda x, **k: np.sum(np.abs(x), **k))),
    "ReduceL2": Op(_reduce, _reduced(lambda x, **k: np.sqrt(np.sum(x * x, **k)))),
    "ReduceSumSquare": Op(_reduce, _reduced(lambda x, **k: np.sum(x * x, **k))),
}
"""Every operation that a graph may hold and that can be evaluated."""
