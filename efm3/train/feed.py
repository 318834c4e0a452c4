# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""From a data source to batches on the device, changed and scaled."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from efm3 import format as fmt
from efm3.arithmetic import pixels_scaled
from efm3.train.data import Data, collate
from efm3.train.sampler import Batches, mix

Augment = Callable[[Tensor, torch.Generator], Tensor]
FAR = 1_000_000


def scale(images: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """uint8 [B, 3, H, W] to the engine's input, (x - 127.5) / 128; nothing else."""
    scaled: Tensor = pixels_scaled(images.float())
    return scaled


def augmenter(strength: str) -> Augment:
    """The augmentations of a strength that `augment.RECIPES` names; of none only scaling."""
    if strength == "none":
        return scale
    from efm3.train.augment import RECIPES, augment

    recipe = RECIPES[strength]()
    return lambda images, generator: augment(images, generator, recipe)


def check(images: Tensor, labels: Tensor, source: Data) -> None:
    """Raises ValueError for a batch that is not uint8 [B, 3, 112, 112] and B labels."""
    side = fmt.INPUT_SIDE
    if images.dtype != torch.uint8 or images.shape != (len(labels), 3, side, side):
        raise ValueError(f"{source.name} gives {images.dtype} {list(images.shape)} and "
                         f"{len(labels)} labels, expected torch.uint8 "
                         f"[{len(labels)}, 3, {side}, {side}]")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= source.classes:
        raise ValueError(f"{source.name}: labels reach from {low} to {high}, it states "
                         f"{source.classes} classes")


def _ignore_interrupt(worker: int) -> None:
    """Ctrl-C reaches the workers too, but only the training process handles it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def loader(source: Any, batches: Batches, workers: int, pin: bool) -> Iterator[Any]:
    """(uint8 [B, 3, 112, 112], int64 [B]) of the epoch's rest; uses no global generator.

    A stream that ends before its epoch does (corrupt samples are not counted) continues in the
    order of an epoch with a far higher number.
    """
    own = torch.Generator().manual_seed(mix(batches.seed, batches.epoch, 1))
    more: dict[str, Any] = {"prefetch_factor": 4} if workers else {}
    more |= {"num_workers": workers, "worker_init_fn": _ignore_interrupt if workers else None,
             "collate_fn": collate, "pin_memory": pin, "generator": own}
    if not isinstance(source, IterableDataset):
        yield from DataLoader(source, batch_sampler=batches, **more)
        return
    left, epoch, done = len(batches), batches.epoch, batches.first
    while left:
        before = left
        source.set_epoch(epoch, done, batches.batch)
        for batch in DataLoader(source, batch_size=batches.batch, drop_last=True, **more):
            yield batch
            left -= 1
            if not left:
                return
        if left == before and not done:
            raise ValueError(f"{source.name} does not give one batch of {batches.batch} images "
                             "to each worker of each process")
        epoch, done = epoch + FAR, 0


def generator(device: torch.device, seed: int, step: int, rank: int) -> torch.Generator:
    """Random numbers of one step of one rank: the same whether the run was resumed or not."""
    return torch.Generator(device).manual_seed(mix(seed, step, rank, 2))
