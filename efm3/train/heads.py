# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Margin softmax heads: ArcFace, AdaFace, CosFace. All map cosines to logits in one way.

A head holds one centre per class, [classes, D]. The logit of class j is s·cos(angle to centre j);
that of the image's own class is reduced by a margin, so that the network must do better
than merely being right. The three differ only in `target(cos, margin, norms, rows)`:
cosines [R] to the own centres, the lengths [B] of the whole batch's embeddings, and which
images of the batch the cosines belong to (all, in order, where `rows` is None).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

EPS = 1e-6
"""Added below the root of sin² = 1 - cos², whose slope at cos = ±1 would be infinite."""


def arcface(cos: Tensor, margin: float, norms: Tensor | None = None,
            rows: Tensor | None = None) -> Tensor:
    """cos(angle + margin) by the addition formula; no arccos, whose slope at ±1 is infinite.

    Where angle + margin passes pi the cosine would rise again; there the curve continues as the
    line cos - margin·sin(margin), which falls with the angle (Deng et al. 2019).
    """
    return _add_angle(cos, torch.zeros_like(cos) + margin)


def cosface(cos: Tensor, margin: float, norms: Tensor | None = None,
            rows: Tensor | None = None) -> Tensor:
    """cos - margin (Wang et al. 2018)."""
    return cos - margin


def adaface(cos: Tensor, margin: float, norms: Tensor | None = None,
            rows: Tensor | None = None) -> Tensor:
    """cos(angle - margin·q) - (margin + margin·q), q in [-1, 1] the image's quality.

    The quality is the embedding's length, in standard deviations of the batch over 3
    (Kim et al. 2022): blurred faces get an additive margin, sharp ones one of angle.
    """
    if norms is None:
        raise ValueError("AdaFace needs the embeddings' lengths")
    norms = norms.detach().clamp(0.001, 100)
    spread = norms.std(correction=0) if len(norms) > 1 else norms.new_tensor(1.0)
    quality = ((norms - norms.mean()) / (spread + 1e-3) * 0.333).clamp(-1, 1)
    quality = quality if rows is None else quality[rows]
    return _add_angle(cos, -margin * quality) - margin * (1 + quality)


def _add_angle(cos: Tensor, angle: Tensor) -> Tensor:
    """cos(acos(cos) + angle) while that sum lies in [0, pi], and monotonic lines beyond."""
    sin = (1 - cos * cos).clamp(min=0).add(EPS * EPS).sqrt()
    turned = cos * angle.cos() - sin * angle.sin()
    past = cos - angle.sin() * angle
    turned = torch.where((angle > 0) & (cos <= -angle.cos()), past, turned)
    return torch.where((angle < 0) & (cos >= angle.cos()), torch.ones_like(cos), turned)


class Kind(NamedTuple):
    """A head's own-class curve and its usual margin and scale."""

    target: Callable[..., Tensor]
    margin: float
    scale: float


KINDS = {"arcface": Kind(arcface, 0.5, 64.0), "adaface": Kind(adaface, 0.4, 64.0),
         "cosface": Kind(cosface, 0.35, 64.0)}
"""Heads by name: adding one is one function and one row."""


class Head(nn.Module):
    """Embeddings [B, D] and labels [B] to the mean loss and the number of correct ones.

    `margin` may be changed between steps (a schedule). Labels are 0..classes-1: `feed.check`
    ensures this.
    """

    def __init__(self, kind: str, classes: int, dim: int, margin: float | None = None,
                 scale: float | None = None) -> None:
        super().__init__()
        row = KINDS[kind]
        self.target, self.classes = row.target, classes
        self.full_margin = row.margin if margin is None else margin
        self.margin = self.full_margin
        self.scale = row.scale if scale is None else scale
        self.weight = nn.Parameter(torch.empty(classes, dim))
        nn.init.normal_(self.weight, std=1 / math.sqrt(dim))

    def forward(self, embeddings: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The loss (mean over the batch) and how many images are nearest to their own centre."""
        embeddings = wide(embeddings)
        norms = embeddings.norm(dim=1)
        cos = functional.linear(functional.normalize(embeddings), functional.normalize(self.weight))
        right = (cos.detach().argmax(1) == labels).sum()
        own = cos.gather(1, labels[:, None])[:, 0]
        moved = self.target(own.clamp(-1, 1), self.margin, norms)
        logits = self.scale * cos.scatter(1, labels[:, None], moved[:, None])
        return functional.cross_entropy(logits, labels), right


def wide(x: Tensor) -> Tensor:
    """float32, or float64 where it was: a head never computes in half precision."""
    return x if x.dtype == torch.float64 else x.float()
