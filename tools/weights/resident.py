# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Drawn pictures in a device's memory, and the augmented batches that networks get from it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import torch
from torch import Tensor

from efm3.drawn.faces import Faces
from efm3.drawn.scene import SIDE
from efm3.drawn.spec import Facts
from efm3.train import feed
from efm3.train.sampler import Batches

PART = 4096
"""Pictures that are drawn at a time."""
AHEAD = 8
"""Batches that are augmented at a time: more of them cost a GPU hardly more time than one."""
SLOTS = 2 * AHEAD
"""Batches that are kept: networks learn from one half while the other half is made."""

Say = Callable[[str], None]


class Resident:
    """Drawn pictures on a device, as a source of training data."""

    skipped = 0
    facts: Facts | None

    def __init__(self, faces: Faces, device: torch.device, say: Say) -> None:
        self.facts, self.classes, self.shots = faces.describe(), faces.classes, faces.shots
        self.name = f"synth:{faces.seed}:{faces.classes}:{faces.shots}"
        count, began = len(faces), time.monotonic()
        self.pictures = torch.empty(count, 3, SIDE, SIDE, dtype=torch.uint8, device=device)
        for at in range(0, count, PART):
            rows = torch.arange(at, min(at + PART, count))
            self.pictures[at:at + PART] = faces.batch(rows)[0]
        wait(device)
        say(f"{count} pictures drawn, {count / (time.monotonic() - began):.0f} a second")

    def __len__(self) -> int:
        return len(self.pictures)

    def batch(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """The pictures of these numbers and whose they are, on the device."""
        at = torch.tensor(indices, device=self.pictures.device)
        return self.pictures[at], at // self.shots


class Pool:
    """The inputs of SLOTS steps: `images` float32 [SLOTS, B, H, W, 3] and `labels` [SLOTS, B].

    Step s finds its own in slot s % SLOTS once `fill` has made them.
    """

    def __init__(self, source: Resident, batch: int, augment: str, seed: int) -> None:
        device = source.pictures.device
        self.source, self.seed, self.order = source, seed, Batches(len(source), batch, seed)
        self.augment = feed.augmenter(augment)
        self.images = torch.zeros(SLOTS, batch, SIDE, SIDE, 3, device=device)
        self.labels = torch.zeros(SLOTS, batch, dtype=torch.int64, device=device)
        self._step, self._numbers = 0, self._all()

    def _all(self) -> Iterator[list[int]]:
        epoch = 0
        while True:
            self.order.start(epoch)
            yield from self.order
            epoch += 1

    def fill(self) -> None:
        """Make the inputs of the next AHEAD steps."""
        device = self.images.device
        at = slice(self._step % SLOTS, self._step % SLOTS + AHEAD)
        numbers = [*islice(self._numbers, AHEAD)]
        pictures, labels = self.source.batch([n for one in numbers for n in one])
        changed = self.augment(pictures, feed.generator(device, self.seed, self._step, 0))
        self.images[at] = changed.permute(0, 2, 3, 1).view(self.images[at].shape)
        self.labels[at] = labels.view(self.labels[at].shape)
        self._step += AHEAD


def wait(device: torch.device) -> None:
    """Until the device has done all that it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
