# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The few operations that pictures are made of.

All are single additions, products, quotients, roots, comparisons and table look-ups, which IEEE 754
rounds one way only: so a pixel does not depend on the threads, the batch or the vector unit. For
the same reason there is no exp, sin, pow, lerp or matrix product in this package.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from efm3.drawn import draws

_TABLE = 256


def ramp(x: Tensor, width: float | Tensor = 1.0) -> Tensor:
    """A soft step: 0 below -width/2, 1 above width/2, linear between."""
    return (x / width).add_(0.5).clamp_(0.0, 1.0)


def bump(q: Tensor) -> Tensor:
    """A soft hill of a squared distance: 1 at 0, 0 from 1 on."""
    hill = (1.0 - q).clamp_(min=0.0)
    return hill.mul_(hill)


def oval(x: Tensor, y: Tensor, rx: float | Tensor, ry: float | Tensor) -> Tensor:
    """The squared distance of bump, in half-axes."""
    x, y = x / rx, y / ry
    return x.mul_(x) + y.mul_(y)


def mix(a: Tensor | float, b: Tensor | float, share: Tensor) -> Tensor:
    """a where the share is 0, b where it is 1."""
    return (share * (b - a)).add_(a)


def sine_cosine(angle: Tensor) -> tuple[Tensor, Tensor]:
    """Of angles within ±1.6, to 1e-6: Taylor's sums, to the same bits everywhere."""
    square = angle * angle
    sine = torch.full_like(angle, -1 / 39916800)
    cosine = torch.full_like(angle, 1 / 479001600)
    for s, c in ((1 / 362880, -1 / 3628800), (-1 / 5040, 1 / 40320), (1 / 120, -1 / 720),
                 (-1 / 6, 1 / 24), (1.0, -1 / 2)):
        sine = sine * square + s
        cosine = cosine * square + c
    return sine * angle, cosine * square + 1.0


def _plane(number: int, steps: tuple[int, ...], deviation: float) -> NDArray[np.float32]:
    """Smooth noise [256 · 256], which repeats at its edges, each step a blur of three taps."""
    numbers = draws.uniform(draws.key(0, number, np.arange(_TABLE)), _TABLE)
    whole = (numbers * 4096).astype(np.int64)
    for axis in (0, 1):  # sums of integers: exact
        for step in steps:
            whole = np.roll(whole, step, axis) + 2 * whole + np.roll(whole, -step, axis)
    centred = whole.astype(np.float64) / 16.0**len(steps) - 2048
    return (centred / deviation).astype(np.float32).reshape(-1)


@cache
def _tables(device: torch.device) -> tuple[Tensor, ...]:
    """Smooth noise, rough noise [65536], and a field."""
    parts = (_plane(4, (1, 1), 324), draws.normal(draws.key(0, 3), 65536)[0],
             _plane(6, (1, 2, 4, 8), 50))
    return tuple(torch.from_numpy(p).to(device) for p in parts)


def _at(table: Tensor, x: Tensor, y: Tensor) -> Tensor:
    index = (y.floor().to(torch.int32) & (_TABLE - 1)) * _TABLE
    index += x.floor().to(torch.int32) & (_TABLE - 1)
    return torch.index_select(table, 0, index.reshape(-1)).reshape(index.shape)


def noise(x: Tensor, y: Tensor) -> Tensor:
    """Smooth noise of mean 0 and deviation about 1 on the plane; grains are about 3 units wide."""
    return _at(_tables(x.device)[0], x, y)


def field(x: Tensor, y: Tensor) -> Tensor:
    """The same with grains of about 20 units, in which no step shows."""
    return _at(_tables(x.device)[2], x, y)


def grain(start: Tensor, count: int) -> Tensor:
    """[N, count] rough noise for starts [N, 1] in [0, 1): stretches of one table."""
    table = _tables(start.device)[1]
    first = (start * (65536 - count)).to(torch.int64)
    return table[first + torch.arange(count, device=start.device)]


def tap(p: Tensor, share: Tensor | float, step: int = 1) -> Tensor:
    """One blur of three taps along the last axis; the share is what each neighbour gives."""
    left = torch.cat([p[..., :1].expand(*p.shape[:-1], step), p[..., :-step]], -1)
    right = torch.cat([p[..., step:], p[..., -1:].expand(*p.shape[:-1], step)], -1)
    return (left.add_(right) - p * 2.0).mul_(share).add_(p)


def smooth(plane: Tensor, side: int) -> Tensor:
    """A plane [N, side · side] with every pixel half its own, half its neighbours'."""
    picture = plane.reshape(-1, side, side)
    picture = tap(tap(picture, 0.25).transpose(1, 2), 0.25).transpose(1, 2)
    return picture.reshape(plane.shape)


def spread(picture: Tensor) -> Tensor:
    """The largest of each pixel's 3 × 3 neighbours, [N, H, W]: much faster than max_pool2d."""
    across = picture.clone()
    torch.maximum(across[..., 1:], picture[..., :-1], out=across[..., 1:])
    torch.maximum(across[..., :-1], picture[..., 1:], out=across[..., :-1])
    out = across.clone()
    torch.maximum(out[:, 1:], across[:, :-1], out=out[:, 1:])
    torch.maximum(out[:, :-1], across[:, 1:], out=out[:, :-1])
    return out
