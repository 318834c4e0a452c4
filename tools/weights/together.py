# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""All runs at once on one GPU: pictures drawn there and kept there, one batch for every network.

Each batch is drawn from the pictures, augmented once and given to each network in turn, so that
all sizes see the same. The number of steps is what the time allows, measured before the first one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from efm3.drawn.faces import Faces
from efm3.drawn.scene import SIDE
from efm3.train import checkpoint, parallel, runs, scoring, state
from efm3.train.config import Config
from efm3.train.loop import Trainer
from efm3.train.sampler import Batches
from tools.weights import plan

PART = 2048
"""Pictures that are drawn at a time."""
WARM, TIMED = 5, 20
"""Steps that are not timed, and steps that are: the first ones choose the GPU's algorithms."""
SAFETY = 0.97
"""Part of the time that the steps may take by that measurement."""
SAID = 15.0
"""Seconds between lines."""

Say = Callable[[str], None]


class TooSlow(ValueError):
    """The time is over before the learning rate has come down."""


class Resident:
    """Drawn pictures in a device's memory, as a source of training data."""

    skipped = 0

    def __init__(self, faces: Faces, device: torch.device, say: Say = print) -> None:
        self.facts, self.classes, self.shots = faces.describe(), faces.classes, faces.shots
        self.name = f"synth:{faces.seed}:{faces.classes}:{faces.shots}"
        count, began = len(faces), time.monotonic()
        self.pictures = torch.empty(count, 3, SIDE, SIDE, dtype=torch.uint8, device=device)
        for at in range(0, count, PART):
            rows = torch.arange(at, min(at + PART, count))
            self.pictures[at:at + PART] = faces.batch(rows)[0]
        wait(device)
        say(f"{count} pictures drawn, {count / (time.monotonic() - began):.0f} a second")

    def __len__(self) -> int:
        return len(self.pictures)

    def batch(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """The pictures of these numbers and whose they are, on the device."""
        at = torch.tensor(indices, device=self.pictures.device)
        return self.pictures[at], at // self.shots


def wait(device: torch.device) -> None:
    """Until the device has done all that it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class Together:
    """A trainer for each run, in step; `run` trains them to the end and writes their files."""

    def __init__(self, chosen: Sequence[plan.Run], source: Resident, world: parallel.World,
                 recipe: dict[str, Any], steps: int) -> None:
        self.chosen, self.source, self.world = chosen, source, world
        self.trainers = [self._trainer(run, recipe, steps) for run in chosen]
        self.lead = self.trainers[0]
        self.streams = [torch.cuda.Stream(world.device) if world.device.type == "cuda" else None
                        for _ in chosen]

    def _trainer(self, run: plan.Run, recipe: dict[str, Any], steps: int) -> Trainer:
        given = {k.replace("-", "_"): v for k, v in recipe.items()}
        device = self.world.device.type
        made = Trainer(Config(**given | {
            "data": self.source.name, "arch": run.arch, "seed": run.seed, "device": device,
            "bf16": device == "cuda", "steps": steps, "out": str(plan.folder(run, device)),
            "eval_pairs": plan.CHOICE, "held_out": plan.HELD_OUT}), self.source, self.world)
        made.net.train()
        return made

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """The inputs of all steps that are left, and whose pictures they are."""
        lead = self.lead
        order = Batches(len(self.source), lead.config.batch, plan.DATA_SEED)
        while lead.step < lead.total:
            order.start(lead.epoch, lead.step % order.steps)
            for indices in order:
                pictures, labels = self.source.batch(indices)
                yield lead.changed(pictures), labels
                if lead.step >= lead.total:
                    return

    def step(self, x: Tensor, labels: Tensor) -> None:
        """One step of each network, side by side on a GPU; the next batch is made meanwhile."""
        began = time.monotonic()
        for trainer, stream in zip(self.trainers, self.streams, strict=True):
            if stream is not None:
                stream.wait_stream(torch.cuda.current_stream())
                x.record_stream(stream)
                labels.record_stream(stream)
            with torch.cuda.stream(stream):
                trainer.learn(x, labels, began, 0.0)

    def pace(self) -> float:
        """Seconds of a step. The trainers are of no other use afterwards."""
        began = 0.0
        for n, (x, labels) in zip(range(WARM + TIMED), self.batches(), strict=False):
            if n == WARM:
                wait(self.world.device)
                began = time.monotonic()
            self.step(x, labels)
        wait(self.world.device)
        return (time.monotonic() - began) / TIMED

    def run(self, say: Say, until: float | None = None) -> None:
        """Train to the end, say how it goes, score, write. Raises TooSlow where time runs out."""
        score, lead = scoring.validator(plan.CHOICE), self.lead
        said = mark = time.monotonic()
        for x, labels in self.batches():
            self.step(x, labels)
            now = time.monotonic()
            end = lead.step == lead.total
            if lead.step % lead.per_epoch == 0 or end:
                wait(self.world.device)
                for trainer in self.trainers:
                    trainer.validate = score if end else None
                    trainer.settle()
                    trainer.partial["seconds"] = time.monotonic() - mark
                    trainer.close_epoch()
                mark = time.monotonic()
            if now - said > SAID or end:
                wait(self.world.device)
                said = now
                say(f"step {lead.step} of {lead.total}, margin {lead.head.margin:.2f}: " + ", ".join(
                    f"{run.name} {_state(t)}" for run, t in
                    zip(self.chosen, self.trainers, strict=True)))
            if until is not None and now > until and not end:
                self.write()
                raise TooSlow(f"the time is over at step {lead.step} of {lead.total}; the networks "
                              "are as they were then, not as good as they could be")
        self.write()

    def write(self) -> None:
        """What `python -m tools.weights finish` makes the files of."""
        for trainer in self.trainers:
            folder = Path(trainer.config.out)
            folder.mkdir(parents=True, exist_ok=True)
            checkpoint.save(state.finished(trainer), folder / "last.pt")
            runs.write(folder, runs.describe(trainer.config.json(), self.source, 1,
                                             self.world.device.type))


def _state(t: Trainer) -> str:
    p = t.partial
    if not p["seen"]:
        row = t.history[-1]
        return f"{row['train_acc']:.1%}" + (
            f" (pairs {row['val_acc']:.2%})" if row["val_acc"] is not None else "")
    t.settle()
    return f"loss {p['loss'] / p['seen']:.2f} acc {p['right'] / p['seen']:.1%}"


def train(chosen: Sequence[plan.Run], device: str, minutes: float | None, say: Say) -> None:
    """Draw, measure, train, write: within so many minutes. Raises TooSlow, ValueError, OSError."""
    began = time.monotonic()
    until = began + 60 * minutes if minutes else None
    world = parallel.join(device)
    torch.backends.cudnn.benchmark = True
    shape, recipe = plan.TOGETHER, plan.TOGETHER.recipe
    source = Resident(Faces(plan.DATA_SEED, 0, shape.identities, shape.shots, device=device),
                      world.device, say)
    steps = shape.pictures // int(recipe["batch"])
    if until is not None:
        pace = Together(chosen, source, world, recipe, steps).pace()
        fits = int((until - time.monotonic()) * SAFETY / pace)
        say(f"{1000 * pace:.1f} ms a step, {int(recipe['batch']) / pace:.0f} pictures a second "
            f"through all: {fits} steps fit, {steps} are wanted")
        steps = max(1, min(steps, fits))
    Together(chosen, source, world, recipe, steps).run(say, until)
