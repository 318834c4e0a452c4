# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The state of a run at a step, and how to resume from it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Protocol

import torch

from efm3.drawn.spec import is_spec
from efm3.train import checkpoint
from efm3.train.average import Average
from efm3.train.config import Config
from efm3.train.data import Data
from efm3.train.model import MobileFaceNet
from efm3.train.teacher import Teacher


class Run(Protocol):
    """What a checkpoint holds of a run; `efm3.train.loop.Trainer` is one."""

    config: Config
    source: Data
    model: MobileFaceNet
    head: Any
    """`heads.Head` or `sharded.ShardedHead`."""
    average: Average | None
    teacher: Teacher | None
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
    # `model` is what a run has made, for whoever reads it; `raw` is what it goes on from where that
    # is another. It is a list, in the same order: a reader finds one network in the file, not two.
    networks: dict[str, Any] = {"model": _plain(t.model)}
    if t.average:
        networks = {"model": _plain(t.average.network), "raw": [*networks["model"].values()]}
    return {"config": t.config.json(), "arch": asdict(t.model.arch),
            "classes": t.source.classes, "drawn": t.source.facts,
            "teacher": t.teacher.json() if t.teacher else None, **networks,
            "head": {k: v.cpu() for k, v in head.items()}, "optimizer": states,
            "step": t.step, "partial": dict(t.partial), "history": list(t.history),
            "best": t.best, "rng": rng}


def finished(t: Run) -> dict[str, Any]:
    """What the file of a finished run is made of: a checkpoint that nothing can go on from."""
    t.settle()
    made = t.average.network if t.average else t.model
    return {"config": t.config.json(), "arch": asdict(t.model.arch), "classes": t.source.classes,
            "drawn": t.source.facts, "teacher": t.teacher.json() if t.teacher else None,
            "model": _plain(made), "head": {}, "optimizer": {}, "step": t.step,
            "partial": dict(t.partial), "history": list(t.history), "best": t.best, "rng": {}}


def raw(value: dict[str, Any]) -> dict[str, Any]:
    """The network that a run with an average goes on from. Raises KeyError, TypeError, ValueError
    for a checkpoint that has none."""
    return dict(zip(value["model"], value["raw"], strict=True))


def _plain(network: MobileFaceNet) -> dict[str, Any]:
    return {k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}


FACTS = ("format", "seed", "first", "classes", "shots", "spread", "setting", "kind")
"""What makes drawn pictures these and no others."""


def _same_pictures(t: Run, value: dict[str, Any]) -> None:
    """Raises BadCheckpoint where the checkpoint was made with other drawn pictures.

    One from before checkpoints held these facts has none, and a fact that only one side knows
    says nothing.
    """
    was, now = value.get("drawn"), t.source.facts
    if not isinstance(was, dict) or not now:
        return
    who = "this program draws" if is_spec(t.config.data) else "the data are of"
    for key in FACTS:
        if key in was and key in now and was[key] != now[key]:
            raise checkpoint.BadCheckpoint(f"the checkpoint was made with pictures of {key} "
                                           f"{was[key]}, {who} {key} {now[key]}")


def _same_teacher(t: Run, value: dict[str, Any]) -> None:
    """Raises BadCheckpoint where the checkpoint learnt from another network."""
    was, now = value.get("teacher"), t.teacher.json() if t.teacher else None
    one, two = (v["sha256"] if isinstance(v, dict) and "sha256" in v else "none"
                for v in (was, now))
    if one != two:
        raise checkpoint.BadCheckpoint(f"--teacher has the SHA-256 {two[:16]}, that of the "
                                       f"checkpoint {one[:16]}")


def restore(t: Run, value: dict[str, Any]) -> None:
    """Resume from a checkpoint. Raises BadCheckpoint for one of another run."""
    _same_pictures(t, value)
    if value["classes"] != t.source.classes:
        raise checkpoint.BadCheckpoint(f"the checkpoint has {value['classes']} classes, the "
                                       f"data {t.source.classes}")
    _same_teacher(t, value)
    try:
        if t.average:
            t.average.network.load_state_dict(value["model"])
        t.model.load_state_dict(raw(value) if t.average else value["model"])
        weight, states = value["head"]["weight"], dict(value["optimizer"])
        if t.config.shard_head:
            weight = t.head.part(weight)
            states["head.weight"] = {k: v if k == "step" else t.head.part(v)
                                     for k, v in states.get("head.weight", {}).items()}
        with torch.no_grad():
            t.head.weight.copy_(weight)
    except (RuntimeError, KeyError, TypeError, ValueError) as e:
        said = " ".join(str(e).split())[:200]
        raise checkpoint.BadCheckpoint(f"the checkpoint does not fit: {said}") from None
    checkpoint.load_optimizer(t.optimizer, t.names, states)
    t.step, t.best = value["step"], value["best"]
    t.partial, t.history = dict(value["partial"]), list(value["history"])
    torch.set_rng_state(value["rng"]["torch"])
