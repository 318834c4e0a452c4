# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Diagnosis of an engine's wrong embedding: compared with the reference with one mistake.

Each entry of `CATALOGUE` is a mistake that engines make. The network is computed with
it, and where that gives the tested embedding, the mistake is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from efm3 import format as fmt
from efm3 import reference
from efm3.arch import conv_side
from efm3.arithmetic import GREY, HALF_RANGE, pixels_scaled
from efm3.arrays import Array
from efm3.model import Model
from efm3.network import Layer, layers

MATCH = 1e-4
"""Most distance of the tested embedding from a mistake's: ten times an fp32 engine's error."""


@dataclass(frozen=True)
class Twist:
    """A reference with options for mistakes; the defaults are correct."""

    view: Callable[[Array], Array] = lambda x: x
    eps: float = fmt.BN_EPS
    bn: str = "once"
    weights: Callable[[Layer, Array], Array] = lambda layer, w: w
    slopes: Callable[[Array, Array], Array] = lambda y, s: np.where(y > 0, y, s * y)
    slope_of: Callable[[Array], Array] = lambda s: s
    residual: str = "right"
    pad: tuple[int, int] = (1, 1)
    stride_on: str = "dw"
    stride_block: str = "first"
    after: str = "none"
    norm: str = "l2"
    skip_expand: bool = False


def _channels(v: Array) -> Array:
    return v[:, None, None]


def _batchnorm(t: Twist, layer: Layer, tensors: Any, y: Array) -> Array:
    w, b, mean, var = (_channels(np.asarray(tensors[f"{layer.name}.bn.{k}"], np.float64))
                       for k in ("w", "b", "mean", "var"))
    if t.bn == "swapped":
        mean, var = var, np.abs(mean)
    if t.bn == "none":
        return y
    inv = w / np.sqrt(var + t.eps)
    out = (y - mean) * inv + b
    if t.bn == "twice":
        out = (out - mean) * inv + b
    if t.bn == "weights twice":
        out = y * inv * inv + (b - mean * inv)
    return out


def _convolve(t: Twist, layer: Layer, w: Array, x: Array) -> Array:
    if layer.kernel == 1 or t.pad == (1, 1) or not layer.padding or layer.stride == 1:
        return reference.convolve(layer, w, x)
    before, after = (n * layer.padding for n in t.pad)
    side = layer.out_side
    need = layer.stride * (side - 1) + layer.kernel - before - x.shape[2]
    x = np.pad(x, ((0, 0), (0, 0), (before, max(after, need, 0)), (before, max(after, need, 0))))
    return reference.convolve(layer._replace(padding=0), w, x)


def _restrided(t: Twist, model: Model) -> Iterator[Layer]:
    """The layers with the strides where the mistake puts them."""
    rows = list(layers(model.arch))
    for i, stage in enumerate(model.arch.stages, start=1):
        names = [f"stage{i}.block{j}" for j in range(stage.n)]
        first, last = names[0], names[-1]
        for k, layer in enumerate(rows):
            block, _, part = layer.name.rpartition(".")
            if block not in names or stage.s == 1:
                continue
            home = last if t.stride_block == "last" else first
            stride = stage.s if block == home and part == t.stride_on else 1
            rows[k] = layer._replace(stride=stride)
    side = fmt.INPUT_SIDE
    for layer in rows:
        out = conv_side(side, layer.kernel, layer.stride, layer.padding)
        yield layer._replace(in_side=side, out_side=out)
        side = out


def forward(t: Twist, model: Model, x: Array, until: str = "") -> Array:
    """The embedding [D] of one input [3, 112, 112] with the mistake, in float64.

    With `until` the output of the layer of that name instead, flat.
    """
    a = np.asarray(t.view(np.asarray(x, np.float64)), np.float64)[None]
    kept: Array = a
    with np.errstate(all="ignore"):
        for layer in _restrided(t, model):
            part = layer.name.rsplit(".", 1)[-1]
            if part == "expand":
                kept = a
                if t.skip_expand and layer.in_channels == layer.out_channels:
                    continue
            w = np.asarray(model.tensors[f"{layer.name}.conv.w"], np.float64)
            y = _convolve(t, layer, t.weights(layer, w), a)
            y = _batchnorm(t, layer, model.tensors, y)
            if layer.act:
                slope = np.asarray(model.tensors[f"{layer.name}.act.w"], np.float64)
                y = t.slopes(y, _channels(t.slope_of(slope)))
            if part == "project":
                if t.after == "relu before":
                    y = np.maximum(y, 0)
                y = y + _residual(t, layer, kept, y)
                if t.after == "relu":
                    y = np.maximum(y, 0)
            elif t.after == "relu on linear" and not layer.act:
                y = np.maximum(y, 0)
            a = y
            if layer.name == until:
                break
        return a.reshape(-1) if until else _norm(t, a[0].reshape(-1))


def _residual(t: Twist, layer: Layer, kept: Array, y: Array) -> Array | float:
    if t.stride_block != "first":  # another block has the stride now, and so another one adds
        return kept if kept.shape == y.shape else 0.0
    if t.residual == "right":
        return kept if layer.residual else 0.0
    first = layer.name.split(".")[1] == "block0"
    if t.residual == "never" or (t.residual == "not in block0" and first):
        return 0.0
    if layer.residual:
        return kept
    if t.residual == "where channels agree" and kept.shape[1] == y.shape[1]:
        step = -(-kept.shape[2] // y.shape[2])
        return kept[:, :, ::step, ::step]
    return 0.0


def _norm(t: Twist, v: Array) -> Array:
    n = float(np.sqrt(np.sum(v * v)))
    if t.norm == "none":
        return v
    if t.norm == "l1":
        return np.asarray(v / np.abs(v).sum())
    if t.norm == "squared":
        return np.asarray(v / (n * n))
    return np.asarray(v / max(n, fmt.L2_EPS) if t.norm == "l2" else v / n)


def _transposed(layer: Layer, w: Array) -> Array:
    o, i, k, _ = w.shape
    return w.transpose(1, 0, 2, 3).reshape(o, i, k, k) if layer.groups == 1 else w


CATALOGUE: dict[str, Twist] = {
    "the input is read as [112, 112, 3] (NHWC), not as planes (NCHW)": Twist(
        view=lambda x: x.reshape(112, 112, 3).transpose(2, 0, 1)),
    "the input's planes are taken as BGR": Twist(view=lambda x: x[::-1]),
    "rows and columns of the input are exchanged": Twist(view=lambda x: x.transpose(0, 2, 1)),
    "the input is turned by 180 degrees": Twist(view=reference.turn),
    "the input is taken as 0..255 and normalised again": Twist(view=pixels_scaled),
    "the input is scaled back to 0..255": Twist(view=lambda x: x * HALF_RANGE + GREY),
    "BatchNorm's epsilon is missing": Twist(eps=0.0),
    "BatchNorm's epsilon is 1e-3": Twist(eps=1e-3),
    "BatchNorm's epsilon is 1e-6": Twist(eps=1e-6),
    "BatchNorm is applied twice": Twist(bn="twice"),
    "BatchNorm is folded twice into the weights": Twist(bn="weights twice"),
    "BatchNorm is left out": Twist(bn="none"),
    "BatchNorm's mean and variance are exchanged": Twist(bn="swapped"),
    "the first PReLU slope is used for all channels": Twist(
        slope_of=lambda s: np.full_like(s, s[0])),
    "PReLU is max(x, slope*x)": Twist(slopes=lambda y, s: np.maximum(y, s * y)),
    "PReLU is ReLU": Twist(slopes=lambda y, s: np.maximum(y, 0)),
    "PReLU's slope is 0.25 everywhere": Twist(slope_of=lambda s: np.full_like(s, 0.25)),
    "the activation is left out": Twist(slopes=lambda y, s: y),
    "the slope is applied to positive values": Twist(slopes=lambda y, s: np.where(y > 0, s * y, y)),
    "the residual is missing": Twist(residual="never"),
    "the first block of a stage never adds its input": Twist(residual="not in block0"),
    "a residual is added where the stride is not 1": Twist(residual="where channels agree"),
    "an activation follows the residual": Twist(after="relu"),
    "an activation follows project": Twist(after="relu before"),
    "an activation follows linear layers": Twist(after="relu on linear"),
    "all padding is on the right and the bottom where a layer strides": Twist(pad=(0, 2)),
    "all padding is on the left and the top where a layer strides": Twist(pad=(2, 0)),
    "the stride is on a stage's last block": Twist(stride_block="last"),
    "the stride is on expand": Twist(stride_on="expand"),
    "kernels are turned by 180 degrees": Twist(weights=lambda layer, w: w[:, :, ::-1, ::-1]),
    "kernels' rows and columns are exchanged": Twist(
        weights=lambda layer, w: w.transpose(0, 1, 3, 2)),
    "weights are read as [in, out]": Twist(weights=_transposed),
    "expand is left out where t is 1": Twist(skip_expand=True),
    "there is no L2 normalisation": Twist(norm="none"),
    "the embedding is divided by its L1 norm": Twist(norm="l1"),
    "the embedding is divided by the square of its norm": Twist(norm="squared"),
    "the norm's guard against zero is missing": Twist(norm="unguarded"),
}


def match(model: Model, x: Array, have: Array, until: str = "") -> list[str]:
    """The mistakes of the catalogue that give `have` for the input x [3, 112, 112].

    `have` is the embedding [D], or with `until` that layer's output, flat: then mistakes in
    later layers hide nothing.
    """
    want = forward(Twist(), model, x, until)
    found: list[tuple[float, str]] = []
    for words, twist in CATALOGUE.items():
        try:
            off = _distance(forward(twist, model, x, until), have)
        except ValueError:
            continue  # the mistake has no meaning for this network's shapes
        if off <= MATCH and off < 0.1 * _distance(want, have):
            found.append((off, words))
    return [words for _, words in sorted(found)]


def _distance(a: Array, b: Array) -> float:
    """Largest difference of components, relative to the larger vector; NaN equals NaN."""
    if a.shape != b.shape or not np.array_equal(np.isnan(a), np.isnan(b)):
        return float("inf")
    if np.isnan(a).all():
        return 0.0
    scale = max(1.0, float(np.nanmax(np.abs(a))))
    return float(np.nanmax(np.abs(a - b))) / scale


