# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""One session of a run: from options, or a checkpoint, to the finished file or the next checkpoint.

It reports on stderr and returns the outcome; the command `efm3 train` turns that into
output and an exit code.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch

from efm3.drawn import sets
from efm3.engine import EngineMissing
from efm3.findings import Efm3Error, Finding
from efm3.train import (
    checkpoint,
    export,
    memory,
    parallel,
    passes,
    runs,
    scoring,
    state,
    story,
)
from efm3.train.config import Config
from efm3.train.data import Data, open_data
from efm3.train.logs import Log
from efm3.train.loop import Diverged, Trainer
from efm3.train.model import MobileFaceNet
from efm3.train.teacher import Teacher


class Outcome(NamedTuple):
    """The outcome of a session. `file` is the result, None where it was stopped before the end.

    `first` is true for the process that reports, of several that torchrun started.
    """

    first: bool
    run: str
    file: str | None
    sha256: str | None
    steps: int
    epochs: float
    scores: dict[str, Any]
    max_error: float | None
    stopped: str | None

    def to_json(self) -> dict[str, Any]:
        """The outcome as a JSON object; every key is always there."""
        return {k: v for k, v in self._asdict().items() if k != "first"}


def start(given: dict[str, Any], resume: bool) -> Outcome:
    """Train with the options `given`, or from the folder's checkpoint; leaves the process group.

    Raises what `reason` explains, Efm3Error and OSError.
    """
    last = Path(given["out"]) / "last.pt"
    try:
        stored = checkpoint.load(last) if resume and last.exists() else None
        config = Config(**given)
        if stored:
            config = config.resumed(stored["config"], given)
        done = train(config, stored)
        parallel.leave(together=True)
        return done
    finally:
        parallel.leave()


def reason(e: Exception) -> str | None:
    """Why a session failed, in one line, where that is not a bug of this program; else None.

    Efm3Error and OSError have clear messages and are left to the command.
    """
    if isinstance(e, Efm3Error) and isinstance(e.finding, Finding):
        return None
    if type(e).__module__.startswith(("torch._dynamo", "torch._inductor")):
        # Most often there is no compiler; the rest of the text is advice on debugging PyTorch.
        return f"--compile: {str(e).strip().splitlines()[0]}"
    known = (ValueError, MemoryError, ImportError, Diverged, EngineMissing, export.NotVerified,
             torch.OutOfMemoryError)
    # What fails in a loader's worker arrives as text, with the worker's traceback in it.
    if isinstance(e, known) or "DataLoader worker" in str(e):
        lines = str(e).strip().splitlines() or ["not enough memory"]
        return lines[-1].removeprefix("efm3.findings.Efm3Error: ")
    return None


def train(config: Config, stored: dict[str, Any] | None) -> Outcome:
    """Train, and at the end export and verify."""
    if config.threads:
        torch.set_num_threads(config.threads)
    world = parallel.join(config.device)
    if world.device.type == "cpu":
        memory.keep()
    compiled = (world.device.type == "cpu" and torch.get_num_threads() == 1 and passes.build())
    source = _open(config.data)
    teacher = Teacher.open(config.teacher, world.device) if config.teacher else None
    run = runs.describe(config.json(), source, world.size, world.device.type)
    run["teacher"] = teacher.json() if teacher else None
    run["machine"]["compiled_passes"] = compiled
    validate = None
    if world.first:
        validate = _pairs(config, run)
    folder = Path(config.out)
    folder.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(config, source, world, validate=validate, teacher=teacher)
    log = trainer.log = Log(folder, world.first, trainer.total)
    if stored:
        state.restore(trainer, stored)
        log.say(f"resuming from step {trainer.step}")
    if world.first:
        runs.write(folder, run)
    log.say(f"{config.arch}, {config.head}: {len(source)} images of {source.classes} identities, "
            f"{trainer.per_epoch} steps per epoch, {trainer.total} in all")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda n, _: setattr(trainer, "stop", signal.Signals(n).name))
    try:
        done = trainer.run()
    finally:
        log.close()
    log.curves()
    if source.skipped:
        log.say(f"{source.skipped} corrupt images were replaced")
    epochs = round(trainer.step / trainer.per_epoch, 3)
    reached = Outcome(world.first, str(folder), None, None, trainer.step, epochs, {}, None, None)
    if not done:
        log.say(f"stopped ({trainer.stop}) at step {trainer.step} of {trainer.total}; "
                "--resume continues")
        return reached._replace(stopped=trainer.stop)
    if not world.first:
        return reached
    target = folder / f"facex_{config.arch}.bin"
    made = export.export(folder / "last.pt", target, run)
    log.say(f"{target}: verified against last.pt, max_err = {made.max_error:.2e}")
    return reached._replace(file=str(target), sha256=made.sha256, scores=made.meta["scores"],
                            max_error=made.max_error)


def _open(words: str) -> Data:
    return open_data(words)


def _pairs(config: Config, run: dict[str, Any]) -> Callable[[MobileFaceNet], float] | None:
    """The accuracy on --eval-pairs as a function of the network; --held-out is only checked.

    What is wrong with either is found now and not after the training.
    Raises ValueError for held-out pairs of identities that are trained on.
    """
    for words in story.held_out_sets(config.held_out) if config.held_out else ():
        sets.check(words)
        if seen := story.shared(run, words):
            raise ValueError(f"--held-out {words}: {seen} of its identities are trained "
                             "on; choose others (--first, or the fourth number of synth:)")
    return scoring.validator(config.eval_pairs) if config.eval_pairs else None
