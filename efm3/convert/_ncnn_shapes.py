# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""ncnn's layers as operations of the graph: those that move, cut, join and gather values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from efm3.convert._ncnn_layers import LAYERS, MANY, Row, Step, sizes
from efm3.convert.graph.nodes import Node
from efm3.findings import refuse

NOT_GIVEN = -233
"""A size or a slice that is not given; for a slice: an equal part of the rest."""
REDUCED: Mapping[int, str] = {
    0: "ReduceSum", 1: "ReduceL1", 2: "ReduceSumSquare", 3: "ReduceMean", 4: "ReduceMax",
    5: "ReduceMin", 6: "ReduceProd", 7: "ReduceL1", 8: "ReduceL2"}
ORDERS: Mapping[int, Mapping[int, tuple[int, ...]]] = {
    2: {1: (1, 0)},
    3: {1: (0, 2, 1), 2: (1, 0, 2), 3: (1, 2, 0), 4: (2, 0, 1), 5: (2, 1, 0)}}
"""Permute's codes for blobs of two and three axes, as numpy's order."""
LETTERS = ("w",), ("h", "w"), ("c", "h", "w"), ("c", "d", "h", "w")
"""What ncnn calls the axes of blobs of 1, 2, 3 and 4 axes."""
IDS: Mapping[str, int] = {"w": 0, "h": 1, "d": 11, "c": 2}
"""The parameters of Reshape and Squeeze for each of them."""


def _named(x: Node) -> tuple[str, ...]:
    rank = len(sizes(x)) - 1
    return LETTERS[rank - 1] if 1 <= rank <= 4 else ()


def axis_in(step: Step, axis: int, rank: int) -> int:
    """ncnn's axis, negative from the end, as one of the graph's `rank` axes."""
    if not -(rank - 1) <= axis < rank - 1:
        refuse("X006", f"{step.place}: axis {axis} of {rank - 1}", step.place, axis)
    return axis % (rank - 1) + 1


def _reshape(step: Step, x: Node, *more: Node) -> Node:
    p = step.params
    if more or 6 in p or p.whole(3) or 12 in p or 13 in p:
        return step.foreign(x, *more)
    given = {k: p.whole(i, NOT_GIVEN) for k, i in IDS.items()}
    count = 0 if given["w"] == NOT_GIVEN else next(
        n for n, k in ((1, "h"), (2, "c"), (3, "d"), (4, "")) if not k or given[k] == NOT_GIVEN)
    if count == 0:
        refuse("X006", f"{step.place} states no shape", step.place)
    have = dict(zip(_named(x), sizes(x)[1:], strict=False))
    want = tuple(have.get(k, 1) if given[k] == 0 else given[k] for k in LETTERS[count - 1])
    return step.reshape(x, (1, *want))


def _squeeze(step: Step, x: Node) -> Node:
    p, names = step.params, _named(x)
    gone = {axis_in(step, a, len(sizes(x))) for a in p.wholes(3)} or {
        i for i, k in enumerate(names, 1) if p.whole(IDS[k])}
    left = [s for i, s in enumerate(sizes(x)) if i not in gone or s != 1]
    return step.reshape(x, tuple(left) if len(left) > 1 else (1, 1))


def _expand_dims(step: Step, x: Node) -> Node:
    p, rank = step.params, len(sizes(x))
    axes = [axis_in(step, a, rank + 1) for a in p.wholes(3)]
    # The flags of old files are not read by ncnn any more.
    if len(axes) != 1 or rank > 4:
        return step.foreign(x)
    return step.reshape(x, (*sizes(x)[:axes[0]], 1, *sizes(x)[axes[0]:]))


def _flatten(step: Step, x: Node) -> Node:
    return step.reshape(x, (1, -1))


def _permute(step: Step, x: Node) -> Node:
    code, rank = step.params.whole(0), len(sizes(x))
    if code == 0 or rank == 2:
        return x
    order = ORDERS.get(rank - 1, {}).get(code)
    if order is None:
        return step.foreign(x, name=f"Permute {code}")
    return step.add("Transpose", x, perm=(0, *(i + 1 for i in order)))


def _concat(step: Step, *xs: Node) -> Node:
    return step.add("Concat", *xs, axis=axis_in(step, step.params.whole(0), len(sizes(xs[0]))))


def _part(step: Step, x: Node, axis: int, start: int, stop: int) -> Node:
    """A part of x; it must lie in it, and not be empty."""
    if not 0 <= start < stop <= sizes(x)[axis]:
        refuse("X006", f"{step.place} takes {start} to {stop} of {sizes(x)[axis]}", step.place)
    if (start, stop) == (0, sizes(x)[axis]):
        return x
    return step.add("Slice", x, axis=axis, start=start, stop=stop, step=1)


def _slice(step: Step, x: Node) -> Node | list[Node]:
    p, count = step.params, len(step.layer.outputs)
    parts = p.wholes(0)
    if 2 in p:
        return step.foreign(x)
    if len(parts) != count:
        refuse("X006", f"{step.place} states {len(parts)} parts and has {count} outputs",
               step.place, len(parts), count)
    axis = axis_in(step, p.whole(1), len(sizes(x)))
    out, at = [], 0
    for i, n in enumerate(parts):
        size = (sizes(x)[axis] - at) // (count - i) if n == NOT_GIVEN else n
        out.append(_part(step, x, axis, at, at + size))
        at += size
    return out


def _crop(step: Step, x: Node, *more: Node) -> Node:
    """By starts and ends, or by the offset and the size of each axis."""
    p, rank = step.params, len(sizes(x))
    if more or rank > 4 or any(i in p for i in (19, 20, 21)):
        return step.foreign(x, *more)
    starts, ends = p.wholes(9), p.wholes(10)
    if starts:
        axes = p.wholes(11) or list(range(rank - 1))
        if len(starts) != len(ends) or len(starts) > len(axes):
            refuse("X006", f"{step.place} has {len(starts)} starts, {len(ends)} ends, {len(axes)} "
                           "axes", step.place)
        for a, start, stop in zip(axes, starts, ends, strict=False):
            axis = axis_in(step, a, rank)
            side = sizes(x)[axis]
            start, stop = 0 if start == NOT_GIVEN else start, side if stop == NOT_GIVEN else stop
            start, stop = (v + side if v < 0 else v for v in (start, stop))
            x = _part(step, x, axis, start, min(stop, side))
        return x
    for i, k in enumerate(_named(x), 1):
        first, size, last = {"w": (0, 3, 6), "h": (1, 4, 7), "c": (2, 5, 8)}[k]
        start, wanted, cut = p.whole(first), p.whole(size), p.whole(last)
        stop = sizes(x)[i] - cut if wanted == NOT_GIVEN else start + wanted
        x = _part(step, x, i, start, stop)
    return x


def _padding(step: Step, x: Node, *more: Node) -> Node:
    p, rank = step.params, len(sizes(x))
    top, bottom, left, right = (p.whole(i) for i in range(4))
    front, behind = p.whole(7), p.whole(8)
    if more or p.whole(6) or rank > 4 or min(top, bottom, left, right, front, behind) < 0:
        return step.foreign(x, *more)
    pads = [(0, 0), (front, behind), (top, bottom), (left, right)]
    pads = [pads[0], *pads[5 - rank:]]
    mode = {0: "constant", 1: "edge", 2: "reflect"}.get(p.whole(4), "unknown")
    return step.add("Pad", x, pads=tuple(pads), value=p.real(5), mode=mode)


def _pooling(step: Step, x: Node) -> Node:
    """Over the whole map; EFM3 has no other."""
    p, shape = step.params, sizes(x)
    op = {0: "ReduceMax", 1: "ReduceMean"}.get(p.whole(0))
    if len(shape) != 4 or op is None:
        return step.foreign(x)
    if p.whole(4):
        return step.add(op, x, axes=(2, 3), keepdims=False)
    kernel = p.whole(11, p.whole(1)), p.whole(1)
    pads = [p.whole(3), p.whole(14, p.whole(3)), p.whole(13, p.whole(3)),
            p.whole(15, p.whole(13, p.whole(3)))]
    adaptive = p.whole(7) and (p.whole(8), p.whole(18, p.whole(8))) == (1, 1)
    if not adaptive and (p.whole(7) or any(pads) or kernel != shape[2:]):
        return step.foreign(x)
    return step.add(op, x, axes=(2, 3), keepdims=True)


def _reduction(step: Step, x: Node) -> Node:
    p, rank = step.params, len(sizes(x))
    op, axes = REDUCED.get(p.whole(0)), p.wholes(3)
    if op is None:
        return step.foreign(x, name=f"Reduction {p.whole(0)}")
    if axes and not p.whole(5):
        refuse("X008", f"{step.place} is of an old ncnn, which counted axes otherwise; ncnn itself "
                       "refuses it", step.place)
    whole = bool(p.whole(1, 1)) or not axes
    over = set(range(1, rank)) if whole else {axis_in(step, a, rank) for a in axes}
    kept = {"keepdims": bool(p.whole(4))}
    y = step.add(op, x, axes=tuple(sorted(over)), **kept)
    if len(sizes(y)) == 1:
        y = step.reshape(y, (1, 1))
    by = p.real(2, 1.0)
    return y if by == 1 else step.add("Mul", y, step.const(by))


SHAPES: dict[str, Row] = {
    "Reshape": Row(_reshape, 1, 8), "Squeeze": Row(_squeeze), "ExpandDims": Row(_expand_dims),
    "Flatten": Row(_flatten), "Permute": Row(_permute), "Concat": Row(_concat, 1, MANY),
    "Slice": Row(_slice), "Crop": Row(_crop, 1, 2), "Padding": Row(_padding, 1, 2),
    "Pooling": Row(_pooling), "Reduction": Row(_reduction),
}
"""The layers that move values."""
NEED_SHAPES = (*SHAPES, "InnerProduct", "Normalize")
"""The layers whose operations depend on their inputs' shapes."""


def built(step: Step, inputs: list[Node]) -> list[Node]:
    """The layer's outputs; a foreign node for a type that is not known. Raises X006, X007, X008."""
    layer = step.layer
    row: Row | None = LAYERS.get(layer.kind) or SHAPES.get(layer.kind)
    if row is not None and not row.least <= len(inputs) <= row.most:
        refuse("X007", f"{layer.place} has {len(inputs)} inputs", layer.place, len(inputs),
               row.least)
    if row is None or (layer.kind in NEED_SHAPES and any(x.shape is None for x in inputs)):
        made: Any = step.foreign(*inputs)
    else:
        made = row.build(step, *inputs)
    if isinstance(made, list):
        out = list(made)
    else:
        # What is not known may put out anything.
        out = [made] * (1 if made.shape is not None else len(layer.outputs))
    if len(out) != len(layer.outputs):
        refuse("X007", f"{layer.place} has {len(layer.outputs)} outputs", layer.place,
               len(layer.outputs), len(out))
    return out
