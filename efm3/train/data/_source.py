# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The common base of all readers of training data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from efm3.drawn.spec import Facts
from efm3.findings import refuse
from efm3.pictures import BadPicture, decode

SIDE = 112
BAD_IN_A_ROW = 1000
"""After this many corrupt pictures in a row the source as a whole counts as broken."""
MAX_BYTES = 1 << 26
"""An encoded picture of more bytes counts as corrupt."""

MAX_WORKERS = 255

Sample = tuple[torch.Tensor, int]
Batch = tuple[torch.Tensor, torch.Tensor]


class Data(Protocol):
    """The interface of every data source."""

    name: str
    classes: int
    facts: Facts | None

    @property
    def skipped(self) -> int:
        """How many corrupt samples were replaced."""

    def __len__(self) -> int:
        """How many samples an epoch has."""


class Corrupt(ValueError):
    """One sample cannot be read; the source continues with the next."""


def tensor_of(data: bytes, side: int) -> torch.Tensor:
    """An encoded picture as uint8 [3, side, side] RGB, scaled where needed. Raises Corrupt."""
    if len(data) > MAX_BYTES:
        raise Corrupt(f"{len(data)} bytes")
    try:
        pixels = decode(data, resize=True, side=side)
    except BadPicture as e:
        raise Corrupt(e.finding.message) from None
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))


def collate(batch: Any) -> Batch:
    """For a DataLoader: a batch of `fetch` is passed on, a list of samples is stacked."""
    if isinstance(batch, tuple) and isinstance(batch[0], torch.Tensor):
        made: Batch = batch
        return made
    pictures, labels = zip(*batch, strict=True)
    return torch.stack(pictures), torch.tensor(labels, dtype=torch.int64)


class _Counting:
    """`classes`, `name`, and the count of corrupt samples, one for all workers.

    `facts` is what `efm3 draw` was asked for, where it drew the pictures.
    """

    classes: int
    name: str
    facts: Facts | None = None

    def __init__(self, name: str, classes: int) -> None:
        self.name, self.classes = name, classes
        # This process and each worker count in separate places, so that no count is lost.
        self._skips = torch.zeros(MAX_WORKERS + 1, dtype=torch.int64).share_memory_()

    @property
    def skipped(self) -> int:
        """How often a corrupt sample was met, in this process and in its workers."""
        return int(self._skips.sum())

    def _skip(self) -> None:
        worker = get_worker_info()
        self._skips[worker.id % MAX_WORKERS + 1 if worker else 0] += 1


class Source(_Counting, Dataset):
    """Pictures with identities, by index: uint8 [3, side, side] RGB and a label 0..classes-1.

    A corrupt picture is counted and replaced by the next good one.
    """

    def __len__(self) -> int:
        raise NotImplementedError

    def load(self, index: int) -> Sample:
        """Sample `index`. Raises Corrupt."""
        raise NotImplementedError

    def __getitem__(self, index: int) -> Sample:
        """Sample `index`, or the next good one. Raises IndexError, and Efm3Error F025."""
        n = len(self)
        if not -n <= index < n:
            raise IndexError(f"sample {index} of {n}")
        why = ""
        for step in range(min(n, BAD_IN_A_ROW)):
            try:
                return self.load((int(index) + step) % n)
            except Corrupt as e:
                why = str(e)
                self._skip()
        refuse("F025", path=self.name,
               found=f"{min(n, BAD_IN_A_ROW)} samples from number {index} on are corrupt, the "
                     f"last: {why}",
               expected="pictures that can be decoded")

    def fetch(self, indices: Sequence[int]) -> Batch:
        """A batch: uint8 [B, 3, side, side] and int64 [B]."""
        return collate([self[int(i)] for i in indices])

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """What a DataLoader calls; give it `collate_fn=collate`."""
        return self.fetch(indices)


class Stream(_Counting, IterableDataset):
    """Samples one after the other. `set_epoch` alone determines their order."""

    epoch, done, batch = 0, 0, 1

    def set_epoch(self, epoch: int, done: int = 0, batch: int = 1) -> None:
        """Call before a DataLoader's iterator is made.

        To resume inside an epoch: the first `done` batches of `batch` samples of this rank are
        skipped. They are decoded for that, since corrupt samples do not count.
        """
        self.epoch, self.done, self.batch = epoch, done, batch

    def passed_over(self, worker: int, workers: int) -> int:
        """Samples of a worker that a resumed run has had: a loader takes turns batch by batch."""
        return (self.done + workers - 1 - worker) // workers * self.batch
