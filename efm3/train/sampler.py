# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Which images a batch holds: a function of seed, epoch, batch number and rank alone.

PyTorch draws the order, and is imported only for that.
"""

from __future__ import annotations

from collections.abc import Iterator

from efm3.arithmetic import STEP, splitmix


class Batches:
    """Batches of indices for one rank, from the middle of an epoch too.

    Every epoch has its own shuffle of all `count` images. A step takes `batch` of them for
    each of `world` ranks; images left over, less than a step, wait for the next epoch's shuffle.
    """

    def __init__(self, count: int, batch: int, seed: int, rank: int = 0, world: int = 1) -> None:
        if count < batch * world:
            raise ValueError(f"{count} images fill no step of {batch * world}")
        self.count, self.batch, self.seed, self.rank, self.world = count, batch, seed, rank, world
        self.epoch = self.first = 0

    @property
    def steps(self) -> int:
        """Steps in an epoch."""
        return self.count // (self.batch * self.world)

    def start(self, epoch: int, first: int = 0) -> None:
        """The next iteration gives the batches of `epoch` from number `first` on."""
        self.epoch, self.first = epoch, first

    def __len__(self) -> int:
        return self.steps - self.first

    def __iter__(self) -> Iterator[list[int]]:
        import torch

        g = torch.Generator().manual_seed(mix(self.seed, self.epoch))
        order = torch.randperm(self.count, generator=g)
        for step in range(self.first, self.steps):
            at = (step * self.world + self.rank) * self.batch
            yield order[at:at + self.batch].tolist()


def mix(*numbers: int) -> int:
    """One 63-bit seed from several numbers (SplitMix64's last step, chained)."""
    z = 0
    for n in numbers:
        z = splitmix((z + n + STEP) & 0xFFFFFFFFFFFFFFFF)
    return z >> 1
