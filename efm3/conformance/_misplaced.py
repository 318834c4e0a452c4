# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Mistakes of place and of precision: strides, padding, the order of weights, tails, rounding."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from efm3.arch import Arch
from efm3.arrays import Array
from efm3.conformance._twist import Twist
from efm3.network import Layer

Plan = Callable[[Arch, list[Layer]], list[Layer]]


def part(layer: Layer) -> str:
    """The layer's kind as in its name: stem, dw, expand, ..."""
    return layer.name.rpartition(".")[2]


def block_of(layer: Layer) -> tuple[int, int]:
    """(stage, block), counted from 1 and from 0; (0, 0) outside stages."""
    words = layer.name.split(".")
    return (int(words[0][5:]), int(words[1][5:])) if len(words) == 3 else (0, 0)


# Strides, padding, layers left out.

def _strides(where: Callable[[int, int, int, str], int], stages: int = 8) -> Plan:
    """Strides by `where(stride, block, blocks, part)` in the first stages; residuals follow."""
    def plan(arch: Arch, rows: list[Layer]) -> list[Layer]:
        whole: dict[tuple[int, int], int] = {}
        wide: dict[tuple[int, int], int] = {}
        out = []
        for layer in rows:
            i, j = at = block_of(layer)
            if 0 < i <= stages:
                stage = arch.stages[i - 1]
                layer = layer._replace(stride=where(stage.s, j, stage.n, part(layer)))
                whole[at] = whole.get(at, 1) * layer.stride
                wide.setdefault(at, layer.in_channels)
                if part(layer) == "project":
                    adds = whole[at] == 1 and wide[at] == layer.out_channels
                    layer = layer._replace(residual="it" if adds else "")
            out.append(layer)
        return out
    return plan


def _stem(stride: int) -> Plan:
    return lambda arch, rows: [rows[0]._replace(stride=stride), *rows[1:]]


def _without(drop: Callable[[Arch, Layer], bool]) -> Plan:
    """A layer without a kernel gives its input."""
    return lambda arch, rows: [r._replace(kernel=0) if drop(arch, r) else r for r in rows]


def _adding(where: Callable[[Arch, int, int], bool]) -> Plan:
    """Residuals only `where(arch, stage, block)`, of those that there must be."""
    return lambda arch, rows: [
        r if not r.residual or where(arch, *block_of(r)) else r._replace(residual="")
        for r in rows]


def _last_block(arch: Arch, layer: Layer) -> bool:
    i, j = block_of(layer)
    return bool(i) and j == arch.stages[i - 1].n - 1 > 0


PLANS: dict[str, Plan] = {
    "the stride is on a stage's last block": _strides(
        lambda s, j, n, p: s if p == "dw" and j == n - 1 else 1),
    "the stride is on every block of a stage": _strides(lambda s, j, n, p: s if p == "dw" else 1),
    "the stride is on expand": _strides(lambda s, j, n, p: s if p == "expand" and j == 0 else 1),
    "the stride is on project": _strides(lambda s, j, n, p: s if p == "project" and j == 0 else 1),
    "a stage's stride is always 2": _strides(lambda s, j, n, p: 2 if p == "dw" and j == 0 else 1),
    "the stages' strides are ignored": _strides(lambda s, j, n, p: 1),
    "the first stage's stride is ignored": _strides(lambda s, j, n, p: 1, stages=1),
    "the stem's stride is always 2": _stem(2),
    "the stem's stride is always 1": _stem(1),
    "expand is left out where t is 1": _without(
        lambda arch, r: part(r) == "expand" and r.in_channels == r.out_channels),
    "dw_stem is left out": _without(lambda arch, r: r.name == "dw_stem"),
    "a stage's last block is left out": _without(_last_block),
    "dw is left out": _without(lambda arch, r: part(r) == "dw"),
    "no block of stage 1 adds its input": _adding(lambda arch, i, j: i > 1),
    "the second block of a stage never adds its input": _adding(lambda arch, i, j: j != 1),
    "the last block of a stage never adds its input": _adding(
        lambda arch, i, j: j < arch.stages[i - 1].n - 1),
    "no block of a stage with t = 1 adds its input": _adding(
        lambda arch, i, j: arch.stages[i - 1].t > 1),
    "no block of a stage whose stride is over 1 adds its input": _adding(
        lambda arch, i, j: arch.stages[i - 1].s == 1),
}


def _in_place(layer: Layer) -> tuple[int, int]:
    return layer.padding, layer.padding


def _moved(before: int, after: int, *, strided: bool) -> Callable[[Layer], tuple[int, int]]:
    """Padding in these parts of what it is on each side; in all layers, or those that stride."""
    return lambda layer: (_in_place(layer) if strided and layer.stride == 1
                          else (before * layer.padding, after * layer.padding))


def _one_way() -> Iterator[tuple[str, Twist]]:
    """Padding that is moved in rows or in columns alone."""
    for strided, words in ((False, ""), (True, " where a layer strides")):
        for before, row, column in ((2, "top", "left"), (0, "bottom", "right")):
            pad = _moved(before, 2 - before, strided=strided)
            yield (f"all padding of rows is at the {row}{words}",
                   Twist(pad=pad, pad_columns=_in_place))
            yield f"all padding of columns is on the {column}{words}", Twist(
                pad=_in_place, pad_columns=pad)


def _padded(change: Callable[[Layer, int], tuple[int, int]]) -> Twist:
    return Twist(pad=lambda layer: change(layer, layer.padding))


PADS: dict[str, Twist] = {
    "all padding is on the right and the bottom where a layer strides": _padded(
        lambda layer, p: (0, 2 * p) if layer.stride > 1 else (p, p)),
    "all padding is on the left and the top where a layer strides": _padded(
        lambda layer, p: (2 * p, 0) if layer.stride > 1 else (p, p)),
    "all padding is on the right and the bottom": _padded(lambda layer, p: (0, 2 * p)),
    "all padding is on the left and the top": _padded(lambda layer, p: (2 * p, 0)),
    "padding is SAME as TensorFlow has it: the lesser half on the left and the top": Twist(
        pad=lambda layer: _same(layer)),
    **dict(_one_way()),
    "where a layer strides its outputs start one pixel further right and down": _padded(
        lambda layer, p: (p - 1, p + 1) if layer.stride > 1 and p else (p, p)),
    "nothing is padded": _padded(lambda layer, p: (0, 0)),
    "the stem is not padded": _padded(lambda layer, p: (0, 0) if layer.name == "stem" else (p, p)),
    "depthwise layers are not padded": _padded(
        lambda layer, p: (0, 0) if layer.kind == "depthwise" else (p, p)),
    "padding is 1 under every kernel": _padded(lambda layer, p: (min(p, 1), min(p, 1))),
    "gdconv is padded": Twist(pad=lambda layer: (layer.kernel // 2,) * 2
                              if layer.kind == "gdconv" else (layer.padding,) * 2),
    "padding repeats the border's pixels": Twist(border="edge"),
    "padding mirrors the map at its border": Twist(border="reflect"),
    "padding takes the pixels of the other side": Twist(border="wrap"),
}


def _same(layer: Layer) -> tuple[int, int]:
    if not layer.padding:
        return 0, 0
    out = -(-layer.in_side // layer.stride)
    whole = max((out - 1) * layer.stride + layer.kernel - layer.in_side, 0)
    return whole // 2, whole - whole // 2


# Weights.

def _read(order: str, *kinds: str) -> Callable[[Layer, Array], Array]:
    """Weights whose bytes are taken for another order of o(ut), i(n), y, x."""
    def change(layer: Layer, w: Array) -> Array:
        if layer.kind not in kinds:
            return w
        size = dict(zip("oiyx", w.shape, strict=True))
        shape = [size[c] for c in order]
        return w.reshape(shape).transpose([order.index(c) for c in "oiyx"])
    return change


def _of(change: Callable[[Array], Array], *kinds: str) -> Callable[[Layer, Array], Array]:
    return lambda layer, w: change(w) if not kinds or layer.kind in kinds else w


def tail(multiple: int) -> Callable[[Layer, Array], Array]:
    """The channels beyond a multiple are 0, as where a loop over vectors has no remainder."""
    def change(layer: Layer, y: Array) -> Array:
        kept = len(y) // multiple * multiple
        return np.concatenate([y[:kept], 0 * y[kept:]])
    return change


def _short_sum(multiple: int, least: int = 0) -> Callable[[Layer, Array], Array]:
    """Sums without the input channels beyond a multiple, in layers with more than `least`."""
    def change(layer: Layer, w: Array) -> Array:
        if w.shape[1] <= least:
            return w
        kept = w.shape[1] // multiple * multiple
        return np.concatenate([w[:, :kept], 0 * w[:, kept:]], axis=1) if layer.groups == 1 else w
    return change


def _shuffled(w: Array) -> Array:
    """Input channels in the order of a shuffle of two groups."""
    n = w.shape[1]
    return w if n % 2 else w[:, np.arange(n).reshape(2, n // 2).T.reshape(-1)]


def _halves(w: Array) -> Array:
    """Weights of two groups: each half of the outputs sees its half of the inputs."""
    o, i = w.shape[:2]
    if o % 2 or i % 2:
        return w
    w = w.copy()
    w[:o // 2, i // 2:] = 0
    w[o // 2:, :i // 2] = 0
    return w


WEIGHTS: dict[str, Callable[[Layer, Array], Array]] = {
    "kernels are turned by 180 degrees": _of(lambda w: w[:, :, ::-1, ::-1]),
    "kernels are mirrored left to right": _of(lambda w: w[:, :, :, ::-1]),
    "kernels are upside down": _of(lambda w: w[:, :, ::-1]),
    "kernels' rows and columns are exchanged": _of(lambda w: w.transpose(0, 1, 3, 2)),
    "depthwise kernels' rows and columns are exchanged": _of(
        lambda w: w.transpose(0, 1, 3, 2), "depthwise", "gdconv"),
    "gdconv's rows and columns are exchanged": _of(lambda w: w.transpose(0, 1, 3, 2), "gdconv"),
    "gdconv's kernel is turned by 180 degrees": _of(lambda w: w[:, :, ::-1, ::-1], "gdconv"),
    "weights are read as [in, out]": _read("ioyx", "conv", "pointwise"),
    "pointwise weights are read as [in, out]": _read("ioyx", "pointwise"),
    "the stem's weights are read as [out, k, k, in]": _read("oyxi", "conv"),
    "the stem's weights are read as [k, k, in, out]": _read("yxio", "conv"),
    "the weights of stem and pointwise layers are read as [k, k, in, out]": _read(
        "yxio", "conv", "pointwise"),
    "depthwise weights are read as [k, k, C]": _read("yxoi", "depthwise", "gdconv"),
    "gdconv's weights are read as [k, k, C]": _read("yxoi", "gdconv"),
    "all weights are read as TensorFlow has them: [k, k, in, out] and [k, k, C]":
        lambda layer, w: _read("yxoi" if layer.groups > 1 else "yxio", layer.kind)(layer, w),
    "gdconv is an average": _of(lambda w: np.full_like(w, 1 / w[0].size), "gdconv"),
    "gdconv is a sum": _of(np.ones_like, "gdconv"),
    "depthwise layers use the first channel's kernel": _of(
        lambda w: np.repeat(w[:1], len(w), axis=0), "depthwise", "gdconv"),
    "input channels are shuffled before each pointwise layer": _of(_shuffled, "pointwise"),
    "pointwise layers have two groups": lambda layer, w: (
        _halves(w) if layer.kind == "pointwise" else w),
    **{f"sums leave out the input channels beyond a multiple of {n}": _short_sum(n)
       for n in (4, 8, 16)},
    # A kernel with a remainder for what is less than a vector, and none after one.
    **{f"sums of more than {n} input channels leave out those beyond a multiple of {n}":
       _short_sum(n, n) for n in (4, 8, 16, 64)},
}


# Precision.

def _binary16(a: Array) -> Array:
    return a.astype(np.float16).astype(np.float64)


def _bfloat16(a: Array) -> Array:
    bits = np.ascontiguousarray(a, np.float32).view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
    return rounded.astype(np.uint32).view(np.float32).astype(np.float64)


def _cut16(a: Array) -> Array:
    bits = np.ascontiguousarray(a, np.float32).view(np.uint32)
    return (bits & np.uint32(0xFFFF0000)).view(np.float32).astype(np.float64)


def _int8(per: int | None) -> Callable[[Layer, Array], Array]:
    def change(layer: Layer, w: Array) -> Array:
        top = np.abs(w).max(axis=(1, 2, 3), keepdims=True) if per else np.abs(w).max()
        scale = np.where(top == 0, 1, top) / 127
        return np.asarray(np.rint(w / scale) * scale)
    return change


PRECISION: dict[str, Twist] = {
    "feature maps are rounded to binary16": Twist(store=_of(_binary16)),
    "feature maps are rounded to bfloat16": Twist(store=_of(_bfloat16)),
    "weights are kept as binary16": Twist(weights=_of(_binary16)),
    "weights are kept as binary16 after folding": Twist(folded=_of(_binary16)),
    "weights are kept as bfloat16": Twist(weights=_of(_bfloat16)),
    "weights are kept as bfloat16 after folding": Twist(folded=_of(_bfloat16)),
    "weights are cut to bfloat16, not rounded": Twist(weights=_of(_cut16)),
    "weights are cut to bfloat16 after folding, not rounded": Twist(folded=_of(_cut16)),
    "weights are kept as int8 with a scale for each channel": Twist(weights=_int8(1)),
    "weights are kept as int8 with one scale for each tensor": Twist(weights=_int8(None)),
    "weights are kept as int8 after folding, with one scale for each tensor": Twist(
        folded=_int8(None)),
}


# What a loop may leave out.

def last(axis: int) -> Callable[[Layer, Array], Array]:
    def change(layer: Layer, y: Array) -> Array:
        y = y.copy()
        if y.shape[1] > 1:
            y[(slice(None),) * axis + (-1,)] = 0
        return y
    return change
