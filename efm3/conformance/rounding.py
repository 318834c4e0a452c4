# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What rounding the pointwise layers may cost: the bounds of engine cases below float32.

An engine that rounds as spec/EFM3.md, section 13, says makes one of very many sets of errors:
which, depends on where its levels lie. So a bound is not what one engine gives: the reference is
computed with levels moved at random, `DRAWS` times, and what these are apart from it says how far a
right engine is. All random numbers come from integers, and the rest is float64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from efm3 import format as fmt
from efm3 import reference
from efm3.arithmetic import TOLERANCE
from efm3.arrays import Array
from efm3.model import Model
from efm3.network import Layer, layers
from efm3.untrained import Random

DRAWS = 16
"""Sets of errors that a bound is drawn from."""

REACH = 4.0
"""A right engine may be so many times as far away as the draws are in the mean of squares. In one
dimension, the worst, a normal error is beyond that once in 16,000."""

Step = Callable[[Array], Array]
"""The distance of levels at each value, 0 for none, to be broadcast: of folded weights
[out, in, k, k], or of maps [N, C, side, side]."""

Change = Callable[[Layer, Array], Array]
"""What becomes of a layer's folded weights, or of its input."""


class Steps(NamedTuple):
    """What a precision rounds to."""

    weights: Step
    maps: Step


def bfloat16(a: Array) -> Array:
    """The distance of bfloat16's values, whose significands have 8 bits."""
    return np.where(a == 0, 0.0, np.ldexp(1.0, np.frexp(a)[1] - 8))


def largest(a: Array, axes: tuple[int, ...]) -> Array:
    """The largest magnitude along axes, which are kept."""
    return np.asarray(np.abs(a).max(axis=axes, keepdims=True))


def row_width(a: Array) -> Array:
    """From the least to the largest value of each row of pixels of [N, C, side, side], 0 among
    them."""
    axes = (1, 3)
    return np.asarray(a.max(axis=axes, keepdims=True, initial=0)
                      - a.min(axis=axes, keepdims=True, initial=0))


LARGEST = {"high": (1023, 2047), "fast": (255, 127)}
"""The levels of a row of pixels, of `high` on either side of zero, and the largest integer of a
weight."""

_HIGH, _FAST = LARGEST["high"], LARGEST["fast"]

STEPS = {
    "high": Steps(lambda w: np.maximum(largest(w, (1, 2, 3)) / _HIGH[1], bfloat16(w)),
                  lambda a: np.maximum(largest(a, (1, 3)) / _HIGH[0], bfloat16(a))),
    "fast": Steps(lambda w: largest(w, (1, 2, 3)) / _FAST[1], lambda a: row_width(a) / _FAST[0])}
"""The precisions below f32, and their steps. `high` has at each value the larger one of its two
forms, integers and bfloat16."""


def pointwise(layer: Layer) -> bool:
    """True for the layers that a precision rounds: expand, project, final_conv, embed_proj."""
    return layer.kernel == 1 and layer.groups == 1 and layer.name != "stem"


def folded(layer: Layer, model: Model) -> tuple[Array, Array]:
    """Weights [out, in, k, k] and bias [out, 1, 1] of a layer with its BatchNorm, in float64."""
    w, gamma, beta, mean, var = (np.asarray(model.tensors[f"{layer.name}.{part}"], np.float64)
                                 for part in ("conv.w", "bn.w", "bn.b", "bn.mean", "bn.var"))
    scale = gamma / np.sqrt(var + fmt.BN_EPS)
    return w * scale[:, None, None, None], (beta - mean * scale)[:, None, None]


def activated(layer: Layer, model: Model, y: Array) -> Array:
    """PReLU of sums [N, C, side, side] in the layers that have one."""
    if not layer.act:
        return y
    slope = np.asarray(model.tensors[f"{layer.name}.act.w"], np.float64)[:, None, None]
    return np.where(y > 0, y, slope * y)


def forward(model: Model, x: Array, weights: Change, maps: Change) -> Array:
    """Embeddings [N, D] of inputs [N, 3, 112, 112], as given, in float64, with each layer's folded
    weights and input changed. A residual is the block's input as it was."""
    a = np.asarray(x, np.float64)
    inputs: dict[str, Array] = {}
    with np.errstate(all="ignore"):
        for layer in layers(model.arch):
            inputs[layer.name] = a
            w, bias = folded(layer, model)
            y = reference.convolve(layer, weights(layer, w), maps(layer, a)) + bias
            a = activated(layer, model, y)
            if layer.residual:
                a = a + inputs[layer.residual]
        return reference.normalised(a[:, :, 0, 0])


def moved(a: Array, step: Array, by: Array) -> Array:
    """Values rounded to levels `step` apart, which lie `by` steps, -1/2..1/2, beside zero."""
    safe = np.where(step > 0, step, 1.0)
    return np.where(step > 0, (np.rint(a / safe + by) - by) * safe, a)


def drawn(model: Model, x: Array, precision: str, seed: int) -> Array:
    """Embeddings of inputs [N, 3, 112, 112] with levels that the seed moves.

    A channel's levels are moved together, and so are an output channel's weights: pixels of one
    value, as in a picture of one colour, have one error.
    """
    rng, steps = Random(seed), STEPS[precision]

    def by(shape: tuple[int, ...]) -> Array:
        return rng.uniform(-0.5, 0.5, int(np.prod(shape))).reshape(shape)

    def weights(layer: Layer, w: Array) -> Array:
        return moved(w, steps.weights(w), by((len(w), 1, 1, 1))) if pointwise(layer) else w

    def maps(layer: Layer, a: Array) -> Array:
        return moved(a, steps.maps(a), by((1, a.shape[1], 1, 1))) if pointwise(layer) else a
    return forward(model, x, weights, maps)


def gaps(model: Model, x: Array, want: Array) -> dict[str, float]:
    """Precision to the most 1 - cosine of an input [3, 112, 112] with the embedding `want` [D].

    Never less than what is allowed in f32. None for an embedding that has no direction: zeros, or
    what is not finite.
    """
    length = float(np.linalg.norm(want))
    if not np.isfinite(length) or not length:
        return {}
    least = TOLERANCE**2 * want.size
    out = {}
    for precision in STEPS:
        off = [np.sum((drawn(model, x[None], precision, seed)[0] - want) ** 2)
               for seed in range(DRAWS)]
        # The distance of two vectors of length 1 is d where 1 - cosine is d * d / 2.
        out[precision] = max(REACH**2 * float(np.mean(off)) / length**2, least) / 2
    return out
