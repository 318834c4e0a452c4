# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""One network as plain data. Every style of the zoo is made from these arrays.

All values are float16 numbers, so a style that stores half precision loses nothing. BatchNorms
have statistics of their own and scales of both signs, PReLUs have slopes of both signs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

import efm3
from efm3 import format as fmt
from efm3 import reference, untrained
from efm3.arrays import Array, Doubles, Floats
from efm3.network import Layer, layers

ARCH = efm3.Arch("zoo", 6 / 64, 6, 8, 10, 9, 7, (
    efm3.Stage(2, 2, 2), efm3.Stage(4, 1, 2), efm3.Stage(2, 2, 1), efm3.Stage(4, 1, 2),
    efm3.Stage(2, 1, 1)))
"""The published stages with fewer blocks and few channels, so that a conversion is fast."""
SEED = 16
LEAK = 0.125
"""The slope of the network whose activations are all one LeakyReLU."""
LINEAR = "stage1.block1.expand"
"""The layer without activation of the network that has one."""


@dataclass(frozen=True)
class Part:
    """A layer with its arrays: convolution, BatchNorm, and the PReLU's slopes or None."""

    layer: Layer
    w: Floats
    gamma: Floats
    beta: Floats
    mean: Floats
    var: Floats
    slope: Floats | None

    @property
    def name(self) -> str:
        """The layer's name."""
        return self.layer.name

    @property
    def factor(self) -> Doubles:
        """What BatchNorm multiplies by."""
        out: Doubles = self.gamma / np.sqrt(self.var.astype(np.float64) + fmt.BN_EPS)
        return out

    @property
    def offset(self) -> Doubles:
        """What BatchNorm adds after that."""
        return self.beta - self.mean * self.factor

    @property
    def folded(self) -> Doubles:
        """The convolution's weight with BatchNorm's factor in it; `offset` is its bias."""
        return self.w * self.factor[:, None, None, None]


@dataclass(frozen=True)
class Base:
    """The network's parts in order of execution, and the same as an EFM3 model."""

    parts: tuple[Part, ...]
    model: efm3.Model

    def embeddings(self, x: Array) -> Doubles:
        """The right embeddings, in float64."""
        return reference.forward(self.model, x)


@cache
def base(kind: str = "prelu") -> Base:
    """The network, or one that differs in little: `kind` is prelu, relu, leaky (all slopes LEAK),
    pooled (gdconv is a mean), bare (the last BatchNorm does nothing) or linear (LINEAR's slopes
    are 1)."""
    random = untrained.Random(SEED)
    x = reference.prepare(untrained.images(SEED, 2)).astype(np.float64)
    tensors: dict[str, Floats] = {}
    parts, kept = [], {}
    skips = {layer.residual for layer in layers(ARCH)}
    for layer in layers(ARCH):
        if layer.name in skips:
            kept[layer.name] = x
        part = _part(layer, random, x, kind)
        parts.append(part)
        tensors |= named(part)
        x = reference.apply(layer, tensors, x)
        if layer.residual:
            x = x + kept.pop(layer.residual)
    return Base(tuple(parts), efm3.Model(ARCH, tensors))


def _part(layer: Layer, random: untrained.Random, x: Array, kind: str) -> Part:
    c, fan_in = layer.out_channels, math.prod(layer.weight_shape[1:])
    w = _half(random.bell(math.prod(layer.weight_shape)) / math.sqrt(fan_in))
    w = w.reshape(layer.weight_shape)
    if kind == "pooled" and layer.kind == "gdconv":
        w = np.full(layer.weight_shape, 1 / layer.kernel ** 2, np.float32)
    y = reference.convolve(layer, w.astype(np.float64), x)
    gamma = random.uniform(0.5, 1.25, c) * np.where(np.arange(c) % 5 == 4, -1, 1)
    beta, slope = random.uniform(-0.5, 0.5, c), random.uniform(-0.25, 0.75, c) + 1 / 512
    if kind == "linear" and layer.name == LINEAR:
        slope = slope * 0 + 1
    slope = {"relu": slope * 0, "leaky": slope * 0 + LEAK}.get(kind, slope)
    mean, var = y.mean(axis=(0, 2, 3)), y.var(axis=(0, 2, 3)) + 1 / 64
    if kind == "bare" and layer.name == "embed_proj":
        zero = np.zeros(c, np.float32)
        return Part(layer, w, zero + 1, zero, zero, (zero + 1) - np.float32(fmt.BN_EPS), None)
    return Part(layer, w, _half(gamma), _half(beta), _half(mean), _half(var),
                _half(slope) if layer.act else None)


def _half(v: Array) -> Floats:
    return v.astype(np.float16).astype(np.float32)


def named(part: Part) -> dict[str, Floats]:
    """The part's tensors under EFM3's names."""
    own = {"conv.w": part.w, "bn.w": part.gamma, "bn.b": part.beta, "bn.mean": part.mean,
           "bn.var": part.var}
    if part.slope is not None:
        own["act.w"] = part.slope
    return {f"{part.name}.{k}": v for k, v in own.items()}


@cache
def pictures() -> Floats:
    """Two drawn pictures as network input [2, 3, 112, 112]."""
    return reference.prepare(untrained.images(11, 2))


def turned(x: Array) -> Array:
    """The picture, or a kernel, turned by 180 degrees."""
    return np.ascontiguousarray(x[..., ::-1, ::-1])


def pair(w: Array) -> tuple[Floats, Floats]:
    """Two 1x1 weights [c, in] and [out, c], one after the other the same as w [out, in, 1, 1]."""
    c = w.shape[1]
    first = np.eye(c) + untrained.Random(c).bell(c * c).reshape(c, c) / (2 * c)
    second = w[:, :, 0, 0].astype(np.float64) @ np.linalg.inv(first)
    return first.astype(np.float32), second.astype(np.float32)


class Walk:
    """Walks over the base and calls one method for each operation; values are names.

    A format's writer gives the methods; a style overrides those that it spells its own way.
    """

    kind = "prelu"
    says_range = False
    unsaid: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.base = base(self.kind)
        self.at = "input"

    def walk(self) -> str:
        """Writes the whole network; returns its output's name."""
        x = self.picture()
        kept: dict[str, str] = {}
        skips = {part.layer.residual for part in self.base.parts}
        for part in self.base.parts:
            self.at = part.name
            if part.name in skips:
                x, kept[part.name] = self.fork(x)
            x = self.layer(part, x)
            if part.layer.residual:
                x = self.add(part, kept.pop(part.layer.residual), x)
        self.at = "end"
        return self.end(x)

    def fork(self, x: str) -> tuple[str, str]:
        """x for two users."""
        return x, x

    def layer(self, part: Part, x: str) -> str:
        """Convolution, BatchNorm, activation."""
        x = self.bn(part, self.conv(part, x))
        return x if part.slope is None else self.act(part, part.slope, x)

    def end(self, x: str) -> str:
        """The last map [N, D, 1, 1] to the unit embedding."""
        return self.unit(self.flat(x))

    def picture(self) -> str:
        """The input, brought to what the first convolution takes."""
        raise NotImplementedError

    def conv(self, part: Part, x: str) -> str:
        """The convolution."""
        raise NotImplementedError

    def bn(self, part: Part, x: str) -> str:
        """The BatchNorm."""
        raise NotImplementedError

    def act(self, part: Part, slope: Floats, x: str) -> str:
        """The activation."""
        raise NotImplementedError

    def add(self, part: Part, skip: str, x: str) -> str:
        """The residual addition."""
        raise NotImplementedError

    def flat(self, x: str) -> str:
        """[N, D, 1, 1] to [N, D]."""
        raise NotImplementedError

    def unit(self, x: str) -> str:
        """The division by the norm."""
        raise NotImplementedError


def sizes(batch: int, x: Array) -> Iterator[Array]:
    """x in batches of exactly `batch`: its pictures in a circle."""
    for i in range(0, len(x), batch):
        yield np.stack([x[(i + j) % len(x)] for j in range(batch)])
