# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Pose and alignment: the landmarks come to lie where InsightFace puts them."""

import pytest
import torch

from efm3 import drawn as synth
from efm3.drawn import shape
from efm3.drawn.camera import AIM, Camera
from efm3.drawn.identity import traits
from efm3.drawn.nuisance import shot
from tests.drawn.shots import plain

NEEDS = ("torch",)


def test_a_front_view_is_aligned():
    i, n = traits(torch.zeros(1, synth.DIM)), shot(plain(1))
    marks = shape.build(i, n)[2]
    camera = Camera(n, marks, 112)
    x, y = camera.pixels(*camera.plane(camera.rotate(marks)))
    far = ((x - torch.tensor([[p[0] for p in AIM]])) ** 2
           + (y - torch.tensor([[p[1] for p in AIM]])) ** 2).sqrt()
    # The five places are a mean over all poses, and turned heads are narrower: a mouth that is seen
    # from the front lies a little higher.
    assert far[0, :3].max() < 1.5 and far.max() < 5
    picture = synth.render(torch.zeros(1, synth.DIM), plain(1))[0].float().mean(0)
    # The dark pupils lie where the eyes should.
    for column in (38, 73):
        around = picture[44:60, column - 8:column + 9]
        row, off = divmod(int(around.argmin()), 17)
        assert abs(44 + row - 52) <= 3 and abs(off - 8) <= 4


@pytest.mark.parametrize("turn", [0.0, 1.0])
def test_any_pose_stays_near_the_aim(turn):
    count = 16
    i = traits(synth.identities(2, 0, count))
    n = shot(plain(count, yaw=turn, pitch=torch.linspace(0, 1, count)))
    marks = shape.build(i, n)[2]
    camera = Camera(n, marks, 112)
    x, y = camera.pixels(*camera.plane(camera.rotate(marks)))
    assert abs(float(x.mean()) - sum(p[0] for p in AIM) / 5) < 0.7
    assert abs(float(y.mean()) - sum(p[1] for p in AIM) / 5) < 0.7


def test_upright_is_the_inverse_of_pixels():
    n = shot(synth.nuisances(4, range(8), 0))
    marks = shape.build(traits(synth.identities(4, 0, 8)), n)[2]
    for side in (112, 64):
        camera = Camera(n, marks, side)
        px, py = camera.pixels(*camera.upright())
        gx, gy = camera.grid()
        assert (px - gx).abs().max() < 1e-3 and (py - gy).abs().max() < 1e-3
