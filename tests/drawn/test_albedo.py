# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Colours of skin, hair and features."""

import torch

from efm3 import drawn as synth
from efm3.drawn import albedo
from efm3.drawn.identity import traits
from efm3.drawn.nuisance import shot
from tests.drawn.shots import plain

NEEDS = ("torch",)


def test_colours_stay_in_their_range():
    """But for the reddest of the lightest skins; the camera clips what is above 1."""
    i, n = traits(synth.identities(3, 0, 64)), shot(synth.nuisances(3, range(64), 0))
    for colour in (albedo.skin_colour(i, n), albedo.hair_colour(i)):
        assert all(c.shape == (64, 1) and c.min() >= 0 and c.max() < 1.05 for c in colour)
    r, _, b = albedo.skin_colour(i, n)
    assert (r > b).all(), "skin is warmer than grey"


def test_blend():
    a, b = [torch.tensor([0.2])] * 3, (1.0, 0.0, 0.6)
    assert [float(c) for c in albedo.blend(a, b, torch.tensor([0.0]))] == [float(a[0])] * 3
    for got, want in zip(albedo.blend(a, b, torch.tensor([1.0])), b, strict=True):
        assert abs(float(got) - want) < 1e-6


def test_paint_gives_a_colour_and_a_gloss_for_each_place():
    i, n = traits(torch.zeros(2, synth.DIM)), shot(plain(2))
    x, y = torch.meshgrid(torch.linspace(-40, 40, 112), torch.linspace(-50, 50, 112), indexing="xy")
    rest = tuple(p.reshape(1, -1).expand(2, -1).contiguous() for p in (x, y, 60 - x.abs()))
    colour, gloss = albedo.paint(i, n, rest, 112)
    assert all(c.shape == (2, 112 * 112) and c.isfinite().all() for c in (*colour, gloss))
