# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Every option of a run, with its help: the command line, config.json and checkpoints use it.

This module needs no PyTorch, so that `efm3 train --help` does not either.
"""

from __future__ import annotations

from dataclasses import Field, asdict, dataclass, field, fields
from typing import Any

from efm3.arch import ARCHS

HEADS = ("arcface", "adaface", "cosface")
"""Names of the margin softmax heads; `efm3.train.heads.KINDS` has a row for each."""

STRENGTHS = ("none", "light", "strong")
"""Strengths of augmentation; `efm3.train.augment.RECIPES` has a recipe for each."""

FREE = ("out", "threads", "workers", "max_minutes", "log_every", "save_every", "compile",
        "channels_last", "device", "eval_pairs", "held_out", "data", "teacher")
"""Options that may differ after a resume: they do not change what is computed."""

KINDS: dict[str, type | tuple[type, ...]] = {
    "str": str, "int": int, "float": (int, float), "bool": bool,
    "float | None": (int, float, type(None))}
"""Types of the options as they are annotated below, and what a value of each may be."""


def _option(help: str, default: Any, *, least: float | None = None, most: float | None = None,
            choices: tuple[str, ...] = (), shown: str | None = None) -> Any:
    """A field with what the command line says of it.

    A number is from `least` to `most`. `shown` is the default as the help states it, where the
    value itself does not explain it; "" for none.
    """
    return field(default=default, metadata={
        "help": help, "least": least, "most": most, "choices": choices,
        "shown": str(default) if shown is None else shown})


@dataclass(frozen=True)
class Config:
    """Options of a run; lengths in epochs, `batch` in images of one process."""

    data: str = _option("a folder, a .rec file, shards (a.tar, 'x{000..099}.tar'), a cache, or "
                        "synth:SEED:IDENTITIES:SHOTS[:FIRST]", "", shown="")
    out: str = _option("run folder", "", shown="")
    arch: str = _option("size of the network", "nano", choices=tuple(ARCHS))
    head: str = _option("margin softmax", "arcface", choices=HEADS)
    margin: float | None = _option("margin of the head", None, shown="the head's own", least=0)
    scale: float | None = _option("scale of the head", None, shown="64", least=0)
    margin_warmup: float = _option("epochs over which the margin grows from 0", 0.0, least=0)
    epochs: int = _option("epochs to train", 20, least=1)
    steps: int = _option("steps to train, instead of epochs", 0, least=0, shown="")
    batch: int = _option("images in a step of one process", 128, least=1)
    lr: float = _option("peak learning rate", 1e-3, least=0)
    warmup: float = _option("epochs of linear warm-up", 1.0, least=0)
    decay: float = _option("weight decay, of all but 1-d parameters", 0.05, least=0)
    clip: float = _option("maximum norm of the gradient, 0 for no limit", 5.0, least=0)
    seed: int = _option("seed of weights, order and augmentation", 1, least=0, most=(1 << 63) - 1)
    augment: str = _option("how the pictures are changed: light is flip, colour, blur, JPEG and "
                           "cutout, strong also crops, light, pixels and noise", "light",
                           choices=STRENGTHS)
    ema: float = _option("the file is a moving average of the steps, of which this part stays from "
                         "step to step, such as 0.999; 0 for none", 0.0, least=0, most=0.999999)
    teacher: str = _option("an EFM3 file or a checkpoint to learn from besides", "", shown="")
    distill: float = _option("weight of the teacher's loss", 1.0, least=0)
    bf16: bool = _option("bfloat16 where autocast uses it", False, shown="off")
    channels_last: bool = _option("images as NHWC in memory", True, shown="on")
    compile: bool = _option("torch.compile the network", False, shown="off")
    shard_head: bool = _option("each process holds a part of the classes", False, shown="off")
    sync_bn: bool = _option("BatchNorm over all processes, GPUs only", False, shown="off")
    device: str = _option("cpu, cuda, cuda:N or auto", "auto")
    threads: int = _option("CPU threads, 0 for PyTorch's choice", 0, least=0, most=1024)
    workers: int = _option("processes that read and decode data", 0, least=0, most=255)
    max_minutes: float = _option("minutes after which to stop with a checkpoint and exit code 75",
                                 0.0, least=0, shown="no limit")
    log_every: int = _option("steps between lines in a pipe", 50, least=1)
    save_every: float = _option("minutes between checkpoints", 5.0, least=0)
    eval_pairs: str = _option("pairs that score each epoch, as `efm3 eval` takes them; best.pt "
                              "follows the score", "", shown="")
    held_out: str = _option("pairs that score the finished file, by the C engine; several sets "
                            "with commas between; the scores go into its meta", "", shown="")
    licence: str = _option("licence of the weights, an SPDX expression", "Apache-2.0")
    note: str = _option("the file's description", "", shown="")

    def json(self) -> dict[str, Any]:
        """The record as a JSON object."""
        return asdict(self)

    def resumed(self, stored: Any, given: dict[str, Any]) -> Config:
        """The options of a checkpoint, with those of FREE that this call gave.

        `stored` is a checkpoint's `config`, `given` the options on the command line. Raises
        ValueError where an option is given another value than it had, or `stored` is no record.
        """
        if not isinstance(stored, dict):
            raise ValueError("the checkpoint holds no options of a run")
        if isinstance(stored.get("augment"), bool):
            # So it was before there was a choice of strengths.
            stored = stored | {"augment": "light" if stored["augment"] else "none"}
        stored = {f.name: f.default for f in fields(self) if f.name not in FREE} | stored
        for f in fields(self):
            if f.name in stored and not _fits(f, stored[f.name]):
                raise ValueError(f"the checkpoint says {f.name} {str(stored[f.name])[:40]!r}, "
                                 "which this option cannot be")
        for name, value in given.items():
            if name not in FREE and stored.get(name) != value:
                raise ValueError(f"--{name.replace('_', '-')} is {value}, the checkpoint was made "
                                 f"with {stored.get(name)}: leave it out, or begin a new run")
        names = {f.name for f in fields(self)}
        kept = {k: v for k, v in stored.items() if k in names and k not in FREE}
        free = {k: getattr(self, k) if k in given else stored.get(k, getattr(self, k))
                for k in FREE if k != "out"}
        return Config(out=self.out, **kept, **free)


def _fits(f: Field[Any], value: Any) -> bool:
    """Whether the option could have been given this value."""
    said = f.metadata
    # A truth value is an int to Python, and no number of steps.
    if (not isinstance(value, KINDS[str(f.type)])
            or isinstance(value, bool) != (f.type == "bool")):
        return False
    if said["choices"] and value not in said["choices"]:
        return False
    if not isinstance(value, (int, float)):
        return True
    return bool((said["least"] is None or value >= said["least"])
                and (said["most"] is None or value <= said["most"]))
