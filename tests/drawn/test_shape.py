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


def test_the_landmarks_lie_where_the_features_are_painted():
    """The stretch moves the eyes, and the crop is aligned to where they then are."""
    i = traits(synth.identities(4, 0, 40))
    rest, place, marks = shape.build(i, shot(plain(40)))
    want = torch.cat([-i.eye_apart, i.eye_apart, torch.zeros_like(i.eye_apart),
                      -i.mouth_width, i.mouth_width], 1)
    high = torch.cat([i.eye_y, i.eye_y, i.nose_y, i.mouth_y, i.mouth_y], 1)
    # The vertex that is seen nearest to the landmark has nearly the landmark's colours.
    for k in range(5):
        far = sum((p - m[:, k:k + 1]) ** 2 for p, m in zip(place[:2], marks[:2], strict=True))
        near = torch.where(place[2] > 0, far, 1e9).argmin(1, keepdim=True)
        off_x = (rest[0].gather(1, near) - want[:, k:k + 1]).abs()
        off_y = (rest[1].gather(1, near) - high[:, k:k + 1]).abs()
        assert off_x.mean() < 1.0 and off_y.mean() < 1.2, k


def test_the_splines_of_a_stretch_add_up_to_one_between_their_knots():
    x, y = torch.linspace(-0.8, 0.8, 50)[None], torch.linspace(-0.48, 0.77, 50)[None]
    knots = shape._knots(x, y)
    assert len(knots) == shape.STRETCH_ROWS * shape.STRETCH_COLUMNS
    assert ((sum(knots) - 1).abs() < 1e-5).all()
