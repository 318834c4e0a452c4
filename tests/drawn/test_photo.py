# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a camera and a file do to a picture."""

import numpy as np
import torch

from efm3.drawn import photo
from efm3.drawn.nuisance import shot
from tests.drawn.shots import plain

NEEDS = ("torch",)


def test_compression_is_a_cosine_transform():
    x = torch.rand(8, 50)
    k, j = np.meshgrid(np.arange(8), np.arange(8), indexing="ij")
    matrix = np.cos(np.pi * k * (2 * j + 1) / 16) * np.where(k == 0, 8 ** -0.5, 0.5)
    got = torch.stack(photo._dct(list(x)))
    assert (got - torch.from_numpy(matrix).float() @ x).abs().max() < 1e-5
    assert (torch.stack(photo._idct(list(got))) - x).abs().max() < 1e-5


def test_compression_loses_more_when_coarser():
    line = torch.linspace(0, 1, 64)
    clean = (line[:, None] * line * torch.tensor([0.9, 0.5, 0.2])[:, None, None])[None]
    loss = [(photo.squeeze(clean, torch.full((1, 1), a)) - clean).abs().mean() for a in (0.1, 1.0)]
    assert 0 < loss[0] < loss[1] < 0.1


def test_blur_keeps_what_is_flat_and_spreads_a_dot():
    still, full = torch.zeros(1, 1), torch.ones(1, 1)
    picture = torch.full((1, 3, 32, 32), 0.5)
    assert torch.allclose(photo.blur(picture, full, still), picture)
    picture[0, :, 16, 16] = 1.0
    got = photo.blur(picture, full, still)
    assert got[0, 0, 16, 16] < 0.6 and got[0, 0, 16, 14] > 0.5
    down, across = (photo.blur(picture, full, way) for way in (full, -full))
    assert down[0, 0, 14, 16] > 0.5 == down[0, 0, 16, 14]
    assert across[0, 0, 16, 14] > 0.5 == across[0, 0, 14, 16]


def test_a_coarse_picture_is_flat_where_it_was_and_has_lost_its_detail():
    flat = torch.full((1, 3, 32, 32), 0.25)
    assert torch.equal(photo.coarse(flat, torch.ones(1, 1)), flat)
    stripes = torch.zeros(1, 3, 32, 32)
    stripes[..., ::2] = 1.0
    assert (photo.coarse(stripes, torch.ones(1, 1)) == 0.5).all()


def test_what_is_too_bright_keeps_its_order():
    n = shot(plain(1, exposure=0.97, contrast=0.97, colour=0.9))
    line = torch.linspace(0.3, 2, 50).expand(1, 3, 50).contiguous()
    got = photo.develop(line, n)
    assert (got[0, 1, 1:] > got[0, 1, :-1]).all() and got.max() < 1.0
