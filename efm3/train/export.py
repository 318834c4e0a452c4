# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""From a checkpoint to a verified EFM3 file, which is written once, complete with its `meta`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from efm3 import evaluation
from efm3.arch import ARCHS
from efm3.arithmetic import TOLERANCE
from efm3.convert import Wanted, read_network
from efm3.drawn.sets import pair_set
from efm3.engine import Engine
from efm3.model import Model, dumps, load
from efm3.source import write_atomic
from efm3.train import checkpoint, scoring, story
from efm3.train.model import MobileFaceNet, tensors
from efm3.verification import inputs, verify_against


class NotVerified(RuntimeError):
    """The file does not compute what the checkpoint computes."""


class Exported(NamedTuple):
    """What was written: its SHA-256, its `meta`, and the largest error against the checkpoint."""

    sha256: str
    meta: dict[str, Any]
    max_error: float


def export(path: Path, target: Path, run: dict[str, Any],
           pairs: Callable[[str], evaluation.PairSet] = pair_set) -> Exported:
    """Write `target` from the checkpoint at `path`, verified and measured; `run` is config.json,
    `pairs` gives the held-out pairs of a name.

    The checkpoint is read by the converter, as any foreign one would be, and run in PyTorch; the
    reference and the engine, on each instruction set, are compared with it. Then the engine scores
    the held-out pairs, where the run has some. Nothing is written before.
    Raises NotVerified, BadCheckpoint, Efm3Error, EngineMissing, OSError.
    """
    value = checkpoint.load(path)
    arch = ARCHS[run["config"]["arch"]]
    network = MobileFaceNet(arch)
    network.load_state_dict(value["model"])
    weights = tensors(network)
    model = load(dumps(arch, weights))
    source = read_network(str(path), Wanted(arch))
    found = verify_against(model, source.run, inputs(), tolerance=TOLERANCE)
    worst = max(found, key=lambda o: o.max_error)
    if not all(o.ok for o in found):
        raise NotVerified(f"{target}: {worst.isa} differs from {path} by {worst.max_error:.2e}, "
                          f"more than {TOLERANCE:g}; nothing was written")
    held = _scores(model, run["config"]["held_out"], pairs)
    meta = story.meta(value, run, held)
    data = dumps(arch, weights, mirror_extra={"meta": meta}, seal=True, align=True)
    write_atomic(target, [data])
    return Exported(hashlib.sha256(data).hexdigest(), meta, worst.max_error)


def _scores(model: Model, words: str,
            pairs: Callable[[str], evaluation.PairSet]) -> list[evaluation.Scores]:
    if not words:
        return []
    threads = scoring.threads()
    with Engine(model, threads=threads) as engine:
        return [evaluation.evaluate(engine.embed, pairs(one), threads=threads)
                for one in story.held_out_sets(words)]
