# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""One process or many: what torchrun states, and the collective operations."""

from __future__ import annotations

import contextlib
import gc
import inspect
import os
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed


@dataclass(frozen=True)
class World:
    """This process's place: rank 0..size-1 and its device."""

    rank: int
    size: int
    device: torch.device

    @property
    def first(self) -> bool:
        """True for the process that writes and reports."""
        return self.rank == 0

    def total(self, *values: float) -> list[float]:
        """Each value summed over the processes."""
        if self.size == 1:
            return list(values)
        t = torch.tensor(values, dtype=torch.float64, device=self.device)
        distributed.all_reduce(t)
        summed: list[float] = t.tolist()
        return summed

    def gather_rows(self, own: Tensor, rows: list[int]) -> Tensor:
        """The processes' tensors [rows[r], ...] one under the other, on every process."""
        if self.size == 1:
            return own
        most = max(rows)
        padded = own.new_zeros(most, *own.shape[1:])
        padded[:len(own)] = own
        parts = [torch.empty_like(padded) for _ in rows]
        distributed.all_gather(parts, padded)
        return torch.cat([p[:n] for p, n in zip(parts, rows, strict=True)])


def place(device: str) -> torch.device:
    """The device of this name; `auto` is a GPU where there is one.

    Raises ValueError for a device that is not available.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        found = torch.device(device)
    except RuntimeError:
        raise ValueError(f"--device {device} is not one of cpu, cuda, cuda:N, auto") from None
    if found.type not in ("cpu", "cuda"):
        raise ValueError(f"--device {device} is not one of cpu, cuda, cuda:N, auto")
    if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"--device {device}: PyTorch sees no such GPU here")
    return found


def join(device: str) -> World:
    """Join the other processes where torchrun started this one; choose the device.

    Raises ValueError for a device that is not available.
    """
    local = int(os.environ.get("LOCAL_RANK", 0))
    size = int(os.environ.get("WORLD_SIZE", 1))
    own = place(device)
    if own.type == "cuda" and own.index is None:
        own = torch.device("cuda", local)
        torch.cuda.set_device(own)
    if size > 1 and not distributed.is_initialized():
        distributed.init_process_group("nccl" if own.type == "cuda" else "gloo")
    return World(distributed.get_rank() if size > 1 else 0, size, own)


def leave(together: bool = False) -> None:
    """Undo `join`; `together` first waits for the others, which may still need this process.

    A process that waits for one that failed leaves too: the failed one has printed the reason.
    """
    if distributed.is_initialized():
        if together:
            with contextlib.suppress(RuntimeError):
                distributed.barrier()
        # What still holds the group keeps its threads, which must not outlive the interpreter.
        gc.collect()
        distributed.destroy_process_group()
        gc.collect()


def wrapped(module: torch.nn.Module, world: World) -> Any:
    """The module, or its DistributedDataParallel: gradients are means over the processes."""
    if world.size == 1 or not any(p.requires_grad for p in module.parameters()):
        return module
    ids = [world.device.index] if world.device.type == "cuda" else None
    ddp = torch.nn.parallel.DistributedDataParallel
    # BatchNorm's statistics stay each process's own; rank 0's are stored. PyTorch renamed this.
    names = inspect.signature(ddp).parameters
    sync = "forward_sync_buffers" if "forward_sync_buffers" in names else "broadcast_buffers"
    return ddp(module, device_ids=ids, **{sync: False})
