# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""How a picture is taken: numbers that depend on seed, identity and shot alone."""

import numpy as np
import pytest
import torch

from efm3 import drawn as synth
from efm3.drawn.nuisance import _PARTS, MAX_PITCH, MAX_ROLL, MAX_YAW, RANGES, shot
from efm3.drawn.spec import SETTINGS

NEEDS = ("torch",)

SHOT = [0.42563730478286743, 0.14742475748062134, 0.2758767008781433]


def test_numbers_do_not_move():
    assert synth.nuisances(7, [3], [2])[0, :3].tolist() == SHOT


def test_a_shot_depends_on_identity_and_number_alone():
    grid = synth.nuisances(5, [[0], [1]], [0, 1, 2])
    assert grid.shape == (6, synth.SIZE) and grid.min() >= 0 and grid.max() < 1
    assert torch.equal(grid[4:5], synth.nuisances(5, [1], [1]))
    assert len({tuple(row) for row in grid.tolist()}) == 6


def test_poses_reach_their_ends_and_rare_things_have_their_share():
    n = shot(synth.nuisances(1, np.arange(4000), 0))
    for name, most in (("yaw", MAX_YAW), ("pitch", MAX_PITCH), ("roll", MAX_ROLL)):
        angle = getattr(n, name).abs()
        assert 0.97 * most < angle.max() <= most
    for name, share in (("glasses", 0.16), ("mask", 0.04), ("hand", 0.04), ("hat", 0.08)):
        flags = getattr(n, name)
        assert set(flags.unique().tolist()) == {0.0, 1.0}
        assert abs(flags.mean().item() - share) < 0.02


def test_wrong_sizes_are_named():
    with pytest.raises(ValueError, match="found"):
        shot(torch.zeros(2, 3))


@pytest.mark.parametrize("setting", SETTINGS[1:])
def test_a_setting_draws_from_parts_of_the_ranges(setting):
    """The numbers that it does not name are those of plain shots."""
    plain, own = (synth.nuisances(5, range(4000), 0, s) for s in ("plain", setting))
    assert own.min() >= 0 and own.max() < 1
    for k, (name, _, _) in enumerate(RANGES):
        low, high = _PARTS[setting].get(name, (0.0, 1.0))
        assert torch.equal(own[:, k], plain[:, k]) == (name not in _PARTS[setting])
        inside = (own[:, k] >= low) & (own[:, k] < high)
        assert (inside | ((own[:, k] < high - 1) if high > 1 else inside)).all(), name
    with pytest.raises(ValueError, match="setting is 'odd', not one of plain, hard, cameras"):
        synth.nuisances(5, [1], [0], "odd")
