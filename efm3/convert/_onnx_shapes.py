# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""ONNX operations that move values, choose among them, or make constants."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from efm3.arrays import Array
from efm3.convert._onnx_call import Call
from efm3.convert._onnx_tensors import ELEMENTS, FLOAT, INT64
from efm3.convert.graph.nodes import Node
from efm3.convert.graph.ops import axis_of
from efm3.findings import refuse

Made = Node | Sequence[Node]


def _axis(c: Call, axis: int, rank: int) -> int:
    """An axis from the front. Raises X006."""
    try:
        return axis_of(axis, rank)
    except ValueError as e:
        refuse("X006", f"{c.place}: {e}", c.place)


def axes(c: Call, given: Sequence[int], rank: int) -> tuple[int, ...]:
    """Axes from the front, in order. Raises X006, for one that is given twice too."""
    found = sorted(_axis(c, a, rank) for a in given)
    if len(set(found)) != len(found):
        refuse("X006", f"{c.place} has axes {[*given]}", c.place)
    return tuple(found)


def _sizes(c: Call) -> list[int] | None:
    """The sizes of the first input, None where one is not known."""
    shape = c.x.shape
    return None if shape is None or None in shape else [s or 0 for s in shape]


def _reshape(c: Call) -> Node:
    want = c.numbers("shape", 1)
    if want is None:
        refuse("X007", f"{c.place} has no shape", c.place)
    return c.builder.reshape(c.x, want, c.place, zero=not c.integer("allowzero", 0))


def _flatten(c: Call) -> Node:
    sizes = _sizes(c)
    if sizes is None:
        return c.foreign()
    axis = c.integer("axis", 1)
    # An axis behind the last one is legal here.
    at = axis if axis == len(sizes) else _axis(c, axis, len(sizes))
    return c.builder.reshape(c.x, (math.prod(sizes[:at]), math.prod(sizes[at:])), c.place,
                             zero=False)


def _squeeze(c: Call) -> Node:
    sizes = _sizes(c)
    if sizes is None:
        return c.foreign()
    given = c.numbers("axes", 1)
    gone = ({i for i, s in enumerate(sizes) if s == 1} if given is None
            else axes(c, given, len(sizes)))
    return c.builder.reshape(c.x, [s for i, s in enumerate(sizes) if i not in gone], c.place,
                             zero=False)


def _unsqueeze(c: Call) -> Node:
    sizes, given = _sizes(c), c.numbers("axes", 1)
    if sizes is None:
        return c.foreign()
    for at in axes(c, given or (), len(sizes) + len(given or ())):
        sizes.insert(at, 1)
    return c.builder.reshape(c.x, sizes, c.place, zero=False)


def _transpose(c: Call) -> Node:
    perm = c.integers("perm")
    if perm is None:
        if c.rank is None:
            return c.foreign()
        perm = [*reversed(range(c.rank))]
    return c.x if perm == [*range(c.rank or -1)] else c.add("Transpose", c.x, perm=tuple(perm))


def _expand(c: Call) -> Node:
    want = tuple(c.numbers("shape", 1) or ())
    if any(w < 0 for w in want):
        refuse("X006", f"{c.place} has shape {[*want]}", c.place)
    node = c.add("Expand", c.x, shape=want)
    return c.x if node.value is None and node.shape == c.x.shape is not None else node


def _shape(c: Call) -> Node:
    whole = c.builder.shape_of(c.x, c.place)
    if "start" not in c and "end" not in c:
        return whole
    return c.add("Slice", whole, axis=0, start=c.integer("start", 0),
                 stop=c.integer("end", c.rank or 0), step=1)


def _size(c: Call) -> Node:
    return c.add("ReduceProd", c.builder.shape_of(c.x, c.place), axes=(0,), keepdims=False)


def _gather(c: Call) -> Node:
    indices = c.need(1)
    if indices.value is None or c.x.shape is None:
        return c.foreign()
    axis = _axis(c, c.integer("axis", 0), len(c.x.shape))
    return _picked(c, axis, indices)


def _picked(c: Call, axis: int, indices: Node) -> Node:
    """The entries of the first input at constant places along an axis. Raises X006."""
    size = (c.x.shape or ())[axis]
    at = _array(indices)
    if size is not None:
        if at.dtype.kind != "i" or (at.size and not -size <= at.min() <= at.max() < size):
            refuse("X006", f"{c.place} takes places outside an axis of {size}", c.place)
        if at.size and at.min() < 0:
            indices = c.const(np.where(at < 0, at + size, at))
    return c.add("Gather", c.x, indices, axis=axis)


def _gather_nd(c: Call) -> Node:
    """Places of one number each, the same for every entry of the batch axes, are along one axis:
    so PyTorch writes x[:, [2, 1, 0]]."""
    indices, shape, axis = c.need(1), c.x.shape, c.integer("batch_dims", 0)
    if indices.value is None or shape is None or not 0 <= axis < len(shape):
        return c.foreign()
    at = indices.value
    if at.ndim <= axis or at.shape[-1] != 1 or at.shape[:axis] != shape[:axis] or 0 in at.shape:
        return c.foreign()
    first = at[(0,) * axis][..., 0]
    return _picked(c, axis, c.const(first)) if (at[..., 0] == first).all() else c.foreign()


def _slice(c: Call) -> Node:
    starts, ends = c.numbers("starts", 1), c.numbers("ends", 2)
    if starts is None or ends is None:
        refuse("X007", f"{c.place} has no starts or ends", c.place)
    if c.rank is None:
        return c.foreign()
    given = c.numbers("axes", 3)
    given = [*range(len(starts))] if given is None else given
    steps = c.numbers("steps", 4) or [1] * len(starts)
    if not len(starts) == len(ends) == len(given) == len(steps) or 0 in steps:
        refuse("X006", f"{c.place} has starts {starts}, ends {ends}, axes {given}, steps {steps}",
               c.place)
    x, rank = c.x, c.rank
    axes(c, given, rank)
    for axis, start, stop, step in zip(given, starts, ends, steps, strict=True):
        part = c.add("Slice", x, axis=_axis(c, axis, rank), start=start, stop=stop, step=step)
        x = x if step == 1 and part.shape == x.shape is not None and None not in x.shape else part
    return x


def _split(c: Call) -> Made:
    sizes = _sizes(c)
    if sizes is None:
        return c.foreign()
    axis = _axis(c, c.integer("axis", 0), len(sizes))
    parts, count = c.numbers("split", 1), c.wanted
    if parts is None:
        # In equal parts; the last one may be smaller.
        size = -(-sizes[axis] // max(count, 1))
        parts = [max(min(size, sizes[axis] - i * size), 0) for i in range(count)]
    if sum(parts) != sizes[axis] or any(p < 0 for p in parts) or len(parts) != count:
        refuse("X006", f"{c.place} splits {sizes[axis]} into {parts}", c.place)
    if len(parts) == 1:
        return c.x
    ends = [sum(parts[:i]) for i in range(len(parts) + 1)]
    return [c.add("Slice", c.x, axis=axis, start=ends[i], stop=ends[i + 1], step=1)
            for i in range(len(parts))]


def _concat(c: Call) -> Node:
    parts = [c.need(i) for i in range(max(len(c.inputs), 1))]
    return parts[0] if len(parts) == 1 else c.add("Concat", *parts, axis=c.integer("axis", 0))


def _pad(c: Call) -> Node:
    rank, pads = c.rank, c.numbers("pads", 1)
    if rank is None:
        return c.foreign()
    value = c.at(2)
    if value is not None and (value.value is None or value.value.size != 1):
        return c.foreign()
    fill = c.real("value", 0.0) if value is None else float(_array(value).reshape(-1)[0])
    given = None if c.at(3) is None else c.builder.numbers(c.need(3), c.place)
    at = [*range(rank)] if given is None else [_axis(c, a, rank) for a in given]
    if pads is None or len(pads) != 2 * len(at) or len(set(at)) != len(at):
        refuse("X006", f"{c.place} has pads {pads} for {len(at)} axes", c.place)
    pairs = [(0, 0)] * rank
    for axis, before, after in zip(at, pads[:len(at)], pads[len(at):], strict=True):
        pairs[axis] = before, after
    if not any(pads):
        return c.x
    return c.add("Pad", c.x, pads=tuple(pairs), value=fill, mode=c.text("mode") or "constant")


def _array(node: Node) -> Array:
    return np.asarray(node.value)


SCALARS = {"value_float": ("reals", "f", FLOAT), "value_floats": ("reals", "floats", FLOAT),
           "value_int": ("wholes", "i", INT64), "value_ints": ("wholes", "ints", INT64)}
"""Attributes of Constant beside `value`: how they are read, and their element type."""


def _constant(c: Call) -> Node:
    if "value" in c:
        c.kind = c.attribute("value").sub("t").whole("data_type", 0)
        return c.const(c.tensor("value"))
    for name, (how, field, kind) in SCALARS.items():
        if name in c:
            c.kind = kind
            held = getattr(c.attribute(name), how)(field)
            whole = field.endswith("s")
            return c.const(np.array(held if whole else [0, *held][-1], ELEMENTS[kind].raw))
    refuse("X006", f"{c.place} holds no numbers", c.place)


def _constant_of_shape(c: Call) -> Node:
    filled = c.tensor("value") if "value" in c else np.zeros(1, np.float32)
    if filled.size != 1:
        refuse("X006", f"{c.place} is filled with {filled.size} values", c.place)
    shape = c.builder.numbers(c.x, c.place)
    if any(s < 0 for s in shape):
        refuse("X006", f"{c.place} has shape {shape}", c.place)
    return c.add("Expand", c.const(filled.reshape(())), shape=tuple(shape))


def _range(c: Call) -> Node:
    ends = [c.need(i) for i in range(3)]
    if any(e.value is None or e.value.size != 1 or e.value.dtype.kind not in "if" for e in ends):
        return c.foreign()
    start, limit, delta = (_array(e).reshape(-1)[0] for e in ends)
    try:
        count = max(math.ceil((float(limit) - float(start)) / float(delta)), 0)
    except (ArithmeticError, ValueError) as e:
        refuse("X006", f"{c.place} goes from {start} to {limit} by {delta}: {e}", c.place)
    c.builder.spend(count, c.place)
    return c.const(start + delta * np.arange(count, dtype=_array(ends[0]).dtype))


SHAPES: dict[str, Callable[[Call], Made]] = {
    "Reshape": _reshape, "Flatten": _flatten, "Squeeze": _squeeze, "Unsqueeze": _unsqueeze,
    "Transpose": _transpose, "Expand": _expand, "Shape": _shape, "Size": _size,
    "Gather": _gather, "GatherND": _gather_nd, "Slice": _slice, "Split": _split,
    "Concat": _concat, "Pad": _pad,
    "Constant": _constant, "ConstantOfShape": _constant_of_shape, "Range": _range,
}
"""How each operation is read."""
