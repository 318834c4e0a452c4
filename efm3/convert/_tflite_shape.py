# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""TFLite's operators that move values or take shapes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from efm3.convert._tflite_layer import Layer
from efm3.convert.graph.nodes import Node
from efm3.findings import refuse

Build = Callable[[Layer], "Node | list[Node]"]
MIRRORS = {0: "reflect", 1: "symmetric"}
MOST_FLIPPED = 1 << 16


def _pairs(layer: Layer) -> tuple[tuple[int, int], ...]:
    flat = layer.ints(1)
    if len(flat) != 2 * len(layer.sizes()):
        refuse("X006", f"{layer.place} has {len(flat)} numbers of padding for "
                       f"{len(layer.sizes())} axes", layer.place)
    return tuple(zip(flat[::2], flat[1::2], strict=True))


def _pad(layer: Layer) -> Node:
    value = layer.weights(2, len(layer.sizes(2))).reshape(-1) if layer.has(2) else np.zeros(1)
    return layer.add("Pad", layer.x(), pads=_pairs(layer), value=float(value[0]), mode="constant")


def _mirror_pad(layer: Layer) -> Node:
    mode = MIRRORS.get(layer.option(0, "b"), "unknown")
    return layer.add("Pad", layer.x(), pads=_pairs(layer), value=0.0, mode=mode)


def _transpose(layer: Layer) -> Node:
    rank = len(layer.sizes())
    perm = tuple(p + rank if p < 0 else p for p in layer.ints(1))
    return layer.add("Transpose", layer.x(), perm=perm)


def _reshape(layer: Layer) -> Node:
    if layer.has(1):
        shape: Sequence[int] = layer.ints(1)
    elif layer.options is not None and layer.options.where(0):
        shape = layer.options.integers(0)
    else:
        shape = layer.outputs[0].shape
    return layer.reshape(layer.x(), shape)


def _squeeze(layer: Layer) -> Node:
    sizes = layer.sizes()
    named = layer.options.integers(0) if layer.options else ()
    gone = {layer.axis(a, len(sizes)) for a in named} or {i for i, s in enumerate(sizes) if s == 1}
    if any(sizes[i] != 1 for i in gone):
        refuse("X006", f"{layer.place} takes axes {sorted(gone)} out of {[*sizes]}", layer.place)
    return layer.reshape(layer.x(), [s for i, s in enumerate(sizes) if i not in gone])


def _expand_dims(layer: Layer) -> Node:
    sizes = list(layer.sizes())
    axes = layer.ints(1)
    if len(axes) != 1:
        refuse("X006", f"{layer.place} has {len(axes)} axes, not 1", layer.place)
    sizes.insert(layer.axis(axes[0], len(sizes) + 1), 1)
    return layer.reshape(layer.x(), sizes)


def _shape(layer: Layer) -> Node:
    return layer.build.shape_of(layer.x(), layer.place)


def _rank(layer: Layer) -> Node:
    return layer.const(np.int64(len(layer.sizes())))


def _flipped(layer: Layer, x: Node, axis: int) -> Node:
    """x backwards along an axis, as a Gather: the way in which channels are swapped elsewhere."""
    size = (x.shape or ())[axis] or 0
    if size > MOST_FLIPPED:
        refuse("X008", f"{layer.place} turns an axis of {size:,}", layer.place)
    return layer.add("Gather", x, layer.const(np.arange(size)[::-1]), axis=axis)


def _reverse(layer: Layer) -> Node:
    y = layer.x()
    for axis in layer.axes(1):
        y = _flipped(layer, y, axis)
    return y


def _sliced(layer: Layer, x: Node, axis: int, start: int, stop: int, step: int = 1) -> Node:
    """x[start:stop:step] along an axis, the bounds as range has them; x where that is all."""
    size = (x.shape or ())[axis]
    if not range(start, stop, step):
        start, stop, step = 0, 0, 1
    if (start, stop, step) == (0, size, 1):
        return x
    if (start, stop, step) == ((size or 0) - 1, -1, -1):
        return _flipped(layer, x, axis)
    end = None if step < 0 and stop < 0 else stop
    return layer.add("Slice", x, axis=axis, start=start, stop=end, step=step)


def _slice(layer: Layer) -> Node:
    sizes, starts, counts = layer.sizes(), layer.ints(1), layer.ints(2)
    if not len(sizes) == len(starts) == len(counts):
        refuse("X006", f"{layer.place} has {len(starts)} starts and {len(counts)} sizes for "
                       f"{len(sizes)} axes", layer.place)
    y = layer.x()
    for axis, (size, start, count) in enumerate(zip(sizes, starts, counts, strict=True)):
        stop = size if count == -1 else start + count
        if not 0 <= start <= stop <= size:
            refuse("X006", f"{layer.place} takes {start} to {stop} of {size}", layer.place)
        y = _sliced(layer, y, axis, start, stop)
    return y


def _strided_slice(layer: Layer) -> Node:
    """numpy's x[begin:end:stride, ...] with bits for what is left out, new, or one index."""
    starts, stops, steps = (layer.ints(i) for i in (1, 2, 3))
    if not len(starts) == len(stops) == len(steps) or 0 in steps:
        refuse("X006", f"{layer.place} has {len(starts)} starts, {len(stops)} ends, strides "
                       f"{steps}", layer.place)
    if layer.flag(5):
        stops = [a + b for a, b in zip(starts, stops, strict=True)]
    from_first, to_last, rest, new, one = (layer.option(i) for i in range(5))
    sizes = layer.sizes()
    kept = len(sizes) - sum(not (rest | new) >> i & 1 for i in range(len(starts)))
    if kept < 0:
        refuse("X006", f"{layer.place} has {len(starts)} parts for {[*sizes]}", layer.place)
    y, axis, shape = layer.x(), 0, list[int]()
    for i, (start, stop, step) in enumerate(zip(starts, stops, steps, strict=True)):
        bit = 1 << i
        if rest & bit:
            shape += sizes[axis:axis + kept]
            axis += kept
            kept = 0
            continue
        if new & bit:
            shape.append(1)
            continue
        size = sizes[axis]
        if one & bit:
            if not -size <= start < size:
                refuse("X006", f"{layer.place} takes {start} of {size}", layer.place)
            y = _sliced(layer, y, axis, start % size, start % size + 1)
        else:
            part = slice(None if from_first & bit else start, None if to_last & bit else stop, step)
            whole = range(*part.indices(size))
            y = _sliced(layer, y, axis, whole.start, whole.stop, step)
            shape.append(len(whole))
        axis += 1
    return layer.reshape(y, (*shape, *sizes[axis:]))


def _parts(layer: Layer, x: Node, axis: int, counts: Sequence[int]) -> list[Node]:
    size = (x.shape or ())[axis]
    if sum(counts) != size or min(counts, default=0) < 0 or len(counts) != len(layer.outputs):
        refuse("X006", f"{layer.place} takes {[*counts[:8]]} of {size} in {len(layer.outputs)} "
                       "outputs", layer.place)
    out, at = list[Node](), 0
    for count in counts:
        out.append(_sliced(layer, x, axis, at, at + count))
        at += count
    return out


def _split(layer: Layer) -> list[Node]:
    (axis, *more), sizes = layer.ints(0) or [0, 0], layer.sizes(1)
    number = len(layer.outputs)
    axis = layer.axis(axis, len(sizes))
    if more or sizes[axis] % number:
        refuse("X006", f"{layer.place} takes {[*sizes]} in {number} parts", layer.place)
    return _parts(layer, layer.x(1), axis, [sizes[axis] // number] * number)


def _split_v(layer: Layer) -> list[Node]:
    counts, axes, sizes = layer.ints(1), layer.ints(2), layer.sizes()
    if len(axes) != 1:
        refuse("X006", f"{layer.place} has {len(axes)} axes, not 1", layer.place)
    axis = layer.axis(axes[0], len(sizes))
    if counts.count(-1) == 1:
        counts[counts.index(-1)] = sizes[axis] - sum(counts) - 1
    return _parts(layer, layer.x(), axis, counts)


def _unpack(layer: Layer) -> list[Node]:
    sizes = layer.sizes()
    axis = layer.axis(layer.option(1), len(sizes))
    shape = (*sizes[:axis], *sizes[axis + 1:])
    return [layer.reshape(y, shape)
            for y in _parts(layer, layer.x(), axis, [1] * len(layer.outputs))]


def _all(layer: Layer) -> list[Node]:
    return [layer.x(i) for i in range(len(layer.given))]


def _concatenation(layer: Layer) -> Node:
    axis = layer.axis(layer.option(0), len(layer.sizes()))
    return layer.activated(layer.add("Concat", *_all(layer), axis=axis), 1)


def _pack(layer: Layer) -> Node:
    sizes = layer.sizes()
    axis = layer.axis(layer.option(1), len(sizes) + 1)
    shape = (*sizes[:axis], 1, *sizes[axis:])
    return layer.add("Concat", *(layer.reshape(x, shape) for x in _all(layer)), axis=axis)


def _gather(layer: Layer) -> Node:
    indices = layer.x(1)
    axis = layer.axis(layer.option(0), len(layer.sizes()))
    if layer.option(1) or indices.value is None or indices.value.dtype.kind not in "iu":
        return layer.foreign()
    v = indices.value
    if v.size and not 0 <= v.min() <= v.max() < layer.sizes()[axis]:
        refuse("X006", f"{layer.place} takes {v.min()} to {v.max()} of {layer.sizes()[axis]}",
               layer.place)
    return layer.add("Gather", layer.x(), indices, axis=axis)


def _expanded(x: int, shape: int) -> Build:
    """Input x as wide as input `shape` says."""
    def build(layer: Layer) -> Node:
        want = tuple(layer.ints(shape))
        if min(want, default=0) < 0:
            refuse("X006", f"{layer.place} makes shape {[*want[:8]]}", layer.place)
        return layer.add("Expand", layer.x(x), shape=want)
    return build


ROWS: dict[str, Build] = {
    "PAD": _pad, "PADV2": _pad, "MIRROR_PAD": _mirror_pad, "TRANSPOSE": _transpose,
    "RESHAPE": _reshape, "SQUEEZE": _squeeze, "EXPAND_DIMS": _expand_dims, "SHAPE": _shape,
    "RANK": _rank, "REVERSE_V2": _reverse, "SLICE": _slice, "STRIDED_SLICE": _strided_slice,
    "SPLIT": _split, "SPLIT_V": _split_v, "UNPACK": _unpack, "CONCATENATION": _concatenation,
    "PACK": _pack, "GATHER": _gather, "BROADCAST_TO": _expanded(0, 1), "FILL": _expanded(1, 0),
}
