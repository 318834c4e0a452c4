# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Distillation: a trained network whose view of a batch the trained one takes over."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from efm3.convert._original import KEYS, modules
from efm3.drawn.spec import Facts
from efm3.findings import Efm3Error
from efm3.model import Model, load
from efm3.network import tensor_layout
from efm3.source import read
from efm3.train import checkpoint
from efm3.train.heads import wide
from efm3.train.model import MobileFaceNet


def relations(student: Tensor, teacher: Tensor) -> Tensor:
    """The relational loss of two networks' embeddings [B, D] and [B, E] of the same pictures.

    With S and T the matrices of cosine similarities of all pairs of the batch it is the mean of
    (S_ij - T_ij)² over i ≠ j; 0 for one picture. D and E need not be equal.
    """
    n = len(student)
    if n < 2:
        return wide(student).sum() * 0
    one, two = (functional.normalize(wide(x)) for x in (student, teacher))
    # The diagonal of both is 1, but for rounding.
    off = 1 - torch.eye(n, dtype=one.dtype, device=one.device)
    return ((one @ one.T - two @ two.T) * off).pow(2).sum() / (n * (n - 1))


@dataclass(frozen=True)
class Teacher:
    """A network in eval mode, the SHA-256 of its file, and what drawn pictures it learnt from."""

    network: MobileFaceNet
    sha256: str
    drawn: Facts | None

    @classmethod
    def open(cls, path: str, device: torch.device) -> Teacher:
        """From an EFM3 file or a checkpoint of `efm3 train`. Raises BadCheckpoint, OSError."""
        if zipfile.is_zipfile(path):
            data = Path(path).read_bytes()
            network, drawn = _of_checkpoint(Path(path))
        else:
            data = bytes(read(path))
            try:
                network, drawn = _of_model(load(data)), None
            except Efm3Error as e:
                raise checkpoint.BadCheckpoint(f"--teacher {path}: {e}") from None
        network = network.to(device).eval().requires_grad_(False)
        return cls(network, hashlib.sha256(data).hexdigest(), drawn)

    def json(self) -> dict[str, Any]:
        """What run, checkpoint and file keep of it."""
        return {"sha256": self.sha256, "drawn": self.drawn}


def _of_checkpoint(path: Path) -> tuple[MobileFaceNet, Facts | None]:
    value = checkpoint.load(path)
    network = checkpoint.network(value, path)
    drawn = value.get("drawn")
    return network, drawn if isinstance(drawn, dict) else None


def _of_model(model: Model) -> MobileFaceNet:
    """The reverse of `efm3.train.model.tensors`."""
    network = MobileFaceNet(model.arch)
    state, names = network.state_dict(), modules(model.arch)
    for name, _ in tensor_layout(model.arch):
        layer, part, end = name.rsplit(".", 2)
        own = state[f"{names[layer]}.{KEYS[f'{part}.{end}']}"]
        own.copy_(torch.from_numpy(model.tensors[name].copy()).view_as(own))
    return network
