# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The catalogue of mistakes that engines make, in the words of a report.

It lists what differs from the reference, each entry by one function of a `Twist`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from efm3 import format as fmt
from efm3 import reference
from efm3.arithmetic import GREY, HALF_RANGE, pixels_scaled
from efm3.arrays import Array
from efm3.conformance._misplaced import PADS, PLANS, PRECISION, WEIGHTS, block_of, last, part, tail
from efm3.conformance._twist import BatchNorm, Sources, Twist, added, batchnorm, prelu, unit
from efm3.network import Layer


def _short(value: float) -> str:
    """1e-6 for 1e-06."""
    return f"{value:.0e}".replace("e-0", "e-")


ACTIVE = ("stem", "dw_stem", "expand", "dw", "final_conv")
PARTS = (*ACTIVE, "project", "gdconv", "embed_proj")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


# The input.

def _imagenet(x: Array) -> Array:
    mean, std = (np.array(v)[:, None, None] for v in (MEAN, STD))
    return np.asarray(((x * HALF_RANGE + GREY) / 255 - mean) / std)


INPUT: dict[str, Callable[[Array], Array]] = {
    "the input is read as [112, 112, 3] (NHWC), not as planes (NCHW)":
        lambda x: x.reshape(112, 112, 3).transpose(2, 0, 1),
    "the input's planes are taken as BGR": lambda x: x[::-1],
    "rows and columns of the input are exchanged": lambda x: x.transpose(0, 2, 1),
    "the input is turned by 180 degrees": reference.turn,
    "the input is mirrored left to right": lambda x: x[:, :, ::-1],
    "the input is upside down": lambda x: x[:, ::-1],
    "the input is taken as 0..255 and normalised again": pixels_scaled,
    "the input is taken as 0..255 and divided by 255": lambda x: x / 255,
    "the input is taken as 0..255 and mapped by (x - 127.5) / 127.5": lambda x: (x - GREY) / GREY,
    "the input is scaled back to 0..255": lambda x: x * HALF_RANGE + GREY,
    "pixels are mapped by (p - 127.5) / 127.5": lambda x: x * (HALF_RANGE / GREY),
    "pixels are mapped by (p - 128) / 128": lambda x: x - 0.5 / HALF_RANGE,
    "pixels are mapped by p / 255": lambda x: (x * HALF_RANGE + GREY) / 255,
    "pixels are normalised by ImageNet's mean and deviation": _imagenet,
    "the input is clipped to -1..1": lambda x: np.clip(x, -1, 1),
    "NaN of the input is replaced by 0": np.nan_to_num,
    "the input's first plane is used for all three": lambda x: np.repeat(x[:1], 3, axis=0),
}


# BatchNorm.

def _scaled(inv: Callable[[BatchNorm], Array]) -> Callable[[Layer, Array, BatchNorm], Array]:
    return lambda layer, y, p: (y - p.mean) * inv(p) + p.b


def _eps(eps: float) -> Twist:
    return Twist(bn=_scaled(lambda p: p.w / np.sqrt(p.var + eps)))


def _inv(p: BatchNorm) -> Array:
    return p.w / np.sqrt(p.var + fmt.BN_EPS)


def _unbiased(layer: Layer, y: Array, p: BatchNorm) -> Array:
    count = y[0].size
    return batchnorm(layer, y, p._replace(var=p.var * (count / max(count - 1, 1))))


BN: dict[str, Callable[[Layer, Array, BatchNorm], Array]] = {
    "BatchNorm's epsilon is added outside the root": _scaled(
        lambda p: p.w / (np.sqrt(p.var) + fmt.BN_EPS)),
    "BatchNorm divides by the variance, without a root": _scaled(
        lambda p: p.w / (p.var + fmt.BN_EPS)),
    "BatchNorm multiplies by the root of the variance": _scaled(
        lambda p: p.w * np.sqrt(p.var + fmt.BN_EPS)),
    "a negative variance is taken as its magnitude": lambda layer, y, p: batchnorm(
        layer, y, p._replace(var=np.abs(p.var))),
    "a negative variance is taken as 0": lambda layer, y, p: batchnorm(
        layer, y, p._replace(var=np.maximum(p.var, 0))),
    "the magnitude of variance plus epsilon is taken": _scaled(
        lambda p: p.w / np.sqrt(np.abs(p.var + fmt.BN_EPS))),
    "variance plus epsilon is at least the epsilon": _scaled(
        lambda p: p.w / np.sqrt(np.maximum(p.var + fmt.BN_EPS, fmt.BN_EPS))),
    "the variance is multiplied by n / (n - 1)": _unbiased,
    "BatchNorm is applied twice": lambda layer, y, p: batchnorm(
        layer, batchnorm(layer, y, p), p),
    "BatchNorm is folded twice into the weights": lambda layer, y, p: (
        y * _inv(p) ** 2 + (p.b - p.mean * _inv(p))),
    "BatchNorm is left out": lambda layer, y, p: y,
    "BatchNorm's mean and variance are exchanged": lambda layer, y, p: batchnorm(
        layer, y, p._replace(mean=p.var, var=np.abs(p.mean))),
    "BatchNorm's weight and bias are exchanged": lambda layer, y, p: batchnorm(
        layer, y, p._replace(w=p.b, b=p.w)),
    "BatchNorm's mean is added, not subtracted": lambda layer, y, p: batchnorm(
        layer, y, p._replace(mean=-p.mean)),
    "BatchNorm's mean is left out": lambda layer, y, p: batchnorm(
        layer, y, p._replace(mean=0 * p.mean)),
    "BatchNorm's mean is subtracted without its scale": lambda layer, y, p: (
        y * _inv(p) + p.b - p.mean),
    "BatchNorm's bias is left out": lambda layer, y, p: batchnorm(
        layer, y, p._replace(b=0 * p.b)),
    "BatchNorm's bias is subtracted": lambda layer, y, p: batchnorm(
        layer, y, p._replace(b=-p.b)),
    "BatchNorm's weight is left out": lambda layer, y, p: batchnorm(
        layer, y, p._replace(w=np.ones_like(p.w))),
    "the magnitude of BatchNorm's weight is taken": lambda layer, y, p: batchnorm(
        layer, y, p._replace(w=np.abs(p.w))),
    "BatchNorm is folded into the weights, but its bias and mean are left out":
        lambda layer, y, p: y * _inv(p),
}


def _bn_in(only: str, wrong: Callable[[Layer, Array, BatchNorm], Array]) -> Twist:
    return Twist(bn=lambda layer, y, p: (wrong if part(layer) == only else batchnorm)(layer, y, p))


# PReLU.

def _slopes(change: Callable[[Array], Array]) -> Twist:
    return Twist(act=lambda layer, y, s: prelu(layer, y, change(s)))


def _where(positive: Callable[[Array, Array], Array], negative: Callable[[Array, Array], Array],
           ) -> Twist:
    return Twist(act=lambda layer, y, s: np.where(y > 0, positive(y, s), negative(y, s))
                 if layer.act else y)


def _along(axis: int) -> Twist:
    """The slope of the row or the column for that of the channel."""
    def act(layer: Layer, y: Array, s: Array) -> Array:
        row = np.resize(s.reshape(-1), y.shape[axis])
        return prelu(layer, y, np.expand_dims(row, tuple(i for i in range(3) if i != axis)))
    return Twist(act=act)


def _not_in(only: str) -> Twist:
    return Twist(act=lambda layer, y, s: y if part(layer) == only else prelu(layer, y, s))


def _linear(change: Callable[[Array, Array], Array], *names: str) -> Twist:
    """An activation in layers that have none."""
    return Twist(act=lambda layer, y, s: change(y, s) if part(layer) in names
                 else prelu(layer, y, s))


def _relu(y: Array, s: Array) -> Array:
    return np.maximum(y, 0)


def _leaky(y: Array, s: Array) -> Array:
    return np.where(y > 0, y, s * y)


# The residual.

def _fit(a: Array, y: Array) -> Array:
    """`a` with the channels cut or filled with zeros, and every n-th pixel, as `y` has them."""
    step = -(-a.shape[1] // y.shape[1])
    a = a[:len(y), ::step, ::step]
    return np.pad(a, ((0, len(y) - len(a)), (0, 0), (0, 0)))


def _strided(layer: Layer, s: Sources) -> Array | float:
    same = len(s.block) == len(s.out)
    return _fit(s.block, s.out) if same and s.block.shape != s.out.shape else added(layer, s)


def _widened(layer: Layer, s: Sources) -> Array | float:
    same = s.block.shape[1] == s.out.shape[1]
    return _fit(s.block, s.out) if same and len(s.block) != len(s.out) else added(layer, s)


def _from(block: int) -> Callable[[Layer, Sources], Array | float]:
    """Only from that block of a stage on."""
    return lambda layer, s: added(layer, s) if block_of(layer)[1] >= block else 0.0


RESIDUAL: dict[str, Callable[[Layer, Sources], Array | float]] = {
    "the residual is missing": lambda layer, s: 0.0,
    "the first block of a stage never adds its input": _from(1),
    "the first two blocks of a stage never add their input": _from(2),
    "the residual is added twice": lambda layer, s: 2 * added(layer, s),
    "the residual is subtracted": lambda layer, s: -added(layer, s),
    "the residual replaces the block's output": lambda layer, s: (
        s.block - s.out if layer.residual else 0.0),
    "the residual is halved, as in an average": lambda layer, s: (
        (s.block - s.out) / 2 if layer.residual else 0.0),
    "the residual is project's input, not the block's": lambda layer, s: (
        _fit(s.project, s.out) if layer.residual else 0.0),
    "the residual is the stage's input, not the block's": lambda layer, s: (
        _fit(s.stage, s.out) if layer.residual else 0.0),
    "a residual is added where the stride is not 1": _strided,
    "a residual is added where the channels differ, cut or filled with zeros": _widened,
    "an activation follows the residual": lambda layer, s: (
        np.maximum(s.out + added(layer, s), 0) - s.out),
    "an activation follows the residual where one is added": lambda layer, s: (
        np.maximum(s.out + s.block, 0) - s.out if layer.residual else 0.0),
}


# The embedding.

def _l2(v: Array) -> float:
    return float(np.sqrt(np.sum(v * v)))


def _over(v: Array, norm: float) -> Array:
    return v / max(norm, fmt.L2_EPS)


def _floor(e: float) -> Callable[[Array], Array]:
    return lambda v: v / max(_l2(v), e)


def _plus(e: float) -> Callable[[Array], Array]:
    return lambda v: v / (_l2(v) + e)


def _plus_squared(e: float) -> Callable[[Array], Array]:
    return lambda v: v / np.sqrt(np.sum(v * v) + e)


def _cut(n: int) -> Callable[[Array], Array]:
    return lambda v: unit(v) * (np.arange(len(v)) < len(v) // n * n)


def _norm32(v: Array) -> Array:
    small: Any = v.astype(np.float32)
    return np.asarray(small / np.maximum(np.sqrt((small * small).sum(dtype=np.float32)),
                                         np.float32(fmt.L2_EPS)), np.float64)


NORMS: dict[str, Callable[[Array], Array]] = {
    "there is no L2 normalisation": lambda v: v,
    "the embedding is divided by its L1 norm": lambda v: _over(v, np.abs(v).sum()),
    "the embedding is divided by its largest magnitude": lambda v: _over(v, np.abs(v).max()),
    "the embedding is divided by the square of its norm": lambda v: _over(v, np.sum(v * v)),
    "the embedding is divided by its root mean square":
        lambda v: _over(v, np.sqrt(np.mean(v * v))),
    "the norm is taken without the last component": lambda v: _over(v, _l2(v[:-1])),
    "the norm's guard against zero is missing": lambda v: v / _l2(v),
    "the norm's floor is below 1e-12": _floor(1e-300),
    **{f"the norm's floor is {_short(e)}, not 1e-12": _floor(e)
       for e in (2e-12, 1e-10, 1e-8, 1e-7, 1e-5)},
    # √max(n², 1e-12) is the same.
    "the norm's floor is 1e-6, not 1e-12 (1e-12 may be the floor of its square)":
        _floor(1e-6),
    **{f"the embedding's norm is n + {_short(e)}, not max(n, 1e-12)": _plus(e)
       for e in (1e-12, 1e-10, 1e-8, 1e-7, 1e-6, 1e-5)},
    **{f"the embedding's norm is √(n² + {_short(e)}), not max(n, 1e-12)": _plus_squared(e)
       for e in (1e-24, 1e-12, 1e-10, 1e-8, 1e-5)},
    "an embedding below the floor becomes zeros": lambda v: (
        v / _l2(v) if _l2(v) >= fmt.L2_EPS else 0 * v),
    "an embedding below the floor is left as it is": lambda v: (
        v / _l2(v) if _l2(v) >= fmt.L2_EPS else v),
    # As `n >= floor ? v / n : 0` gives it: no comparison with NaN holds.
    "an embedding whose norm is NaN becomes zeros": lambda v: (
        0 * np.ones_like(v) if np.isnan(_l2(v)) else unit(v)),
    "the sum of squares is taken in float32 and overflows": _norm32,
    "the embedding is in reverse order": lambda v: unit(v)[::-1],
    "the embedding's sign is turned": lambda v: -unit(v),
    "the embedding's mean is subtracted first": lambda v: unit(v - v.mean()),
    "the embedding is a softmax": lambda v: np.exp(v - v.max()) / np.exp(v - v.max()).sum(),
    **{f"the embedding's components beyond a multiple of {n} are 0":
       _cut(n) for n in (4, 8, 16)},
}


CATALOGUE: dict[str, Twist] = {
    **{words: Twist(view=view) for words, view in INPUT.items()},
    "BatchNorm's epsilon is missing": _eps(0.0),
    **{f"BatchNorm's epsilon is {_short(e)}": _eps(e)
       for e in (1e-2, 1e-3, 1e-4, 2e-5, 1e-6, 1e-7, 1e-8)},
    **{words: Twist(bn=bn) for words, bn in BN.items()},
    **{f"BatchNorm is left out in {name}": _bn_in(name, BN["BatchNorm is left out"])
       for name in PARTS},
    **{f"BatchNorm is folded twice into {name}": _bn_in(
        name, BN["BatchNorm is folded twice into the weights"]) for name in PARTS},
    "PReLU precedes BatchNorm": Twist(act_first=True),
    "the first PReLU slope is used for all channels": _slopes(lambda s: np.full_like(s, s[0])),
    "PReLU's slopes are those of the channel before": _slopes(lambda s: np.roll(s, 1, axis=0)),
    "PReLU's slopes are those of the next channel": _slopes(lambda s: np.roll(s, -1, axis=0)),
    "PReLU's slopes are in reverse order": _slopes(lambda s: s[::-1]),
    "PReLU's slopes are those of the row": _along(1),
    "PReLU's slopes are those of the column": _along(2),
    "the magnitude of PReLU's slope is taken": _slopes(np.abs),
    "PReLU's slopes are clipped to 0..1": _slopes(lambda s: np.clip(s, 0, 1)),
    "PReLU's slopes are at least 0": _slopes(lambda s: np.maximum(s, 0)),
    "PReLU's slopes are at most 1": _slopes(lambda s: np.minimum(s, 1)),
    "PReLU's sign of the slope is turned": _slopes(np.negative),
    "PReLU's slope is 0.25 everywhere": _slopes(lambda s: np.full_like(s, 0.25)),
    "PReLU is LeakyReLU with 0.01": _slopes(lambda s: np.full_like(s, 0.01)),
    "PReLU is max(x, slope*x)": Twist(act=lambda layer, y, s: np.maximum(y, s * y)
                                      if layer.act else y),
    "PReLU is ReLU": _where(lambda y, s: y, lambda y, s: 0 * y),
    "PReLU is ReLU6": _where(lambda y, s: np.minimum(y, 6), lambda y, s: 0 * y),
    "PReLU cuts at 6": _where(lambda y, s: np.minimum(y, 6), lambda y, s: s * y),
    "PReLU's negative side is the slope itself": _where(lambda y, s: y, lambda y, s: s + 0 * y),
    "the activation is left out": _where(lambda y, s: y, lambda y, s: y),
    "the slope is applied to positive values": _where(lambda y, s: s * y, lambda y, s: y),
    "the slope is applied to all values": _where(lambda y, s: s * y, lambda y, s: s * y),
    **{f"the activation is left out in {name}": _not_in(name) for name in ACTIVE},
    "an activation follows project": _linear(_relu, "project"),
    "PReLU follows project, with the slopes of dw": _linear(_leaky, "project"),
    "an activation follows gdconv": _linear(_relu, "gdconv"),
    "an activation follows embed_proj": _linear(_relu, "embed_proj"),
    "an activation follows linear layers": _linear(_relu, "project", "gdconv", "embed_proj"),
    "PReLU follows gdconv, with the slopes of final_conv": _linear(_leaky, "gdconv"),
    **{words: Twist(residual=residual) for words, residual in RESIDUAL.items()},
    **PADS,
    **{words: Twist(plan=plan) for words, plan in PLANS.items()},
    **{words: Twist(weights=change) for words, change in WEIGHTS.items()},
    **PRECISION,
    **{f"output channels beyond a multiple of {n} are not computed": Twist(store=tail(n))
       for n in (4, 8, 16)},
    "the last row of every map is not computed": Twist(store=last(1)),
    "the last column of every map is not computed": Twist(store=last(2)),
    **{words: Twist(norm=norm) for words, norm in NORMS.items()},
}
"""Words of a report to the reference with that mistake."""
