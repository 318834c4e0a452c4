# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The command: options in, a run folder with a verified file out."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from efm3 import ARCHS
from efm3.engine import EngineMissing
from efm3.findings import Efm3Error
from efm3.train import checkpoint, export, memory, parallel, runs, state
from efm3.train.config import Config
from efm3.train.heads import KINDS
from efm3.train.logs import Log
from efm3.train.loop import Diverged, Trainer, Validate

STOPPED = 75
"""Exit code of a run that was stopped with a checkpoint: the same command with --resume goes on."""

HELP = {
    "arch": "size of the network", "data": "a folder, a .rec file, shards, or synth:SEED:N:SHOTS",
    "out": "run folder", "head": "margin softmax", "margin": "default: the head's own",
    "scale": "default: 64", "margin_warmup": "epochs over which the margin grows from 0",
    "epochs": "epochs to train", "steps": "steps to train, instead of epochs",
    "batch": "images a step and process", "lr": "peak learning rate",
    "warmup": "epochs of linear warm-up", "decay": "weight decay, of no 1-d parameter",
    "clip": "greatest norm of the gradient, 0 for none", "seed": "of weights, order, augmentation",
    "augment": "flip, colour, blur, JPEG, cutout", "bf16": "bfloat16 where autocast takes it",
    "channels_last": "images as NHWC in memory", "compile": "torch.compile the network",
    "shard_head": "each process holds a part of the classes", "sync_bn": "BatchNorm over processes",
    "device": "cpu, cuda, cuda:1, auto", "threads": "CPU threads, 0 for PyTorch's choice",
    "workers": "processes that read data", "max_minutes": "stop with a checkpoint, exit code 75",
    "log_every": "steps between lines in a pipe", "save_every": "minutes between checkpoints",
    "eval_pairs": "pairs that score each epoch", "licence": "of the weights, SPDX",
    "note": "the file's description",
}


def parser() -> argparse.ArgumentParser:
    """One option a field of Config."""
    out = argparse.ArgumentParser("python -m tools.train", description=__doc__.splitlines()[0],
                                  epilog="Exit codes: 0 trained and verified, 1 refused or not "
                                         f"verified, 2 usage, {STOPPED} stopped with a checkpoint.")
    choices: dict[str, Any] = {"arch": list(ARCHS), "head": list(KINDS)}
    for f in fields(Config):
        more: dict[str, Any] = {"help": HELP[f.name], "default": argparse.SUPPRESS}
        if f.type == "bool":
            more["action"] = argparse.BooleanOptionalAction
        else:
            kind = {"int": int, "str": str}.get(str(f.type), float)
            more |= {"type": kind, "choices": choices.get(f.name)}
            if f.name not in ("data", "out", "margin", "scale") and f.default != "":
                more["help"] += f" (default {f.default})"
        out.add_argument(f"--{f.name.replace('_', '-')}", **more)
    out.add_argument("--resume", action="store_true", help="go on from the folder's last.pt")
    return out


def main(words: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    p = parser()
    given = vars(p.parse_args(words))
    resume = given.pop("resume")
    last = Path(given.get("out", "")) / "last.pt"
    found = "out" in given and last.exists()
    for name in ("data", "out"):
        if name not in given and not (resume and found and name == "data"):
            p.error(f"--{name} is missing")
    if found and not resume:
        print(f"train: {last} exists: go on with --resume, or choose another --out",
              file=sys.stderr)
        return 1
    try:
        stored = checkpoint.load(last) if found else None
        config = Config(**{"data": "", **given})
        if stored:
            config = config.resumed(stored["config"], given)
        code = train(config, stored)
        parallel.leave(together=True)
        return code
    except (Efm3Error, ValueError, OSError, ImportError, Diverged, EngineMissing,
            export.NotVerified) as e:
        print(f"train: {str(e).strip().splitlines()[-1]}", file=sys.stderr)
        return 1
    except RuntimeError as e:
        # What fails in a loader's worker comes with the worker's traceback in its text.
        if "DataLoader worker" not in str(e) and not isinstance(e, torch.OutOfMemoryError):
            raise
        print(f"train: {str(e).strip().splitlines()[-1]}", file=sys.stderr)
        return 1
    finally:
        parallel.leave()


def train(config: Config, stored: dict[str, Any] | None) -> int:
    """Train, export, verify."""
    if config.threads:
        torch.set_num_threads(config.threads)
    world = parallel.join(config.device)
    if world.device.type == "cpu":
        memory.keep()
    source = _open(config.data)
    folder = Path(config.out)
    folder.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(config, source, world, validate=_validation(config, world))
    log = trainer.log = Log(folder, world.first, trainer.total)
    run = runs.describe(config.json(), source, world.size, world.device.type)
    if stored:
        state.restore(trainer, stored)
        log.say(f"going on from step {trainer.step}")
    if world.first:
        runs.write(folder, run)
    log.say(f"{config.arch}, {config.head}: {len(source)} images of {source.classes} identities, "
            f"{trainer.per_epoch} steps an epoch, {trainer.total} in all")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda n, _: setattr(trainer, "stop", signal.Signals(n).name))
    try:
        done = trainer.run()
    finally:
        log.close()
    log.curves()
    if getattr(source, "skipped", 0):
        log.say(f"{source.skipped} corrupt images were replaced")
    if not done:
        log.say(f"stopped ({trainer.stop}) at step {trainer.step} of {trainer.total}; "
                "--resume goes on")
        return STOPPED
    if world.first:
        target = folder / f"facex_{config.arch}.bin"
        error = export.export(folder / "last.pt", target, run)
        log.say(f"{target}: verified against last.pt, max_err = {error:.2e}")
    return 0


def _open(spec: str) -> Any:
    from efm3.train.data import open_data
    return open_data(spec)


def _validation(config: Config, world: parallel.World) -> Validate | None:
    """The 10-fold accuracy on --eval-pairs as a function of the network, read once."""
    if not config.eval_pairs or not world.first:
        return None
    from efm3.train.eval import validator

    return validator(config.eval_pairs)
