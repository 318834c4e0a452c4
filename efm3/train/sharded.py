# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A head whose classes are split over the processes, for very many identities.

Each process holds a slice of the centres and computes the logits of all processes' images for
its own classes. Only the embeddings and a few numbers per image are communicated, never the
logits: with 1,000,000 classes and 8 processes a process holds an eighth of the centres, their
gradient, the optimiser's state, and the logits. This is partial FC without its sampling.

It is written with plain torch.distributed. The libraries that have such a head bring their own
training loop, optimiser and checkpoints with them; the mathematics is two all-gathers, one
reduction of maxima and one of sums, and so it stays comparable, number by number, with `Head`.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional

from efm3.train.heads import KINDS, wide
from efm3.train.parallel import World


def shares(classes: int, size: int) -> list[int]:
    """How many classes each process holds: evenly split, the first ones one more."""
    return [classes // size + (r < classes % size) for r in range(size)]


class _Gather(torch.autograd.Function):
    """Everyone's rows [B, D] as [size·B, D].

    Each process has the gradient of its own classes' part of the loss; their sum is the
    whole. DistributedDataParallel then takes the mean over the processes of what is already
    a gradient of the mean over all images, so it is multiplied by their number here.
    """

    @staticmethod
    def forward(ctx: Any, own: Tensor, rank: int, size: int) -> Tensor:
        ctx.place = rank, size, len(own)
        parts = [torch.empty_like(own) for _ in range(size)]
        distributed.all_gather(parts, own.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        rank, size, n = ctx.place
        grad = grad.contiguous()
        distributed.all_reduce(grad)
        return grad[rank * n:(rank + 1) * n] * size, None, None


class _CrossEntropy(torch.autograd.Function):
    """Mean cross-entropy over logits [N, own classes] that are parts of longer rows.

    `own` [N] is the label's column here, or -1 where another process holds it.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, own: Tensor) -> Tensor:
        most = logits.max(1).values if logits.shape[1] else logits.new_full((len(own),), -math.inf)
        distributed.all_reduce(most, distributed.ReduceOp.MAX)
        e = (logits - most[:, None]).exp()
        here = own >= 0
        rows = here.nonzero()[:, 0]
        sums = torch.zeros(2, len(own), dtype=logits.dtype, device=logits.device)
        sums[0] = e.sum(1)
        sums[1, rows] = logits[rows, own[rows]] - most[rows]
        distributed.all_reduce(sums)
        ctx.save_for_backward(e.div_(sums[0][:, None]), own, rows)
        return (sums[0].log() - sums[1]).mean()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        p, own, rows = ctx.saved_tensors
        out = p.clone()
        out[rows, own[rows]] -= 1
        return out * (grad / len(own)), None


class ShardedHead(nn.Module):
    """`Head` with its classes split over the processes of `world`; needs torchrun.

    The loss that comes back is the mean over all processes' images, the same on each; the
    number of right ones is of this process's images. All processes have batches of one size.
    """

    def __init__(self, kind: str, classes: int, dim: int, world: World,
                 margin: float | None = None, scale: float | None = None) -> None:
        super().__init__()
        if world.size < 2:
            raise ValueError("--shard-head needs more than one process: start it with torchrun")
        row = KINDS[kind]
        self.target, self.classes, self.world = row.target, classes, world
        self.full_margin = row.margin if margin is None else margin
        self.margin = self.full_margin
        self.scale = row.scale if scale is None else scale
        self.rows = shares(classes, world.size)
        self.first = sum(self.rows[:world.rank])
        # Every process draws all centres, a slice at a time, as `Head` would: the same start.
        whole = torch.empty(classes, dim)
        nn.init.normal_(whole, std=1 / math.sqrt(dim))
        self.weight = nn.Parameter(self.part(whole).clone())

    def part(self, whole: Tensor) -> Tensor:
        """This process's rows of a tensor [classes, ...]."""
        return whole[self.first:self.first + self.rows[self.world.rank]]

    def whole(self, part: Tensor) -> Tensor:
        """All rows of a tensor of which each process has a part; all must call it."""
        return self.world.gather_rows(part.to(self.world.device), self.rows)

    def forward(self, embeddings: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The loss and how many of this process's images are nearest to their own centre."""
        rank, size, n = self.world.rank, self.world.size, len(labels)
        x = _Gather.apply(wide(embeddings), rank, size)
        everyone = [torch.empty_like(labels) for _ in range(size)]
        distributed.all_gather(everyone, labels)
        own = torch.cat(everyone) - self.first
        own = torch.where((own >= 0) & (own < len(self.weight)), own, -1)
        cos = functional.linear(functional.normalize(x), functional.normalize(self.weight))
        rows = (own >= 0).nonzero()[:, 0]
        right = self._right(cos.detach(), own, rows)[rank * n:(rank + 1) * n].sum()
        moved = self.target(cos[rows, own[rows]].clamp(-1, 1), self.margin, x.norm(dim=1), rows)
        logits = self.scale * cos.index_put((rows, own[rows]), moved)
        return _CrossEntropy.apply(logits, own), right

    def _right(self, cos: Tensor, own: Tensor, rows: Tensor) -> Tensor:
        """For each image of all processes: is its own centre the nearest of all?"""
        most = cos.new_full((2, len(own)), -2.0)
        if cos.shape[1]:
            most[0] = cos.max(1).values
        most[1, rows] = cos[rows, own[rows]]
        distributed.all_reduce(most, distributed.ReduceOp.MAX)
        return most[1] >= most[0]

    def clip(self, parameters: Any, limit: float) -> None:
        """Scale all gradients so that their norm, over all processes' parts, is `limit` at most."""
        others = [p.grad for p in parameters if p.grad is not None and p is not self.weight]
        square = torch.stack([g.pow(2).sum() for g in others]).sum()
        mine = self.weight.grad
        part = mine.pow(2).sum() if mine is not None else square.new_zeros(())
        distributed.all_reduce(part)
        factor = limit / ((square + part).sqrt() + 1e-6)
        for g in [*others, *([mine] if mine is not None else [])]:
            g.mul_(factor.clamp(max=1.0))
