# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Who is drawn: numbers that depend on seed and number alone."""

import pytest
import torch

from efm3 import drawn as synth
from efm3.drawn.identity import traits

NEEDS = ("torch",)

IDENTITY = [0.661438524723053, -1.0240708589553833, 0.14935027062892914]


def test_numbers_do_not_move():
    assert synth.identities(7, 3, 1)[0, :3].tolist() == IDENTITY


def test_an_identity_depends_on_its_number_alone():
    many = synth.identities(5, 0, 20)
    assert many.shape == (20, synth.DIM) and many.dtype == torch.float32
    assert synth.DIM >= 40
    assert torch.equal(many[7:9], synth.identities(5, 7, 2))
    assert not torch.equal(many[:1], synth.identities(6, 0, 1))
    assert len({tuple(row) for row in many.tolist()}) == 20
    assert torch.equal(synth.identities(5, 0, 20, spread=0.5), many * 0.5)


def test_numbers_are_spread_as_said():
    many = synth.identities(1, 0, 4000)
    assert (many.mean(0).abs() < 0.08).all() and ((many.std(0) - 1).abs() < 0.05).all()
    assert many.abs().max() < 3.47
    corner = torch.corrcoef(many.T) - torch.eye(synth.DIM)
    assert corner.abs().max() < 0.1


def test_a_traits_value_is_mean_and_spread():
    name, mean, spread = synth.TRAITS[0]
    got = getattr(traits(torch.full((2, synth.DIM), 2.0)), name)
    assert got.shape == (2, 1) and float(got[1]) == pytest.approx(mean + 2 * spread)


def test_wrong_sizes_are_named():
    with pytest.raises(ValueError, match="found -1"):
        synth.identities(1, 0, -1)
    with pytest.raises(ValueError, match="found"):
        traits(torch.zeros(2, 3))
