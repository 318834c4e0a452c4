# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a camera and a file do to a picture."""

import numpy as np
import torch

from efm3.drawn import photo

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
    picture = torch.full((1, 3, 32, 32), 0.5)
    assert torch.allclose(photo.blur(picture, torch.ones(1, 1)), picture)
    picture[0, :, 16, 16] = 1.0
    got = photo.blur(picture, torch.ones(1, 1))
    assert got[0, 0, 16, 16] < 0.6 and got[0, 0, 16, 14] > 0.5
