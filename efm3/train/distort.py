# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What cameras and detectors do to a batch: another crop, exposure, few pixels, noise.

Each function takes float pictures [B, 3, H, W] of 0..255 and uniform draws [B, ...] of 0..1, and
gives new pictures; the same draws give the same pictures. `augment` chooses which are changed.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

GRAINS = 1 << 18
"""Normal numbers that are kept for noise: a picture begins at a drawn place among them."""
SHOT = 0.02
"""Variance of shot noise by grey level, as a part of the readout noise's variance."""

DOWN = ("area", "nearest-exact", "bilinear")
UP = ("nearest-exact", "bilinear")


def around(u: Tensor, width: float) -> Tensor:
    """Draws as numbers from 1 - width to 1 + width."""
    return 1 + width * (2 * u - 1)


def between(u: Tensor, pair: tuple[float, float]) -> Tensor:
    """Draws as numbers from one end of the pair to the other."""
    return pair[0] + u * (pair[1] - pair[0])


def warp(x: Tensor, u: Tensor, scale: float, aspect: float, shift: float, turn: float) -> Tensor:
    """An affine map of each picture, which detectors' errors are: five draws.

    `scale` and `aspect` are factors 1 - v .. 1 + v, `shift` a part of the side in each direction,
    `turn` degrees. What lies outside of the picture is its mirror image.
    """
    size = around(u[:, 0], scale)
    ratio = around(u[:, 1], aspect).sqrt()
    angle = (2 * u[:, 4] - 1) * math.radians(turn)
    # From places in the new picture to places in the old one, -1..1 each. By hand:
    # `affine_grid` takes as long as `grid_sample`.
    c, s = torch.cos(angle) / size, torch.sin(angle) / size
    height, width = x.shape[2:]
    down, across = ((2 * torch.arange(side, device=x.device) + 1) / side - 1
                    for side in (height, width))
    grid = x.new_empty(len(x), height, width, 2)
    for axis, (by_x, by_y) in enumerate(((c / ratio, -s * ratio), (s / ratio, c * ratio))):
        moved = (2 * u[:, 2 + axis] - 1) * 2 * shift
        torch.add((by_x[:, None] * across + moved[:, None])[:, None, :],
                  (by_y[:, None] * down)[:, :, None], out=grid[..., axis])
    return functional.grid_sample(x, grid, mode="bilinear", padding_mode="reflection",
                                  align_corners=False)


def expose(x: Tensor, u: Tensor, stops: float, gamma: float) -> Tensor:
    """Light by 2^-stops .. 2^stops, cut where the sensor is full, then a curve: two draws.

    The curve is a power of (1 + gamma)^-1 .. 1 + gamma.
    """
    gain = torch.exp2((2 * u[:, 0] - 1) * stops)[:, None, None, None]
    power = (1 + gamma) ** (2 * u[:, 1] - 1)
    return (x * (gain / 255)).clamp_(0, 1).pow_(power[:, None, None, None]).mul_(255)


def lower(x: Tensor, u: Tensor, sides: tuple[float, float]) -> Tensor:
    """To a lower resolution and back to this one: three draws.

    The picture has `sides` pixels across at the end of the way there. A third of the pictures
    each go there by area, by the nearest pixel, and by two neighbours in each axis (with
    aliases); half of them come back by the nearest pixel, and half by two neighbours.
    """
    height, width = x.shape[2:]
    out = torch.empty_like(x)
    for picture, target, (side, down, up) in zip(x.split(1), out.split(1), u[:, :3].tolist(),
                                                 strict=True):
        part = min(1.0, (sides[0] + side * (sides[1] - sides[0])) / width)
        few = max(1, round(part * height)), max(1, round(part * width))
        there = functional.interpolate(picture, few, mode=DOWN[min(2, int(3 * down))])
        target.copy_(functional.interpolate(there, (height, width), mode=UP[min(1, int(2 * up))]))
    return out


@lru_cache(maxsize=4)
def _grains(device: torch.device, count: int) -> Tensor:
    """Normal numbers, the same in every run."""
    g = torch.Generator().manual_seed(1)
    return torch.randn(count, generator=g).to(device)


def noise(x: Tensor, u: Tensor, sigmas: tuple[float, float]) -> Tensor:
    """A sensor's noise: readout of a deviation from `sigmas`, and shot noise; two draws."""
    size = x[0].numel()
    grains = _grains(x.device, max(GRAINS, 2 * size))
    first = (u[:, 1] * (len(grains) - size)).long()
    own = grains.unfold(0, size, 1)[first].view_as(x)
    deviation = x.clamp(min=0).mul_(SHOT).add_(1).sqrt_()
    deviation *= between(u[:, 0], sigmas)[:, None, None, None]
    return torch.addcmul(x, own, deviation).clamp_(0, 255)
