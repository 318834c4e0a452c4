# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Five points of a face to a crop of 112x112 pixels: a similarity transform and one warp."""

from __future__ import annotations

from typing import Any

import numpy as np

from efm3.arrays import Doubles, Floats, Pixels
from efm3.pictures import SIDE, pillow

TEMPLATE = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366),
            (41.5493, 92.3655), (70.7299, 92.2041))
"""Where ArcFace's crops have the eyes, the tip of the nose and the corners of the mouth, the left
ones in the picture first."""

TINY = 1e-12
"""Of a transform's area: a picture is not made smaller than by a million."""


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


def shrunk(pixels: Pixels, width: int, height: int) -> tuple[Pixels, Doubles]:
    """The picture made to fit into a size, never larger than it is, and the transform onto it."""
    size = np.array(pixels.shape[1::-1])
    scale = min(1.0, width / size[0], height / size[1])
    new = np.maximum(1, np.floor(size * scale + 1e-9)).astype(int)
    onto = np.diag(new / size)
    matrix = np.column_stack([onto, (np.diag(onto) - 1) / 2])
    if scale == 1:
        return pixels, matrix
    image = pillow()
    # By a whole number first, which is fast, then by the rest.
    small = image.fromarray(pixels).resize((int(new[0]), int(new[1])), image.Resampling.BILINEAR,
                                           reducing_gap=1.01)
    return np.asarray(small), matrix


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
    factor = max(1, int(np.hypot(*back[:, 0])))
    corners = moved(back, np.array([(0, 0), (side, 0), (0, side), (side, side)]) - 0.5)
    margin = 2 * factor + 2
    limits = np.array(pixels.shape[1::-1])
    low = np.clip(np.floor(corners.min(0)) - margin, 0, limits).astype(int)
    high = np.clip(np.ceil(corners.max(0)) + margin, low, limits).astype(int)
    region = pixels[low[1]:high[1], low[0]:high[0]]
    if 0 in region.shape:
        return np.zeros((side, side, 3), np.uint8)
    blocks = _reduced(region, factor)
    back[:, 2] += (factor - 1) / -2 - low
    return _bilinear(blocks, back / factor, side)


def _reduced(region: Pixels, factor: int) -> Floats:
    """Means of blocks of factor x factor pixels; those at the right and lower border may hold
    fewer."""
    if factor == 1:
        return region.astype(np.float32)
    out: Any = region
    for axis in (0, 1):
        starts = np.arange(0, region.shape[axis], factor)
        counts = np.diff(np.append(starts, region.shape[axis])).astype(np.float32)
        sums = np.add.reduceat(out, starts, axis, np.float32)
        out = sums / counts.reshape((-1, 1, 1) if axis == 0 else (-1, 1))
    return np.asarray(out, np.float32)


def _bilinear(values: Floats, back: Doubles, side: int) -> Pixels:
    x, y = np.meshgrid(np.arange(side), np.arange(side))
    at = moved(back, np.stack([x, y], -1))
    height, width = values.shape[:2]
    padded = np.zeros((height + 2, width + 2, 3), np.float32)
    padded[1:-1, 1:-1] = values
    # Beyond the border by more than a pixel all is black: the padding is as good as what is there.
    at = np.clip(at + 1, 0, (width + 1 - 1e-9, height + 1 - 1e-9))
    left, top = np.moveaxis(at.astype(int), -1, 0)
    right, down = np.moveaxis((at - np.floor(at)).astype(np.float32)[..., None, :], -1, 0)
    flat = padded.reshape(-1, 3)
    corner = top * (width + 2) + left
    upper = flat[corner] * (1 - right) + flat[corner + 1] * right
    lower = flat[corner + width + 2] * (1 - right) + flat[corner + width + 3] * right
    mixed: Floats = upper * (1 - down) + lower * down
    return np.rint(mixed).astype(np.uint8)
