# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What is drawn from a seed: the same numbers everywhere, alone or in a batch."""


import numpy as np
import pytest
import torch

from efm3 import drawn as synth
from efm3.drawn import draws, soft
from efm3.drawn.nuisance import MAX_PITCH, MAX_ROLL, MAX_YAW, shot

NEEDS = ("torch",)

IDENTITY = [0.661438524723053, -1.0240708589553833, 0.14935027062892914]
SHOT = [0.42563730478286743, 0.14742475748062134, 0.2758767008781433]


def test_the_hash_is_splitmix():
    # The published first outputs for the state 0.
    state = np.arange(1, 4, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    assert [hex(v) for v in draws.mix(state).tolist()] == [
        "0xe220a8397b1dcdaf", "0x6e789e6aa1b965f4", "0x6c45d188009454f"]


def test_numbers_do_not_move():
    vector = synth.identities(7, 3, 1)[0, :3].tolist()
    shots = synth.nuisances(7, [3], [2])[0, :3].tolist()
    assert vector == IDENTITY
    assert shots == SHOT


def test_an_identity_depends_on_its_number_alone():
    many = synth.identities(5, 0, 20)
    assert many.shape == (20, synth.DIM) and many.dtype == torch.float32
    assert synth.DIM >= 40
    assert torch.equal(many[7:9], synth.identities(5, 7, 2))
    assert not torch.equal(many[:1], synth.identities(6, 0, 1))
    assert len({tuple(row) for row in many.tolist()}) == 20
    assert torch.equal(synth.identities(5, 0, 20, spread=0.5), many * 0.5)


def test_a_shot_depends_on_identity_and_number_alone():
    grid = synth.nuisances(5, [[0], [1]], [0, 1, 2])
    assert grid.shape == (6, synth.SIZE) and grid.min() >= 0 and grid.max() < 1
    assert torch.equal(grid[4:5], synth.nuisances(5, [1], [1]))
    assert len({tuple(row) for row in grid.tolist()}) == 6


def test_numbers_are_spread_as_said():
    many = synth.identities(1, 0, 4000)
    assert (many.mean(0).abs() < 0.08).all() and ((many.std(0) - 1).abs() < 0.05).all()
    assert many.abs().max() < 3.47
    corner = torch.corrcoef(many.T) - torch.eye(synth.DIM)
    assert corner.abs().max() < 0.1
    n = shot(synth.nuisances(1, np.arange(4000), 0))
    for name, most in (("yaw", MAX_YAW), ("pitch", MAX_PITCH), ("roll", MAX_ROLL)):
        angle = getattr(n, name).abs()
        assert 0.97 * most < angle.max() <= most
    for name, share in (("glasses", 0.16), ("mask", 0.06), ("hand", 0.07), ("hat", 0.08)):
        flags = getattr(n, name)
        assert set(flags.unique().tolist()) == {0.0, 1.0}
        assert abs(flags.mean().item() - share) < 0.02


@pytest.mark.parametrize("call", [
    lambda: synth.identities(1, 0, -1),
    lambda: synth.render(torch.zeros(2, 3), torch.zeros(2, synth.SIZE)),
    lambda: synth.render(torch.zeros(2, synth.DIM), torch.zeros(2, 3)),
    lambda: synth.render(torch.zeros(1, synth.DIM), torch.zeros(2, synth.SIZE)),
    lambda: synth.render(torch.zeros(2, synth.DIM), torch.zeros(2, synth.SIZE), side=113),
    lambda: synth.Faces(1, 0, 0, 3),
])
def test_wrong_sizes_are_named(call):
    with pytest.raises(ValueError, match=r"found|but"):
        call()


def test_sine_and_cosine():
    angle = torch.linspace(-1.6, 1.6, 999, dtype=torch.float64)
    sine, cosine = soft.sine_cosine(angle)
    assert (sine - angle.sin()).abs().max() < 1e-6
    assert (cosine - angle.cos()).abs().max() < 1e-6


def test_noise_tables():
    line = torch.arange(256.0)
    table = soft.noise(line.repeat(256), line.repeat_interleave(256))
    assert abs(table.mean()) < 0.05 and 0.8 < table.std() < 1.2
    assert torch.equal(soft.noise(line - 256, line), soft.noise(line, line + 512))
    rough = soft.grain(torch.tensor([[0.0], [0.999]]), 5000)
    assert rough.shape == (2, 5000) and 0.95 < rough.std() < 1.05
