# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The operations that pictures are made of."""

import torch

from efm3.drawn import soft

NEEDS = ("torch",)


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


def test_steps_hills_and_blurs():
    x = torch.tensor([-1.0, -0.25, 0.0, 0.25, 1.0])
    assert soft.ramp(x.clone()).tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert soft.bump(soft.oval(x.clone(), x * 0, 2.0, 1.0)).tolist()[2] == 1.0
    assert soft.bump(torch.tensor([1.0, 2.0])).tolist() == [0.0, 0.0]
    assert soft.mix(2.0, torch.tensor([4.0]), torch.tensor([0.5])).tolist() == [3.0]
    flat = torch.full((2, 64), 0.5)
    assert torch.equal(soft.smooth(flat, 8), flat)
    dot = torch.zeros(1, 5, 5)
    dot[0, 2, 2] = 1
    assert soft.spread(dot).sum() == 9


def test_a_field_is_smooth():
    line = torch.arange(256.0)
    plane = soft.field(line.repeat(256), line.repeat_interleave(256))
    assert abs(plane.mean()) < 0.15 and 0.8 < plane.std() < 1.2
    square = plane.reshape(256, 256)
    assert (square[:, 1:] - square[:, :-1]).abs().max() < 0.6, "no steps that show"
    assert torch.equal(soft.field(line - 256, line), soft.field(line, line + 512))
