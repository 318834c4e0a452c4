# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""From a data source to batches on the device, changed and scaled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from .sampler import Batches, mix

Augment = Callable[[Tensor, torch.Generator], Tensor]


def scale(images: Tensor, generator: torch.Generator) -> Tensor:
    """uint8 [B, 3, H, W] to the engine's input, (x - 127.5) / 128; nothing else."""
    return (images.float() - 127.5) / 128


def augmenter(wanted: bool) -> Augment:
    """The field's augmentations, or only scaling."""
    if not wanted:
        return scale
    from .augment import Recipe, augment

    recipe = Recipe()
    return lambda images, generator: augment(images, generator, recipe)


def collate(batch: Any) -> tuple[Tensor, Tensor]:
    """A batch as it is, or a list of (image, label) stacked."""
    if isinstance(batch, tuple) and isinstance(batch[0], Tensor):
        return batch
    images, labels = zip(*batch, strict=True)
    return torch.stack(images), torch.as_tensor(labels, dtype=torch.int64)


def loader(source: Any, batches: Batches, workers: int, pin: bool) -> DataLoader[Any]:
    """A DataLoader of (uint8 [B, 3, 112, 112], int64 [B]) that draws on no global generator."""
    own = torch.Generator().manual_seed(mix(batches.seed, batches.epoch, 1))
    more: dict[str, Any] = {"prefetch_factor": 4} if workers else {}
    return DataLoader(source, batch_sampler=batches, num_workers=workers, collate_fn=collate,
                      pin_memory=pin, generator=own, **more)


def generator(device: torch.device, seed: int, step: int, rank: int) -> torch.Generator:
    """Random numbers of one step of one rank: the same whether the run was resumed or not."""
    return torch.Generator(device).manual_seed(mix(seed, step, rank, 2))
