# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Diagnosis below float32: how far a layer may be off by its roundings, and what went wrong where
it is further.

Each layer is computed from the engine's own input of it, so that its roundings alone count.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from efm3 import reference
from efm3.arrays import Array
from efm3.conformance._stray import BUDGET, Stray
from efm3.conformance.rounding import LARGEST, STEPS, activated, folded, pointwise
from efm3.model import Model
from efm3.network import Layer, layers

NEARER = 0.5
"""A mistake is named where what it gives is so many times nearer to what was given than what is
right: roundings, which nobody predicts, are the rest."""

GROUPS = (2, 4, 8, 16, 32, 64)
"""Products that one instruction sums."""


def room(model: Model, layer: Layer, a: Array, precision: str) -> Array:
    """The most that roundings change each output [1, C, side, side] of an input [1, C, side, side].

    Each value is off by half a step t, each weight by half of its own, s: together by at most
    sum |w| t/2 + sum (|a| + t/2) s/2, and a PReLU's slope times that. Infinite where a value of
    the row is not finite: there no level is.
    """
    w, _ = folded(layer, model)
    steps = STEPS[precision]
    by = np.broadcast_to(steps.weights(w) / 2, w.shape)
    off = np.broadcast_to(steps.maps(a) / 2, a.shape)
    most = reference.convolve(layer, np.abs(w), off) + reference.convolve(
        layer, by, np.abs(a) + off)
    if layer.act:
        slope = np.abs(model.tensors[f"{layer.name}.act.w"].astype(np.float64))
        most = most * np.maximum(slope, 1)[:, None, None]
    return np.where(np.isfinite(most), most, np.inf)


class Integers(NamedTuple):
    """A layer as an engine in integers has it: levels [1, in, side, side] from 0 on, their zero
    [1, 1, side, 1] and step, weights [out, in, k, k] and their step [out, 1, 1]."""

    levels: Array
    zero: Array
    step: Array
    weights: Array
    scale: Array


def _integers(w: Array, a: Array, precision: str) -> Integers:
    levels, largest = LARGEST[precision]
    fast = precision == "fast"
    lo = np.minimum(a.min(axis=(1, 3), keepdims=True), 0)
    width = np.maximum(a.max(axis=(1, 3), keepdims=True), 0) - lo if fast else \
        np.abs(a).max(axis=(1, 3), keepdims=True)
    step = np.where(width > 0, width, 1) / levels
    zero = np.rint(-lo / step) if fast else np.zeros_like(lo)
    scale = np.abs(w).max(axis=(1, 2, 3), keepdims=True) / largest
    scale = np.where(scale > 0, scale, 1)
    return Integers(np.rint(a / step) + zero, zero, step, np.rint(w / scale), scale[:, 0])


Sums = Callable[[Layer, Array, Array, str], Array]
"""A layer's sums [1, out, side, side] with a mistake, from folded weights and input."""


def _shifted(by: Callable[[Integers], Array], of: Callable[[Array], Array] = lambda s: s) -> Sums:
    """Right sums with levels shifted by `by` of them; `of` changes the weights' sums."""
    def sums(layer: Layer, w: Array, a: Array, precision: str) -> Array:
        i = _integers(w, a, precision)
        own = of(w.sum(axis=(1, 2, 3)))[:, None, None]
        return np.asarray(reference.convolve(layer, w, a) + by(i) * i.step * own)
    return sums


def _levels(rounded: Callable[[Array], Array]) -> Sums:
    def sums(layer: Layer, w: Array, a: Array, precision: str) -> Array:
        step = _integers(w, a, precision).step
        return reference.convolve(layer, w, rounded(a / step) * step)
    return sums


def _weights(change: Callable[[Array, float], Array]) -> Sums:
    def sums(layer: Layer, w: Array, a: Array, precision: str) -> Array:
        return reference.convolve(layer, change(w, LARGEST[precision][1]), a)
    return sums


def _narrow(kept: Callable[[Array], Array], pairs: bool = False) -> Sums:
    """Integer sums, or those of two products each, of which 16 bits are kept."""
    def sums(layer: Layer, w: Array, a: Array, precision: str) -> Array:
        i = _integers(w, a, precision)
        if not pairs:
            total = kept(reference.convolve(layer, i.weights, i.levels))
        else:
            total = np.zeros(())
            for k in range(0, w.shape[1], 2):
                part = np.zeros_like(i.levels)
                part[:, k:k + 2] = i.levels[:, k:k + 2]
                total = total + kept(reference.convolve(layer, i.weights, part))
        own = i.weights.sum(axis=(1, 2, 3))[:, None, None]
        return np.asarray((total - i.zero * own) * i.step * i.scale)
    return sums


def _one_scale(w: Array, largest: float) -> Array:
    step = np.abs(w).max() / largest or 1.0
    return np.asarray(np.rint(w / step) * step)


def _cut(n: int) -> Callable[[Array, float], Array]:
    def change(w: Array, _: float) -> Array:
        out = w.copy()
        out[:, w.shape[1] // n * n:] = 0
        return out
    return change


def _bordered(layer: Layer, w: Array, a: Array, precision: str) -> Array:
    lo = min(float(a.min()), 0.0)
    own = w.sum(axis=(1, 2, 3))[:, None, None]
    return np.asarray(reference.convolve(layer, w, a - lo) + lo * own)


def _other_row(layer: Layer, w: Array, a: Array, precision: str) -> Array:
    step = _integers(w, a, precision).step
    return reference.convolve(layer, w, a * (np.roll(step, 1, axis=2) / step))


ANYWHERE: dict[str, tuple[Sums, ...]] = {
    "levels are cut off, not rounded": (_levels(np.floor), _levels(np.trunc)),
    "all weights of a layer have one scale": (_weights(_one_scale),),
    "padding is the least level, not zero": (_bordered,),
    **{f"input channels beyond a multiple of {n} are not summed": (_weights(_cut(n)),)
       for n in GROUPS}}
"""Mistakes of engines in integers, and what each makes of a layer's sums."""

POINTWISE: dict[str, tuple[Sums, ...]] = ANYWHERE | {
    "the zero point is not taken out of the sums": (_shifted(lambda i: i.zero),),
    "the zero point is added to the sums": (_shifted(lambda i: 2 * i.zero),),
    "the zero point is taken out of the sums twice": (_shifted(lambda i: -i.zero),),
    "the zero point is off by one": (_shifted(lambda i: np.ones(())),
                                     _shifted(lambda i: -np.ones(()))),
    "the zero point meets the sum of another channel's weights": tuple(
        _shifted(lambda i: i.zero, lambda s, by=by: s - np.roll(s, by))  # type: ignore[misc]
        for by in (1, -1)),
    "a row of pixels has the scale of the row before": (_other_row,),
    "sums of two products saturate at 16 bits": (
        _narrow(lambda s: np.clip(s, -32768, 32767), pairs=True),),
    "sums saturate at 16 bits": (_narrow(lambda s: np.clip(s, -32768, 32767)),),
    "sums wrap at 16 bits": (_narrow(lambda s: (s + 2**15) % 2**16 - 2**15),),
    "sums wrap at 32 bits": (_narrow(lambda s: (s + 2**31) % 2**32 - 2**31),)}
"""Also those that need an output pixel to have one input pixel."""


def mistakes(model: Model, stray: Stray, precision: str) -> list[str]:
    """The mistakes that give nearly what a layer gave; those whose numbers cannot be told apart are
    named together. Outputs are compared in units of what roundings may change: a channel that is
    small counts as one that is large."""
    if stray.have.size != stray.want.size:
        return []
    layer = next(one for one in layers(model.arch) if one.name == stray.layer)
    have, a = stray.have.reshape(stray.want.shape), stray.taken
    with np.errstate(all="ignore"):
        w, bias = folded(layer, model)
        right = activated(layer, model, reference.convolve(layer, w, a) + bias)
        unit = room(model, layer, a, precision) + BUDGET * np.abs(right).max()
        own, off = have - (stray.want - right), _length((have - stray.want) / unit)

        def left(sums: Sums) -> float:
            y = activated(layer, model, sums(layer, w, a, precision) + bias)
            return _length((own - y) / unit)
        tried = POINTWISE if pointwise(layer) else ANYWHERE
        found = {words: min(map(left, ways)) for words, ways in tried.items()}
    least = min(found.values())
    if not least < NEARER * off:
        return []
    return [words for words, left in found.items() if left <= least * (1 + 1e-6)]


def _length(a: Array) -> float:
    """The root of the sum of squares; infinite where that is not finite."""
    length = float(np.sqrt(np.sum(a * a)))
    return length if np.isfinite(length) else np.inf
