# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""All runs at once on one GPU: each batch is made once and learnt by every network.

The number of steps is what the time allows, measured before the first one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from efm3.drawn.faces import Faces
from efm3.train import checkpoint, parallel, runs, scoring, state
from efm3.train.config import Config
from efm3.train.loop import Diverged, Trainer
from tools.weights import plan
from tools.weights.captured import Captured
from tools.weights.resident import AHEAD, Pool, Resident, Say, wait

WARM, TIMED = 2, 3
"""AHEAD steps each: those that are not timed, and those that are."""
SAFETY = 0.97
"""Part of the time that the steps may take by that measurement."""
SAID = 15.0
"""Seconds between lines."""
TRIED = 4
"""How many algorithms of a convolution a GPU may try: more cost minutes and gain little."""


class TooSlow(ValueError):
    """The time is over before the learning rate has come down."""


class Together:
    """A trainer for each run, in step; `run` trains them to the end and writes their files."""

    def __init__(self, chosen: Sequence[plan.Run], source: Resident, world: parallel.World,
                 recipe: dict[str, Any], steps: int) -> None:
        self.source, self.world = source, world
        self.pool = Pool(source, int(recipe["batch"]), str(recipe["augment"]), plan.DATA_SEED)
        self.all = {run: Captured(self._trainer(run, recipe, steps), self.pool) for run in chosen}
        self.lost: list[plan.Run] = []
        """Runs whose loss stopped being a number."""

    @property
    def lead(self) -> Trainer:
        """One that has done all that all have done. Raises Diverged where none is left."""
        if not self.all:
            raise Diverged("no network's loss is a number any more: try a lower lr")
        return next(iter(self.all.values())).trainer

    def _trainer(self, run: plan.Run, recipe: dict[str, Any], steps: int) -> Trainer:
        given = {k.replace("-", "_"): v for k, v in recipe.items()}
        device = self.world.device.type
        made = Trainer(Config(**given | {
            "data": self.source.name, "arch": run.arch, "seed": run.seed, "device": device,
            "bf16": device == "cuda", "steps": steps, "out": str(plan.folder(run, device)),
            "eval_pairs": plan.CHOICE, "held_out": plan.HELD_OUT}), self.source, self.world)
        made.net.train()
        return made

    def step(self, steps: int) -> None:
        """The next steps of each network, side by side on a GPU, at most AHEAD."""
        for one in self.all.values():
            one.release()
        self.pool.fill()
        for one in self.all.values():
            one.learn(steps)

    def pace(self) -> float:
        """Seconds of a step. The trainers are of no other use afterwards."""
        began = 0.0
        for n in range(WARM + TIMED):
            if n == WARM:
                wait(self.world.device)
                began = time.monotonic()
            self.step(AHEAD)
        wait(self.world.device)
        return (time.monotonic() - began) / TIMED / AHEAD

    def run(self, say: Say, until: float | None = None) -> None:
        """Train to the end, say how it goes, score, write. Raises TooSlow where time runs out."""
        said = self.mark = time.monotonic()
        done, total, epochs = 0, self.lead.total, 0
        while done < total:
            self.step(min(AHEAD, total - done))
            done, now = self.lead.step, time.monotonic()
            late = until is not None and now > until and done < total
            if self.lead.epoch > epochs and done < total and not late:
                epochs = self.lead.epoch
                self._close(say)
            elif now - said > SAID:
                said = now
                self._settle(say)
                self._tell(say)
            if late:
                self._close(say)
                self.write()
                raise TooSlow(f"the time is over at step {done} of {total}; the networks are as "
                              "they were then, not as good as they could be")
        self._close(say, scoring.validator(plan.CHOICE))
        self._tell(say)
        self.write()

    def _settle(self, say: Say) -> None:
        for run, one in [*self.all.items()]:
            try:
                one.settle()
            except Diverged as e:
                # The others go on: hours may lie behind them.
                say(f"{run.name}: {e}; it is given up")
                self.lost.append(run)
                del self.all[run]

    def _close(self, say: Say, score: Any = None) -> None:
        """End an epoch, or what was done of one."""
        self._settle(say)
        for one in self.all.values():
            one.trainer.validate = score
            one.trainer.partial["seconds"] = time.monotonic() - self.mark
            one.trainer.close_epoch()
        self.mark = time.monotonic()

    def _tell(self, say: Say) -> None:
        lead = self.lead
        say(f"step {lead.step} of {lead.total}, margin {float(lead.head.margin):.2f}: "
            + ", ".join(f"{run.name} {_state(one.trainer)}" for run, one in self.all.items()))

    def write(self) -> None:
        """What `python -m tools.weights finish` makes the files of."""
        for one in self.all.values():
            trainer = one.trainer
            folder = Path(trainer.config.out)
            folder.mkdir(parents=True, exist_ok=True)
            checkpoint.save(state.finished(trainer), folder / "last.pt")
            runs.write(folder, runs.describe(trainer.config.json(), self.source, 1,
                                             self.world.device.type))


def _state(t: Trainer) -> str:
    p = t.partial
    if p["seen"]:
        return f"loss {p['loss'] / p['seen']:.2f} acc {p['right'] / p['seen']:.1%}"
    row = t.history[-1]
    return f"{row['train_acc']:.1%}" + (
        f" (pairs {row['val_acc']:.2%})" if row["val_acc"] is not None else "")


def train(chosen: Sequence[plan.Run], device: str, minutes: float | None, say: Say) -> None:
    """Draw, measure, train, write: within so many minutes. Raises TooSlow, ValueError, OSError."""
    began = time.monotonic()
    until = began + 60 * minutes if minutes else None
    world = parallel.join(device)
    torch.backends.cudnn.benchmark, torch.backends.cudnn.benchmark_limit = True, TRIED
    shape, recipe = plan.TOGETHER, plan.TOGETHER.recipe
    faces = Faces(plan.DATA_SEED, 0, shape.identities, shape.shots, device=device)
    source = Resident(faces, world.device, say)
    batch = int(str(recipe["batch"]))
    steps = shape.pictures // batch
    if until is not None:
        pace = Together(chosen, source, world, recipe, steps).pace()
        fits = int((until - time.monotonic()) * SAFETY / pace)
        say(f"{1000 * pace:.1f} ms a step, {batch / pace:.0f} pictures a second through all: "
            f"{fits} steps fit, {steps} are wanted")
        steps = max(1, min(steps, fits))
    Together(chosen, source, world, recipe, steps).run(say, until)
