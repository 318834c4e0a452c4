# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The state of a run at a step, and how to resume from it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Protocol

import torch

from efm3.train import checkpoint
from efm3.train.config import Config
from efm3.train.data import Data
from efm3.train.model import MobileFaceNet


class Run(Protocol):
    """What a checkpoint holds of a run; `efm3.train.loop.Trainer` is one."""

    config: Config
    source: Data
    model: MobileFaceNet
    head: Any
    """`heads.Head` or `sharded.ShardedHead`."""
    optimizer: torch.optim.Optimizer
    names: dict[Any, str]
    """Parameters to their names."""
    step: int
    partial: dict[str, float]
    """Sums over the epoch that is not finished."""
    history: list[dict[str, Any]]
    """One row per epoch."""
    best: float

    def settle(self) -> None:
        """Add to `partial` what steps left on the device."""


def capture(t: Run) -> dict[str, Any]:
    """All that a resumed run needs, on the CPU; every process must call it."""
    t.settle()
    states = checkpoint.optimizer_state(t.optimizer, t.names)
    head = {"weight": t.head.weight.detach()}
    if t.config.shard_head:
        own = states.pop("head.weight", {})
        head["weight"] = t.head.whole(head["weight"])
        states["head.weight"] = {k: v if k == "step" else t.head.whole(v).cpu()
                                 for k, v in own.items()}
    rng = {"torch": torch.get_rng_state()}
    return {"config": t.config.json(), "arch": asdict(t.model.arch),
            "classes": t.source.classes,
            "model": {k: v.detach().cpu().contiguous()
                      for k, v in t.model.state_dict().items()},
            "head": {k: v.cpu() for k, v in head.items()}, "optimizer": states,
            "step": t.step, "partial": dict(t.partial), "history": list(t.history),
            "best": t.best, "rng": rng}


def restore(t: Run, value: dict[str, Any]) -> None:
    """Resume from a checkpoint. Raises BadCheckpoint for one of another run."""
    if value["classes"] != t.source.classes:
        raise checkpoint.BadCheckpoint(f"the checkpoint has {value['classes']} classes, the "
                                       f"data {t.source.classes}")
    try:
        t.model.load_state_dict(value["model"])
        weight, states = value["head"]["weight"], dict(value["optimizer"])
        if t.config.shard_head:
            weight = t.head.part(weight)
            states["head.weight"] = {k: v if k == "step" else t.head.part(v)
                                     for k, v in states.get("head.weight", {}).items()}
        with torch.no_grad():
            t.head.weight.copy_(weight)
    except (RuntimeError, KeyError, TypeError) as e:
        said = " ".join(str(e).split())[:200]
        raise checkpoint.BadCheckpoint(f"the checkpoint does not fit: {said}") from None
    checkpoint.load_optimizer(t.optimizer, t.names, states)
    t.step, t.best = value["step"], value["best"]
    t.partial, t.history = dict(value["partial"]), list(value["history"])
    torch.set_rng_state(value["rng"]["torch"])
