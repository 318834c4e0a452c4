# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The PyTorch network as a function that `efm3.evaluation` can score."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from efm3 import evaluation
from efm3.arrays import Floats, Pixels
from efm3.drawn.sets import pair_set
from efm3.evaluation.run import Embed
from efm3.train import checkpoint, parallel
from efm3.train.feed import scale
from efm3.train.model import MobileFaceNet

BATCH = 256


def embedder(model: MobileFaceNet) -> Embed:
    """The network, in eval mode, as a function of pictures: uint8 [N, 112, 112, 3]."""
    device = next(model.parameters()).device

    def embed(pictures: Pixels) -> Floats:
        x = torch.from_numpy(pictures).to(device).permute(0, 3, 1, 2)
        with torch.no_grad():
            return np.asarray(model.embed(scale(x)).cpu().numpy())
    return embed


def validator(words: str) -> Callable[[MobileFaceNet], float]:
    """A function that gives a model's accuracy on the pairs that `words` name.

    Pairs with a broken picture are skipped. Raises Efm3Error, OSError.
    """
    pairs = pair_set(words)
    return lambda model: evaluation.evaluate(embedder(model), pairs, skip_broken=True, batch=BATCH,
                                             threads=threads()).accuracy


def network(path: Path, device: str) -> tuple[Embed, str]:
    """The embeddings of a run folder (its best.pt, else its last.pt) or a checkpoint, and the
    device that computes them.

    Raises BadCheckpoint, OSError, ValueError for a device that is not available.
    """
    own = parallel.place(device)
    if path.is_dir():
        best = path / "best.pt"
        path = best if best.exists() else path / "last.pt"
    value = checkpoint.load(path)
    model = checkpoint.network(value, path)
    return embedder(model.to(own).eval()), str(own)


def threads() -> int:
    """As many threads as PyTorch uses, within what `evaluate` and the engine take."""
    own: int = torch.get_num_threads()
    return max(1, min(64, own))
