# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Warps, light, low resolution and noise: each does what its numbers say, and no more."""

import math

import pytest
import torch
from torch.nn import functional

from efm3.train import distort

NEEDS = ("torch",)

SIDE = 112


def draws(*values):
    return torch.tensor([values], dtype=torch.float32)


def smooth(n=1, seed=3):
    g = torch.Generator().manual_seed(seed)
    small = torch.rand(n, 3, 7, 7, generator=g) * 200 + 25
    return functional.interpolate(small, (SIDE, SIDE), mode="bilinear")


def test_draws_in_the_middle_do_not_warp():
    x = smooth()
    out = distort.warp(x, draws(.5, .5, .5, .5, .5), 0.1, 0.06, 0.1, 10)
    assert (out - x).abs().max() < 0.01


@pytest.mark.parametrize("u,name,want", [
    ((.5, .5, 1, .5, .5), "across", (-0.1 * SIDE, 0)), ((.5, .5, .5, 0, .5), "down",
                                                       (0, 0.1 * SIDE)),
])
def test_a_shift_is_a_part_of_the_side(u, name, want):
    x = torch.zeros(1, 3, SIDE, SIDE)
    x[:, :, 54:58, 54:58] = 200
    out = distort.warp(x, draws(*u), 0.1, 0.06, 0.1, 10)[0, 0]
    at = torch.arange(SIDE) + 0.5 - SIDE / 2
    middle = (out.sum(0) @ at / out.sum(), out.sum(1) @ at / out.sum())
    assert middle == (pytest.approx(want[0], abs=0.05), pytest.approx(want[1], abs=0.05))


def spot(u, scale=0.1, aspect=0.06, turn=10.0):
    """Where a spot 30 pixels right of the middle comes to lie."""
    x = torch.zeros(1, 3, SIDE, SIDE)
    x[:, :, 55:57, 85:87] = 200
    out = distort.warp(x, draws(*u), scale, aspect, 0.0, turn)[0, 0]
    at = torch.arange(SIDE) + 0.5 - SIDE / 2
    return float(out.sum(0) @ at / out.sum()), float(out.sum(1) @ at / out.sum())


def test_scale_aspect_and_turn():
    for u, factor in (((1, .5), 1.1), ((0, .5), 0.9), ((.5, 1), math.sqrt(1.06)),
                      ((.5, 0), math.sqrt(0.94))):
        x, y = spot((*u, .5, .5, .5))
        assert x == pytest.approx(30 * factor, abs=0.3) and y == pytest.approx(0, abs=0.05)
    x, y = spot((.5, .5, .5, .5, 1))
    assert math.hypot(x, y) == pytest.approx(30, abs=0.2)
    assert abs(math.degrees(math.atan2(y, x))) == pytest.approx(10, abs=0.5)


def test_what_lies_outside_is_a_mirror_image():
    x = torch.full((1, 3, SIDE, SIDE), 90.0)
    out = distort.warp(x, draws(0, .5, 1, 1, 1), 0.1, 0.06, 0.1, 10)
    assert (out - 90).abs().max() < 1e-3


def test_exposure_is_a_factor_cut_at_white_and_a_power():
    x = smooth()
    assert (distort.expose(x, draws(.5, .5), 1, 0.6) - x).abs().max() < 1e-3
    assert torch.allclose(distort.expose(x, draws(1, .5), 1, 0.6), (2 * x).clamp(max=255),
                          atol=1e-2)
    dark = distort.expose(x, draws(0, 1), 1, 0.6)
    assert torch.allclose(dark, 255 * (x / 510) ** 1.6, atol=1e-2)
    assert distort.expose(torch.zeros(1, 3, 8, 8), draws(1, 0), 1, 0.6).abs().max() == 0


def test_low_resolution_leaves_as_many_pixels_as_were_drawn():
    x = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1)) * 255
    for kernel, mode in ((0.1, "area"), (0.5, "nearest-exact"), (0.9, "bilinear")):
        out = distort.lower(x, draws(0, kernel, 0.2), (16, 90))
        few = functional.interpolate(x, 16, mode=mode)
        assert torch.equal(out, few.repeat_interleave(7, 2).repeat_interleave(7, 3)), mode
    soft = distort.lower(x, draws(0, 0.1, 0.9), (16, 90))
    assert soft.std() < x.std() / 2
    whole = distort.lower(x, draws(1, 0.1, 0.2), (16, 112))
    assert torch.equal(whole, x)


def test_low_resolution_of_another_side_keeps_its_shape():
    assert distort.lower(smooth()[..., :48, :16], draws(1, 1, 1), (18, 90)).shape == (1, 3, 48, 16)


def test_noise_has_its_deviation_and_its_place():
    x = torch.full((2, 3, SIDE, SIDE), 100.0)
    u = torch.tensor([[0.0, 0.1], [1.0, 0.7]])
    out = distort.noise(x, u, (2, 10)) - x
    want = math.sqrt(1 + 100 * distort.SHOT)
    for picture, sigma in zip(out, (2, 10), strict=True):
        assert picture.std() == pytest.approx(sigma * want, rel=0.02)
        assert abs(picture.mean()) < 0.1 * sigma
    assert abs(torch.corrcoef(out.flatten(1))[0, 1]) < 0.02
    again = distort.noise(x, u, (2, 10)) - x
    assert torch.equal(out, again)
    black = distort.noise(torch.zeros(1, 3, SIDE, SIDE), draws(1, .5), (2, 10))
    assert black.min() == 0 and black.max() > 10
