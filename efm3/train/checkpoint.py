# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: plain tensors, numbers and texts, written atomically.

`model` holds the state_dict in the original project's naming, so that `efm3 convert`
and the original's programs read the file. The optimiser's state is kept by parameter name.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import torch

from efm3.arch import ARCHS
from efm3.source import write_atomic
from efm3.train.model import MobileFaceNet

VERSION = 1
KEYS = ("version", "config", "model", "head", "optimizer", "step", "partial", "history", "best",
        "rng", "classes", "arch")


class BadCheckpoint(ValueError):
    """The file is not a checkpoint of `efm3 train`, or not one of this run."""


def save(value: dict[str, Any], *paths: Path) -> None:
    """Write `value` to each path: atomically, synced to the disk. Raises OSError."""
    buffer = io.BytesIO()
    torch.save({"version": VERSION, **value}, buffer)
    for path in paths:
        write_atomic(path, [buffer.getbuffer()])


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint without running anything in it. Raises BadCheckpoint, OSError."""
    try:
        value = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as e:
        # PyTorch raises nearly every kind of exception on a file that is not a checkpoint.
        kind = "damaged" if zipfile.is_zipfile(path) else "not a checkpoint"
        said = (str(e).splitlines() or ["it is empty"])[0][:120]
        raise BadCheckpoint(f"{path} is {kind}: {said}") from None
    missing = [k for k in KEYS if not isinstance(value, dict) or k not in value]
    if missing:
        raise BadCheckpoint(f"{path} is not a checkpoint to resume from: it lacks {missing[0]}")
    if value["version"] != VERSION:
        raise BadCheckpoint(f"{path} has version {value['version']}, expected {VERSION}")
    found: dict[str, Any] = value
    return found


def network(value: dict[str, Any], path: Path) -> MobileFaceNet:
    """The network of a checkpoint that `load` read from `path`. Raises BadCheckpoint."""
    try:
        model = MobileFaceNet(ARCHS[value["config"]["arch"]])
        model.load_state_dict(value["model"])
    except (KeyError, TypeError, AttributeError, RuntimeError) as e:
        said = " ".join(str(e).split())[:200]
        raise BadCheckpoint(f"{path} does not fit: {said}") from None
    return model


def optimizer_state(optimizer: torch.optim.Optimizer, names: dict[Any, str]) -> dict[str, Any]:
    """The optimiser's state by parameter name; `names` maps parameters to names."""
    return {names[p]: {k: v.detach().cpu() for k, v in s.items()}
            for p, s in optimizer.state.items()}


def load_optimizer(optimizer: torch.optim.Optimizer, names: dict[Any, str],
                   state: dict[str, Any]) -> None:
    """The reverse. Raises BadCheckpoint where a state does not fit its parameter."""
    for p, name in names.items():
        own = state.get(name)
        if own is None:
            continue
        for key, value in own.items():
            if key != "step" and value.shape != p.shape:
                raise BadCheckpoint(f"optimizer {name} has shape {list(value.shape)}, expected "
                                    f"{list(p.shape)}")
        # The fused optimiser needs its step counter on the parameter's device.
        optimizer.state[p] = {k: v.to(p.device, copy=True).contiguous() if k == "step" else
                              torch.empty_like(p, dtype=v.dtype).copy_(v)
                              for k, v in own.items()}
