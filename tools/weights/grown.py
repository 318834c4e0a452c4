# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A wider network that computes what a trained narrower one does, to go on from.

The published sizes differ in nothing but their numbers of channels. Each channel of the narrow
network becomes one or several of the wide one; what reads them takes shares that sum to one (Chen
et al. 2016, Net2Net). The shares are drawn for every output by itself: copies that were read alike
would learn alike, and stay copies for ever.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from efm3.train import checkpoint, state
from efm3.train.loop import Trainer
from efm3.train.model import MobileFaceNet, Unit

LEAST = 0.5
"""A share before shares are divided by their sum is from here to LEAST + 1."""


def places(wide: int, narrow: int) -> Tensor:
    """Of each of so many channels the one that it is a copy of. Raises ValueError where there
    would be fewer than before."""
    if wide < narrow:
        raise ValueError(f"{narrow} channels cannot become {wide}")
    return torch.arange(wide) % narrow


def units(network: MobileFaceNet) -> list[Unit]:
    """Its convolutions with what follows each, in the order of computation."""
    return [m for m in network.modules() if isinstance(m, Unit)]


def widened(narrow: MobileFaceNet, wide: MobileFaceNet, seed: int) -> None:
    """Overwrite the weights of `wide` so that it computes the embeddings of `narrow`, each value
    as often as there are copies. Raises ValueError where one has other layers than the other."""
    generator = torch.Generator().manual_seed(seed)
    pairs = list(zip(units(narrow), units(wide), strict=True))
    for small, large in pairs:
        one, two = ((u.conv.kernel_size, u.conv.stride, u.conv.groups > 1, u.act is None)
                    for u in (small, large))
        if one != two:
            raise ValueError("they differ in more than their channels")
    for small, large in pairs:
        out = places(large.conv.out_channels, small.conv.out_channels)
        weight = small.conv.weight.detach()[out]
        if small.conv.groups == 1:
            weight = _shared(weight, large.conv.in_channels, generator)
        _set(large.conv.weight, weight)
        for key, value in small.bn.state_dict().items():
            _set(large.bn.state_dict()[key], value[out] if value.ndim else value)
        if small.act is not None and large.act is not None:
            _set(large.act.weight, small.act.weight.detach()[out])


def _shared(weight: Tensor, inputs: int, generator: torch.Generator) -> Tensor:
    """[O, n, k, k] as [O, inputs, k, k] of the same sums over the copies of a channel."""
    frm = places(inputs, weight.shape[1])
    share = torch.rand(len(weight), inputs, generator=generator) + LEAST
    whole = torch.zeros(len(weight), weight.shape[1]).index_add_(1, frm, share)
    return weight[:, frm] * (share / whole[:, frm])[:, :, None, None]


def _set(to: Tensor, value: Tensor) -> None:
    with torch.no_grad():
        to.copy_(value)


def begin(trainer: Trainer, path: Path) -> None:
    """Let a run that has not begun go on from the network and the centres of a finished one of the
    same identities: from its last.pt. Raises BadCheckpoint, OSError, ValueError."""
    value = checkpoint.load(path)
    if value["classes"] != trainer.source.classes or value["drawn"] != trainer.source.facts:
        raise ValueError(f"{path} has learnt from other pictures")
    narrow = checkpoint.network(value, path)
    widened(narrow, trainer.model, trainer.config.seed)
    weight = value["head"]["weight"]
    copies = places(trainer.model.arch.embedding_dim, weight.shape[1])
    _set(trainer.head.weight, weight[:, copies])
    if trainer.average:
        trainer.average.network.load_state_dict(trainer.model.state_dict())
    checkpoint.save(state.capture(trainer), Path(trainer.config.out) / "last.pt")
