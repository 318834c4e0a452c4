# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Everything a run is told, in one record: options, config.json and checkpoints all hold it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

FREE = ("out", "threads", "workers", "max_minutes", "log_every", "save_every", "compile",
        "channels_last", "device", "eval_pairs", "data")
"""What may differ after a resume: it says where and how fast, not what is computed."""


@dataclass(frozen=True)
class Config:
    """Options of a run; lengths in epochs, `batch` in images a process."""

    data: str
    out: str
    arch: str = "nano"
    head: str = "arcface"
    margin: float | None = None
    scale: float | None = None
    margin_warmup: float = 0.0
    epochs: int = 20
    steps: int = 0
    batch: int = 128
    lr: float = 1e-3
    warmup: float = 1.0
    decay: float = 0.05
    clip: float = 5.0
    seed: int = 1
    augment: bool = True
    bf16: bool = False
    channels_last: bool = True
    compile: bool = False
    shard_head: bool = False
    sync_bn: bool = False
    device: str = "auto"
    threads: int = 0
    workers: int = 0
    max_minutes: float = 0.0
    log_every: int = 50
    save_every: float = 5.0
    eval_pairs: str = ""
    licence: str = "Apache-2.0"
    note: str = ""

    def json(self) -> dict[str, Any]:
        """The record as a JSON object."""
        return asdict(self)

    def resumed(self, stored: dict[str, Any], given: dict[str, Any]) -> Config:
        """The stored options with the free ones of this call; `given` holds what was said.

        Raises ValueError where something else was given another value than it had.
        """
        names = {f.name for f in fields(self)}
        for name, value in given.items():
            if name not in FREE and stored.get(name) != value:
                raise ValueError(f"--{name.replace('_', '-')} is {value}, the checkpoint was made "
                                 f"with {stored.get(name)}: leave it out, or begin a new run")
        kept = {k: v for k, v in stored.items() if k in names and k not in FREE}
        free = {k: getattr(self, k) if k in given else stored.get(k, getattr(self, k))
                for k in FREE if k != "out"}
        return Config(out=self.out, **kept, **free)
