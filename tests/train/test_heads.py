# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Heads beside their formulas in float64, written with arccos."""


import math

import pytest
import torch

from efm3.train.config import HEADS
from efm3.train.heads import KINDS, Head

NEEDS = ("torch",)


def batch(n=12, classes=7, dim=16, seed=0):
    g = torch.Generator().manual_seed(seed)
    scale = torch.rand(n, 1, generator=g) * 20 + 1
    return torch.randn(n, dim, generator=g) * scale, torch.randint(0, classes, (n,), generator=g)


def formula(kind, angle, margin, norms):
    """The own class's curve as the papers have it; angles in radians, float64."""
    if kind == "cosface":
        return torch.cos(angle) - margin
    if kind == "arcface":
        return torch.where(angle + margin < math.pi, torch.cos(angle + margin),
                           torch.cos(angle) - margin * math.sin(margin))
    norms = norms.clamp(0.001, 100)
    q = ((norms - norms.mean()) / (norms.std(correction=0) + 1e-3) * 0.333).clamp(-1, 1)
    return torch.cos((angle - margin * q).clamp(0, math.pi)) - margin * (1 + q)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("margin", [0.0, 0.2, None])
def test_the_loss_is_the_formulas(kind, margin):
    x, y = batch()
    head = Head(kind, 7, 16, margin)
    have, right = head(x, y)
    have = have.detach()
    x64, w64 = x.double(), head.weight.detach().double()
    cos = torch.nn.functional.normalize(x64) @ torch.nn.functional.normalize(w64).T
    logits = cos.clone()
    rows = torch.arange(len(y))
    logits[rows, y] = formula(kind, torch.acos(cos[rows, y]), head.margin, x64.norm(dim=1))
    logits *= head.scale
    want = (logits.logsumexp(1) - logits[rows, y]).mean()
    assert abs(float(have) - float(want)) < 1e-4 * float(want)
    assert int(right) == int((cos.argmax(1) == y).sum())


@pytest.mark.parametrize("kind", KINDS)
def test_values_over_the_whole_circle(kind):
    angle = torch.linspace(0, math.pi, 1001, dtype=torch.float64)
    norms = torch.linspace(5, 40, 1001, dtype=torch.float64)
    row = KINDS[kind]
    have = row.target(torch.cos(angle), row.margin, norms)
    want = formula(kind, angle, row.margin, norms)
    fair = torch.ones_like(angle, dtype=torch.bool)
    if kind == "adaface":
        # Beyond pi the formula is flat and gives no gradient; ours continues to fall there.
        q = ((norms - norms.mean()) / (norms.std(correction=0) + 1e-3) * 0.333).clamp(-1, 1)
        fair = angle - row.margin * q < math.pi
    assert (have - want)[fair].abs().max() < 1e-6
    assert (have <= want + 1e-6).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("where", [1.0, -1.0])
def test_gradients_are_finite_at_the_ends(kind, where):
    head = Head(kind, 3, 4)
    with torch.no_grad():
        head.weight.copy_(torch.eye(3, 4))
    x = torch.zeros(2, 4)
    x[:, 1] = where
    x.requires_grad_()
    loss, _ = head(x, torch.tensor([1, 1]))
    loss.backward()
    assert loss.isfinite()
    assert x.grad.isfinite().all() and head.weight.grad.isfinite().all()


def test_arcface_falls_with_the_angle():
    cos = torch.cos(torch.linspace(0, math.pi, 2001, dtype=torch.float64))
    curve = KINDS["arcface"].target(cos, 0.5)
    assert (curve.diff() <= 0).all()


def test_a_zero_embedding_gives_numbers():
    for kind in KINDS:
        x = torch.zeros(2, 16, requires_grad=True)
        loss, _ = Head(kind, 7, 16)(x, torch.tensor([0, 1]))
        loss.backward()
        assert loss.isfinite() and x.grad.isfinite().all()


def test_the_command_offers_each_head():
    assert tuple(KINDS) == HEADS
