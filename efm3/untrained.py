# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Seeded weights for untrained networks: for conformance and speed.

The same arch and seed give the same bytes on every machine. Random numbers come from
integers; what is computed from them is exactly rounded (+, *, /, sqrt), but for the
activations' statistics, whose last bits depend on a library's order of summation. These are
rounded to 8 bits: a float64 error of 1e-13 flips such a rounding once in 1e10 values.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from efm3 import format as fmt
from efm3 import model as models
from efm3 import reference
from efm3.arch import Arch
from efm3.arithmetic import STEP, scrambled
from efm3.arrays import Array, Floats, Pixels
from efm3.network import Layer, layers

if TYPE_CHECKING:
    import numpy.typing as npt

META = {
    "licence": "Apache-2.0",
    "source": "efm3 new",
    "training_data": "none",
    "description": "Untrained reference weights, for conformance and speed, not for recognising "
                   "people",
    "trained": False,
}
IMAGES = 12
"""Images whose activations give the BatchNorm statistics."""



class Random:
    """SplitMix64, a counter-based generator: value i of a stream is a hash of its number."""

    def __init__(self, seed: int) -> None:
        self._at = np.uint64(seed & 0xFFFFFFFFFFFFFFFF)

    def integers(self, count: int) -> npt.NDArray[np.uint64]:
        """The next `count` 64-bit values."""
        with np.errstate(over="ignore"):
            steps = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(STEP)
            z = self._at + steps
            self._at = z[-1] if count else self._at
            return np.asarray(scrambled(z))

    def uniform(self, lo: float, hi: float, count: int) -> Array:
        """Multiples of 1/256 in [lo, hi)."""
        span = int((hi - lo) * 256)
        return lo + (self.integers(count) % np.uint64(span)).astype(np.float64) / 256

    def bell(self, count: int) -> Array:
        """Roughly normal, mean 0, variance 1: the sum of the four 16-bit parts of a value."""
        z = self.integers(count)
        parts = [(z >> np.uint64(s)) & np.uint64(0xFFFF) for s in (0, 16, 32, 48)]
        total = sum(p.astype(np.float64) for p in parts) - 4 * 32767.5
        return np.asarray(total / (65536 / math.sqrt(3.0)))


def images(seed: int, count: int) -> Pixels:
    """Seeded pictures [count, 112, 112, 3]: noise on grids of 7, 14, 28, 56 and 112 cells."""
    rng = Random(seed)
    side = fmt.INPUT_SIDE
    total = np.zeros((count, side, side, 3), np.int64)
    for cells, weight in ((7, 8), (14, 4), (28, 2), (56, 1), (112, 1)):
        grid = (rng.integers(count * cells * cells * 3) >> np.uint64(56)).astype(np.int64)
        grid = grid.reshape(count, cells, cells, 3)
        total += weight * grid.repeat(side // cells, axis=1).repeat(side // cells, axis=2)
    return (total // 16).astype(np.uint8)


def synthesise(arch: Arch, seed: int) -> dict[str, Floats]:
    """Every tensor of the layout, with BatchNorm statistics from a forward pass."""
    rng = Random(seed)
    out: dict[str, Floats] = {}
    x = reference.prepare(images(seed, IMAGES)).astype(np.float64)
    skips = {layer.residual for layer in layers(arch)}
    kept: dict[str, Array] = {}
    for layer in layers(arch):
        if layer.name in skips:
            kept[layer.name] = x
        out.update({f"{layer.name}.{k}": v for k, v in _layer(layer, rng, x).items()})
        x = reference.apply(layer, out, x)
        if layer.residual:
            x = x + kept.pop(layer.residual)
    return out


def _layer(layer: Layer, rng: Random, x: Array) -> dict[str, Floats]:
    c = layer.out_channels
    fan_in = math.prod(layer.weight_shape[1:])
    w = rng.bell(math.prod(layer.weight_shape)) / math.sqrt(fan_in)
    w32 = w.reshape(layer.weight_shape).astype(np.float32)
    y = reference.convolve(layer, w32.astype(np.float64), x)
    mean, var = _statistics(y)
    branch = 0.5 if layer.residual else 1.0
    own: dict[str, Array] = {
        "conv.w": w32, "bn.w": branch * rng.uniform(0.75, 1.25, c),
        "bn.b": rng.uniform(-0.25, 0.25, c) + 1 / 512, "bn.mean": mean, "bn.var": var,
    }
    if layer.act:
        own["act.w"] = rng.uniform(0.125, 0.375, c)
    return {k: np.asarray(v, np.float32) for k, v in own.items()}


def _statistics(y: Array) -> tuple[Array, Array]:
    """Mean and variance of each channel of [N, C, H, W], rounded to 8 bits."""
    mean = y.mean(axis=(0, 2, 3))
    var = np.maximum(((y - mean[:, None, None]) ** 2).mean(axis=(0, 2, 3)), 2.0 ** -20)
    exponent = np.frexp(var)[1]
    step = np.ldexp(1.0, exponent - 8)
    # A mean near zero has no significant bits: it is rounded in steps of the deviation.
    mean_step = np.ldexp(1.0, exponent // 2 - 8)
    return np.rint(mean / mean_step) * mean_step, np.rint(var / step) * step


def dumps(arch: Arch, seed: int, align: bool = True) -> bytes:
    """A sealed file of `synthesise(arch, seed)`; an arch without a name is called untrained."""
    named = replace(arch, name=arch.name or "untrained", width_mult=arch.width_mult or 1.0)
    return models.dumps(named, synthesise(named, seed), align=align, seal=True,
                      mirror_extra={"meta": META | {"seed": seed}})
