# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The skull and what stands on it."""

import torch

from efm3 import drawn as synth
from efm3.drawn import shape
from efm3.drawn.identity import traits
from efm3.drawn.nuisance import shot
from tests.drawn.shots import plain

NEEDS = ("torch",)


def test_towards_is_the_inverse_of_rest():
    i = traits(synth.identities(4, 0, 8))
    x, y = torch.tensor([[-17.0, 0.0, 14.0]]), torch.tensor([[-5.0, 16.0, 36.0]])
    rx, ry, _ = shape._rest(i, shape._towards(i, x, y))
    assert (rx - x).abs().max() < 1e-3 and (ry - y).abs().max() < 1e-3


def test_a_mean_head_at_rest():
    rest, place, marks = shape.build(traits(torch.zeros(1, synth.DIM)), shot(plain(1)))
    assert all(p.shape == (1, shape.ROWS * shape.COLUMNS) for p in (*rest, *place))
    assert all(p.isfinite().all() for p in (*rest, *place, *marks))
    left, right, nose, *mouth = marks[1][0].tolist()
    assert max(left, right) < nose < min(mouth), "y grows downwards: eyes, nose, mouth"
    assert marks[2][0].argmax() == 2, "the tip of the nose is in front"
