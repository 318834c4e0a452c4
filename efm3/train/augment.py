# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Augmentation of a whole batch: flip, warp, colour, light, blur, pixels, noise, JPEG, cutout.

Every draw comes from the given generator, and always the same number of them, so that
a resumed run continues with the same pictures. Colour is one matrix per picture, blur and the
cosine transform are matrix products, which BLAS computes fast.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from efm3.arithmetic import GREY, HALF_RANGE
from efm3.train import distort
from efm3.train.distort import around, between

LUMA = (0.299, 0.587, 0.114)
CHUNK = 32
"""Pictures processed at a time: they stay in the processor's cache."""


@dataclass(frozen=True)
class Recipe:
    """How often (a fraction of the pictures, 0..1) and how strongly pictures are changed.

    `brightness`, `contrast`, `saturation` and `gains` (each channel by itself) are factors drawn
    from 1 - v .. 1 + v, `hue` a turn of -v .. v around the grey axis (1 is a whole turn).
    `grey` takes the colour away. `blur_sigma` is in pixels, drawn for each axis, the quality as
    libjpeg counts it, `cutout_area` a fraction of the picture; the rectangle becomes one colour.
    `warp_scale` and `warp_aspect` are factors like those of colour, `warp_shift` is a part of the
    side, `warp_turn` in degrees. `exposure_stops` are factors of two of the light,
    `exposure_gamma` the power that is added at most. `low_side` is how many pixels across are
    left of low resolution, `noise_sigma` a deviation in grey levels.
    """

    flip: float = 0.5
    colour: float = 0.8
    brightness: float = 0.3
    contrast: float = 0.3
    saturation: float = 0.3
    gains: float = 0.08
    hue: float = 0.02
    grey: float = 0.02
    blur: float = 0.2
    blur_sigma: tuple[float, float] = (0.4, 2.0)
    jpeg: float = 0.2
    jpeg_quality: tuple[float, float] = (20, 90)
    cutout: float = 0.2
    cutout_area: tuple[float, float] = (0.02, 0.25)
    warp: float = 0.0
    warp_scale: float = 0.1
    warp_aspect: float = 0.06
    warp_shift: float = 0.1
    warp_turn: float = 10.0
    exposure: float = 0.0
    exposure_stops: float = 1.0
    exposure_gamma: float = 0.6
    low: float = 0.0
    low_side: tuple[float, float] = (18, 90)
    noise: float = 0.0
    noise_sigma: tuple[float, float] = (1, 14)

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            low, high = LIMITS.get(f.name, (0.0, 1.0))
            pair = value if isinstance(value, tuple) else (value, value)
            if len(pair) != 2 or not low <= pair[0] <= pair[1] <= high:
                raise ValueError(f"Recipe.{f.name} is {value}, not within {low}..{high}")

    @classmethod
    def none(cls) -> Recipe:
        """Nothing but scaling to the engine's input."""
        return cls(flip=0, colour=0, grey=0, blur=0, jpeg=0, cutout=0)

    @classmethod
    def strong(cls) -> Recipe:
        """Harder than what drawn heads vary by themselves: crops, light, pixels and noise too."""
        return cls(brightness=0.4, contrast=0.4, saturation=0.5, hue=0.03, grey=0.1, jpeg=0.25,
                   jpeg_quality=(15, 90), cutout=0.25, warp=0.6, exposure=0.3, low=0.25,
                   noise=0.25)


RECIPES: dict[str, Callable[[], Recipe]] = {
    "none": Recipe.none, "light": Recipe, "strong": Recipe.strong}
"""The recipes that `efm3 train --augment` names; `efm3.train.config.STRENGTHS` lists them."""
LIMITS = {"blur_sigma": (0.05, 20.0), "jpeg_quality": (1.0, 100.0), "cutout_area": (0.0, 0.9),
          "warp_scale": (0.0, 0.9), "warp_aspect": (0.0, 0.9), "warp_turn": (0.0, 180.0),
          "exposure_stops": (0.0, 8.0), "exposure_gamma": (0.0, 8.0), "low_side": (1.0, 4096.0),
          "noise_sigma": (0.0, 128.0)}
_DRAWS = (24, 16)
"""Draws of each picture. The second lot is drawn after the first, which is what it was before
there was a second one: a run from then resumes with the same pictures."""


@torch.no_grad()
def augment(batch: Tensor, generator: torch.Generator, recipe: Recipe) -> Tensor:
    """uint8 [B, 3, H, W] RGB to float32 [B, 3, H, W], (x - 127.5) / 128 of the changed picture.

    H and W are multiples of 16. Raises ValueError for another shape or type.
    """
    if batch.dtype != torch.uint8 or batch.ndim != 4 or batch.shape[1] != 3 \
            or batch.shape[2] % 16 or batch.shape[3] % 16:
        raise ValueError(f"batch is {batch.dtype} {list(batch.shape)}, not uint8 [B, 3, H, W] "
                         "with sides that are multiples of 16")
    draws = torch.cat([torch.rand(len(batch), n, generator=generator, device=generator.device)
                       for n in _DRAWS], 1).to(batch.device)
    out = torch.empty(batch.shape, dtype=torch.float32, device=batch.device)
    size = CHUNK if batch.device.type == "cpu" else max(1, len(batch))
    for start in range(0, len(batch), size):
        part = slice(start, start + size)
        _change(batch[part], draws[part], recipe, out[part])
    return out


def _change(batch: Tensor, u: Tensor, r: Recipe, out: Tensor) -> None:
    """One chunk; `u` [B, 40] are its draws, 0..1, each column for one purpose."""
    flipped = u[:, 0] < r.flip
    out.copy_(torch.where(flipped[:, None, None, None], batch.flip(-1), batch)
              if r.flip else batch)
    _some(out, u, 24, r.warp, lambda x, v: distort.warp(
        x, v[:, 25:], r.warp_scale, r.warp_aspect, r.warp_shift, r.warp_turn))
    if r.colour or r.grey:
        _colour(out, u[:, 1:12], r)
    _some(out, u, 30, r.exposure, lambda x, v: distort.expose(
        x, v[:, 31:], r.exposure_stops, r.exposure_gamma))
    _some(out, u, 12, r.blur, lambda x, v: _blur(x, v[:, 15:], r))
    _some(out, u, 33, r.low, lambda x, v: distort.lower(x, v[:, 34:], r.low_side))
    _some(out, u, 37, r.noise, lambda x, v: distort.noise(x, v[:, 38:], r.noise_sigma))
    _some(out, u, 13, r.jpeg, lambda x, v: _jpeg(x, v[:, 15:], r))
    _some(out, u, 14, r.cutout, lambda x, v: _cutout(x, v[:, 15:], r))
    out.sub_(GREY).div_(HALF_RANGE)


def _some(out: Tensor, u: Tensor, column: int, chance: float,
          change: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Change the pictures whose draw is below the chance."""
    chosen = torch.nonzero(u[:, column] < chance).flatten() if chance else ()
    if len(chosen):
        out[chosen] = change(out[chosen], u[chosen])


def _colour(x: Tensor, u: Tensor, r: Recipe) -> None:
    """Brightness, contrast, saturation, hue, gains, grey: together one affine map per picture."""
    n = len(x)
    luma = x.new_tensor(LUMA)
    eye = torch.eye(3, device=x.device)
    grey = luma.expand(3, 3)
    strength = around(u[:, 2], r.saturation)[:, None, None]
    turn = (2 * u[:, 3] - 1) * r.hue * 2 * math.pi
    matrix = grey + strength * (eye - grey)
    matrix = _turn(turn) @ matrix
    matrix = around(u[:, 4:7], r.gains)[:, :, None] * matrix
    matrix = around(u[:, 7], r.brightness)[:, None, None] * matrix
    matrix = torch.where((u[:, 0] < r.colour)[:, None, None], matrix, eye)
    contrast = torch.where(u[:, 0] < r.colour, around(u[:, 8], r.contrast), 1.0)[:, None]
    matrix = torch.where((u[:, 9] < r.grey)[:, None, None], grey @ matrix, matrix)
    flat = x.view(n, 3, -1)
    mean = ((matrix @ flat.mean(-1)[:, :, None])[:, :, 0] @ luma)[:, None]
    matrix = contrast[:, :, None] * matrix
    offset = ((1 - contrast) * mean).expand(n, 3)[:, :, None]
    x.copy_(torch.baddbmm(offset, matrix, flat).view_as(x)).clamp_(0, 255)


def _turn(angle: Tensor) -> Tensor:
    """Rotations [B, 3, 3] around the grey axis."""
    c, s = torch.cos(angle), torch.sin(angle) / math.sqrt(3)
    a, b, d = (1 + 2 * c) / 3, (1 - c) / 3 - s, (1 - c) / 3 + s
    return torch.stack([a, b, d, d, a, b, b, d, a], -1).view(-1, 3, 3)


def _blur(x: Tensor, u: Tensor, r: Recipe) -> Tensor:
    """Gaussians, one sigma for each axis."""
    for column in (0, 1):
        # The last axis first; then the other one takes its place, and both are back.
        n, _, height, width = x.shape
        weights = _gauss(between(u[:, column], r.blur_sigma), width)
        x = torch.bmm(x.reshape(n, 3 * height, width), weights.transpose(1, 2))
        x = x.view(n, 3, height, width).transpose(2, 3)
    return x


def _gauss(sigma: Tensor, side: int) -> Tensor:
    """[B, side, side]: each row the weights of one output pixel; pixels outside are dropped."""
    at = torch.arange(side, device=sigma.device, dtype=torch.float32)
    weights = torch.exp(-0.5 * ((at - at[:, None]) / sigma[:, None, None]) ** 2)
    # Tails below float32's rounding are zeros: denormal numbers would be slow.
    weights = torch.where(weights < 1e-7, 0.0, weights)
    return weights / weights.sum(-1, keepdim=True)


# Annex K of the JPEG standard, tables K.1 and K.2.
QUANT_LUMA = (16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
              14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
              18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
              49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99)
QUANT_CHROMA = (17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99,
                24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99,
                *[99] * 32)
YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


@lru_cache(maxsize=8)
def _cosines(device: torch.device) -> Tensor:
    """The transform of a flat 8x8 block to 64 coefficients, [64, 64]; its transpose goes back."""
    k, n = torch.arange(8.0)[:, None], torch.arange(8.0)
    line = torch.cos((2 * n + 1) * k * math.pi / 16) / 2
    line[0] /= math.sqrt(2)
    return torch.kron(line, line).T.contiguous().to(device)


def _jpeg(x: Tensor, u: Tensor, r: Recipe) -> Tensor:
    """The loss of JPEG with 4:2:0 chroma at a quality; entropy coding is lossless and omitted."""
    n, _, height, width = x.shape
    quality = between(u[:, 2], r.jpeg_quality)
    scale = torch.where(quality < 50, 50 / quality, 2 - quality / 50)
    ycc = x.new_tensor(YCC)
    planes = (ycc @ x.view(n, 3, -1).round()).view(n, 3, height, width)
    luma = _coded(planes[:, :1] - 128, QUANT_LUMA, scale) + 128
    chroma = _coded(functional.avg_pool2d(planes[:, 1:], 2), QUANT_CHROMA, scale)
    # Weights 3/4 and 1/4, as libjpeg doubles the chroma.
    chroma = functional.interpolate(chroma, scale_factor=2, mode="bilinear", align_corners=False)
    flat = torch.cat([luma, chroma], 1).view(n, 3, -1)
    return (torch.linalg.inv(ycc) @ flat).view_as(x).round_().clamp_(0, 255)


def _coded(planes: Tensor, table: Sequence[int], scale: Tensor) -> Tensor:
    """Planes [B, C, H, W] around 0 through the quantiser."""
    n, channels, height, width = planes.shape
    step = (planes.new_tensor(table) * scale[:, None]).round().clamp(1, 255)[:, None]
    cosines = _cosines(planes.device)
    blocks = planes.reshape(n, channels, height // 8, 8, width // 8, 8).transpose(3, 4)
    found = (blocks.reshape(-1, 64) @ cosines).view(n, -1, 64)
    levels = found.div_(step).round_().mul_(step)
    return (levels.view(-1, 64) @ cosines.T).view(blocks.shape).transpose(3, 4).reshape(
        planes.shape)


def _cutout(x: Tensor, u: Tensor, r: Recipe) -> Tensor:
    """A rectangle of one colour, its sides in a ratio of 1/2 to 2."""
    height, width = x.shape[2:]
    area = between(u[:, 3], r.cutout_area)
    ratio = torch.exp((2 * u[:, 4] - 1) * math.log(2) / 2)
    masks = []
    for side, part, place in ((height, area.sqrt() * ratio, u[:, 5]),
                              (width, area.sqrt() / ratio, u[:, 6])):
        length = (part * side).round().clamp(max=side)
        start = (place * (side - length + 1)).floor()
        at = torch.arange(side, device=x.device)
        masks.append((at >= start[:, None]) & (at < (start + length)[:, None]))
    inside = masks[0][:, None, :, None] & masks[1][:, None, None, :]
    # Three colours from two draws: enough that no rectangle's colour means anything.
    colour = torch.stack([u[:, 7], u[:, 8], (u[:, 7] + u[:, 8]) % 1], 1) * 255
    return torch.where(inside, colour.round()[:, :, None, None], x)
