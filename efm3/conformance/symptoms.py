# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Diagnosis of an engine's wrong answer: compared with the reference with one mistake.

Each entry of the catalogue is a mistake that engines make. The network is computed with it, and
where that gives what the tested engine gave, the mistake is named. Mistakes that give the same
for a network and an input are named together: they cannot be told apart there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from efm3 import format as fmt
from efm3.arch import Arch
from efm3.arrays import Array
from efm3.model import Model
from efm3.network import Layer, layers

MATCH = 1e-4
"""Most distance of what is given from a mistake's values: far above an fp32 engine's error, which
is about 1e-6, and so that one rounding to binary16 here and there that differs hides nothing."""

SAME = 1e-6
"""Mistakes whose values differ by less than this cannot be told apart by an fp32 engine."""

CLEAR = 0.2
"""A mistake's values must be so much nearer to what is given than the right ones are."""


class BatchNorm(NamedTuple):
    """A layer's BatchNorm, each [C, 1, 1] in float64."""

    w: Array
    b: Array
    mean: Array
    var: Array


class Sources(NamedTuple):
    """What a mistaken residual may take: the inputs of the block, of its stage, of project, and
    project's own output."""

    block: Array
    stage: Array
    project: Array
    out: Array


def batchnorm(layer: Layer, y: Array, p: BatchNorm) -> Array:
    """BatchNorm as it is right."""
    return (y - p.mean) * (p.w / np.sqrt(p.var + fmt.BN_EPS)) + p.b


def prelu(layer: Layer, y: Array, slope: Array) -> Array:
    """PReLU as it is right, in the layers that have one."""
    return np.where(y > 0, y, slope * y) if layer.act else y


def added(layer: Layer, s: Sources) -> Array | float:
    """The residual as it is right."""
    return s.block if layer.residual else 0.0


def unit(v: Array) -> Array:
    """The embedding as it is right."""
    return np.asarray(v / max(float(np.sqrt(np.sum(v * v))), fmt.L2_EPS))


Memo = dict[tuple[Any, ...], Array]


@dataclass(frozen=True)
class Twist:
    """A reference with a function for each step that may be mistaken; the defaults are right.

    `plan` changes the layers themselves, `folded` what becomes of weights after folding, `store`
    a layer's output before a residual is added. `act` gets the last slopes also in layers without.
    """

    view: Callable[[Array], Array] = lambda x: x
    plan: Callable[[Arch, list[Layer]], list[Layer]] = lambda arch, rows: rows
    weights: Callable[[Layer, Array], Array] = lambda layer, w: w
    folded: Callable[[Layer, Array], Array] | None = None
    pad: Callable[[Layer], tuple[int, int]] = lambda layer: (layer.padding, layer.padding)
    border: str = "constant"
    bn: Callable[[Layer, Array, BatchNorm], Array] = batchnorm
    act: Callable[[Layer, Array, Array], Array] = prelu
    act_first: bool = False
    store: Callable[[Layer, Array], Array] = lambda layer, y: y
    residual: Callable[[Layer, Sources], Array | float] = added
    norm: Callable[[Array], Array] = unit


def _convolve(t: Twist, layer: Layer, w: Array, x: Array) -> Array:
    """The convolution [C, H, W] of a map, with the mistake's padding; the map may be of any side.

    Raises ValueError where the kernel does not fit.
    """
    k, s = layer.kernel, layer.stride
    edges = t.pad(layer)
    if any(edges):
        x = np.pad(x, ((0, 0), edges, edges), t.border)  # type: ignore[call-overload]
    side = (x.shape[1] - k) // s + 1
    if side < 1:
        raise ValueError("the kernel is larger than the map")
    reach = s * (side - 1) + 1
    out = np.zeros((layer.out_channels, side, side))
    for i in range(k):
        for j in range(k):
            taps = x[:, i:i + reach:s, j:j + reach:s]
            if layer.groups == 1:
                out += (w[:, :, i, j] @ taps.reshape(len(taps), -1)).reshape(out.shape)
            else:
                out += w[:, 0, i, j][:, None, None] * taps
    return out


def _layer(t: Twist, layer: Layer, tensors: Any, a: Array, slope: Array, memo: Memo) -> Array:
    """A layer's output without its residual."""
    key = (layer, t.view, t.weights, t.pad, t.border)
    w = t.weights(layer, np.asarray(tensors[f"{layer.name}.conv.w"], np.float64))
    p = BatchNorm(*(np.asarray(tensors[f"{layer.name}.bn.{k}"], np.float64)[:, None, None]
                    for k in BatchNorm._fields))
    if t.folded is not None:
        inv = p.w / np.sqrt(p.var + fmt.BN_EPS)
        y = _convolve(t, layer, t.folded(layer, w * inv[..., None]), a) + (p.b - p.mean * inv)
    else:
        y = memo[key] if key in memo else _convolve(t, layer, w, a)
        if layer.name == "stem":
            memo[key] = y
        if t.act_first:
            y = t.act(layer, y, slope)
        y = t.bn(layer, y, p)
    return t.store(layer, y if t.act_first else t.act(layer, y, slope))


def steps(t: Twist, model: Model, x: Array,
          memo: Memo | None = None) -> Iterator[tuple[str, Array]]:
    """Each layer's name and output, flat, of one input [3, 112, 112] with the mistake, in
    float64; last "" and the embedding [D]. Raises ValueError where the mistake has no meaning
    for the network. A layer that is left out gives its input. `memo` keeps the stem's sums for
    other mistakes with the same model and input.
    """
    memo = {} if memo is None else memo
    a = np.asarray(t.view(np.asarray(x, np.float64)), np.float64)
    block = stage = slope = a
    for layer in t.plan(model.arch, list(layers(model.arch))):
        own = layer.name.rpartition(".")[2]
        if own == "expand":
            block = a
            stage = a if ".block0." in layer.name else stage
        if layer.kernel:
            if layer.act:
                slope = np.asarray(model.tensors[f"{layer.name}.act.w"], np.float64)
            with np.errstate(all="ignore"):
                slopes = np.resize(slope, layer.out_channels)[:, None, None]
                y = _layer(t, layer, model.tensors, a, slopes, memo)
                if own == "project":
                    y = y + t.residual(layer, Sources(block, stage, a, y))
            a = y
        yield layer.name, a.reshape(-1)
    with np.errstate(all="ignore"):
        yield "", t.norm(a.reshape(-1))


def match(model: Model, x: Array, given: Mapping[str, Array], stray: str = "") -> list[str]:
    """The mistakes of the catalogue that give what was given for an input.

    `given` maps layers to their outputs, flat, and "" to the embedding; layers may be missing.
    A mistake must give each up to `stray`, the first that is wrong; of those that do, the ones
    that agree longest are named, and where these can be told apart by their numbers the nearest.
    """
    from efm3.conformance._mistakes import CATALOGUE, NORMS

    # What the norm makes of the last layer changes no layer, and nothing else where all are right.
    chosen = [w for w in CATALOGUE if w not in NORMS] if stray else list(
        NORMS if "embed_proj" in given else CATALOGUE)
    memo: Memo = {}
    right = next(a for name, a in steps(Twist(), model, x) if name == stray)
    apart = _distance(right, given[stray])
    found: list[tuple[int, float, str]] = []
    for words in chosen:
        row = _agreement(steps(CATALOGUE[words], model, x, memo), given, stray)
        if row is not None and row[1] < CLEAR * apart:
            found.append((*row, words))
    longest = max((row[0] for row in found), default=0)
    nearest = min((row[1] for row in found if row[0] == longest), default=0.0)
    return [words for length, off, words in found
            if length == longest and off <= max(SAME, 4 * nearest)]


def _agreement(outputs: Iterator[tuple[str, Array]], given: Mapping[str, Array],
               stray: str) -> tuple[int, float] | None:
    """How many layers agree, and the distance at `stray`; None where one up to it does not."""
    length, at_stray = 0, None
    try:
        for name, a in outputs:
            off = _distance(a, given[name]) if name in given else 0.0
            if not off <= MATCH:
                break
            length += 1
            if name == stray:
                at_stray = off
    except ValueError:
        pass  # no meaning for this network, or none from here on
    return None if at_stray is None else (length, at_stray)


def _distance(a: Array, b: Array) -> float:
    """Root mean square of the difference, relative to the larger one's; what is not finite must
    be the same."""
    if a.shape != b.shape:
        return float("inf")
    # Not the product of BLAS, which may wake threads for each of many small vectors.
    ours, theirs = _dot(a), _dot(b)
    if not np.isfinite(ours + theirs):
        finite = np.isfinite(a)
        if not np.array_equal(a[~finite], b[~finite], equal_nan=True) or (
                not np.isfinite(b[finite]).all()):
            return float("inf")
        a, b = a[finite], b[finite]
        scale = max(float(np.abs(a).max(initial=0)), float(np.abs(b).max(initial=0)))
        return _distance(a / scale, b / scale) if scale else 0.0
    off = a - b
    top = max(ours, theirs)
    return float(np.sqrt(_dot(off) / top)) if top else 0.0


def _dot(a: Array) -> float:
    return float(np.einsum("i,i", a, a))
