# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Five points of a face to a crop of 112x112 pixels: a similarity transform and one warp."""

from __future__ import annotations

import math

import numpy as np

from efm3.arrays import Array, Doubles, Floats, Pixels
from efm3.pictures import SIDE, pillow

TEMPLATE = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366),
            (41.5493, 92.3655), (70.7299, 92.2041))
"""Where ArcFace's crops have the eyes, the tip of the nose and the corners of the mouth, the left
ones in the picture first."""

TINY = 1e-12
"""Of a transform's area: a picture is not made smaller than by a million."""
NEAR = (0.8, 1.125)
"""What is as good as a size, by the part of it."""
BAND = 1 << 18
"""Pixels that Pillow is given at a time."""


def similarity(points: Doubles, onto: Doubles) -> Doubles:
    """The turn, scale and shift that brings `points` nearest to `onto` by least squares, [2, 3].

    This is Umeyama's estimate for the plane, without mirroring; in complex numbers it is one
    division. Points that are all one give NaN.
    """
    z, w = (np.asarray(p, np.float64) @ (1, 1j) for p in (points, onto))
    from_mean = z - z.mean()
    with np.errstate(invalid="ignore", divide="ignore"):
        a = (from_mean.conj() @ (w - w.mean())) / (abs(from_mean) ** 2).sum()
    shift = w.mean() - a * z.mean()
    return np.array([[a.real, -a.imag, shift.real], [a.imag, a.real, shift.imag]])


def inverse(matrix: Doubles) -> Doubles:
    """The transform back."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.column_stack([linear, -linear @ matrix[:, 2]])


def moved(matrix: Doubles, points: Doubles) -> Doubles:
    """The points, [N, 2], after the transform."""
    return np.asarray(points, np.float64) @ matrix[:, :2].T + matrix[:, 2]


def shrunk(pixels: Pixels, width: int, height: int, loosely: bool = False) \
        -> tuple[Pixels, Doubles]:
    """The picture made to fit into a size, never larger than it is, and the transform onto it.

    `loosely` lets it be a little smaller or larger, by NEAR, where whole pixels of it are then
    averaged and nothing else, which is fast.
    """
    over = max(pixels.shape[1] / width, pixels.shape[0] / height)
    if over <= (NEAR[1] if loosely else 1):
        return pixels, np.eye(2, 3)
    factor = math.ceil(over / NEAR[1])
    if loosely and over >= NEAR[0] * factor:
        return _blocks(pixels, factor)
    factor = int(over)
    small, matrix = _blocks(pixels, factor) if factor > 1 else (pixels, np.eye(2, 3))
    new = np.maximum(1, np.floor(np.array(pixels.shape[1::-1]) / over + 1e-9)).astype(int)
    onto = (new / small.shape[1::-1])[:, None]
    image = pillow()
    small = image.fromarray(small).resize((int(new[0]), int(new[1])), image.Resampling.BILINEAR)
    return np.asarray(small), onto * matrix + np.column_stack([np.zeros((2, 2)), (onto - 1) / 2])


def _blocks(pixels: Pixels, factor: int) -> tuple[Pixels, Doubles]:
    """Means of blocks, for a detector, and the transform onto them.

    Two rows of a block are seen, and all columns: the other rows cost more than they tell. In
    bands of rows, which stay in the processor's cache.
    """
    image = pillow()
    # A side that is shorter than a block is made as long, by its last row or column.
    lacks = [max(0, factor - side) for side in pixels.shape[:2]]
    if any(lacks):
        pixels = np.pad(pixels, [(0, lacks[0]), (0, lacks[1]), (0, 0)], "edge")
    height, width = (side // factor for side in pixels.shape[:2])
    above = round(factor / 4 - 0.5)
    upper, lower = (pixels[:height * factor].reshape(height, factor, *pixels.shape[1:])[:, row]
                    for row in (above, factor - 1 - above))
    out = np.empty((height, width, 3), np.uint8)
    rows = max(1, BAND // pixels.shape[1])
    for top in range(0, height, rows):
        one, two = upper[top:top + rows], lower[top:top + rows]
        mean = (one & two) + ((one ^ two) >> 1)
        out[top:top + rows] = np.asarray(image.fromarray(mean).reduce((factor, 1)))[:, :width]
    return out, np.column_stack([np.eye(2), np.full(2, (1 - factor) / 2)]) / factor


def _means(pixels: Pixels, factor: int) -> Floats:
    """Means of the whole blocks of factor x factor pixels, [3, H, W]."""
    height, width = (side // factor for side in pixels.shape[:2])
    rows = pixels[:height * factor].reshape(height, factor, *pixels.shape[1:])
    sums = rows.sum(1, dtype=np.uint16 if factor <= 257 else np.uint32)[:, :width * factor]
    columns = sums.reshape(height, width, factor, 3).transpose(3, 2, 0, 1)
    return np.asarray(np.ascontiguousarray(columns).sum(1, dtype=np.float32)
                      / np.float32(factor ** 2))


def aligned(pixels: Pixels, points: Doubles) -> Pixels:
    """The crop whose template lies on `points`, uint8 [112, 112, 3]; black beyond the border."""
    return warp(pixels, similarity(points, np.array(TEMPLATE)), SIDE)


def warp(pixels: Pixels, matrix: Doubles, side: int) -> Pixels:
    """The square of `side` pixels that `matrix` maps the picture onto, bilinear between pixels.

    Where it makes smaller by two or more, blocks of that many pixels are averaged first: bilinear
    alone would pick single pixels, and fine texture would turn into false shapes. A transform
    that has no way back, as points that are no face give, makes all black.
    """
    (a, b, _), (c, d, _) = matrix
    if not abs(a * d - b * c) > TINY:
        return np.zeros((side, side, 3), np.uint8)
    back = inverse(matrix)
    factor = max(1, int(math.hypot(*back[:, 0])))
    corners = moved(back, np.array([(0, 0), (side, 0), (0, side), (side, side)]) - 0.5)
    margin = 2 * factor + 2
    limits = np.array(pixels.shape[1::-1])
    low = np.clip(np.floor(corners.min(0)) - margin, 0, limits).astype(int)
    high = np.clip(np.ceil(corners.max(0)) + margin, low, limits).astype(int)
    region = pixels[low[1]:high[1], low[0]:high[0]]
    if 0 in region.shape:
        return np.zeros((side, side, 3), np.uint8)
    planes: Array = region.transpose(2, 0, 1)
    if factor > 1:
        # At the picture's border the last row and column stand for what a block lacks; elsewhere
        # the margin is left out.
        lacks = np.where(high == limits, -(high - low) % factor, 0)
        if lacks.any():
            region = np.pad(region, [(0, lacks[1]), (0, lacks[0]), (0, 0)], "edge")
        planes = _means(region, factor)
    back[:, 2] += (factor - 1) / -2 - low
    return _bilinear(planes, back / factor, side)


def _bilinear(planes: Array, back: Doubles, side: int) -> Pixels:
    """What lies in [3, H, W] where `back` maps the pixels of a square; beyond it all is black."""
    height, width = planes.shape[1:]
    padded = np.zeros((3, height + 2, width + 2), planes.dtype)
    padded[:, 1:-1, 1:-1] = planes
    flat, grid = padded.reshape(3, -1), np.arange(side)
    # Beyond the border by more than a pixel all is black: the padding is as good as what is there.
    across, down = (
        np.clip(x * grid + (y * grid + shift + 1)[:, None], 0, length + 1 - 1e-9).ravel()
        for (x, y, shift), length in zip(back, (width, height), strict=True))
    left, top = across.astype(np.intp), down.astype(np.intp)
    right, lower = (across - left).astype(np.float32), (down - top).astype(np.float32)
    corner = top * (width + 2) + left
    out = np.zeros((3, side * side), np.float32)
    for step, weight in ((0, (1 - right) * (1 - lower)), (1, right * (1 - lower)),
                         (width + 2, (1 - right) * lower), (width + 3, right * lower)):
        index = corner + step
        for channel in range(3):
            out[channel] += flat[channel].take(index) * weight
    return np.rint(out.T).astype(np.uint8).reshape(side, side, 3)
