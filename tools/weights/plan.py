# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The one declaration of how the files in weights/ are trained: pictures, recipe, sizes, seeds."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from efm3.arch import ARCHS
from efm3.drawn.spec import HELD_OUT as PAIRS_FROM
from efm3.drawn.spec import SETTINGS
from efm3.format import INPUT_SIDE

IDENTITIES, SHOTS, DATA_SEED = 8_000, 12, 1
"""The drawn pictures that every run sees."""
BATCH = 128
"""Pictures in one step."""
SIDE = 64
"""Pixels across of the smaller pictures that all sizes begin with on CPUs."""
RECIPE: dict[str, object] = {
    "batch": BATCH, "warmup": 0.05, "scale": 32, "margin": 0.35, "margin-warmup": 0,
    "augment": "light", "ema": 0.999, "bf16": True}
"""Options of `efm3 train` on CPUs."""
FIRST: dict[str, object] = {"lr": 3e-3, "warmup": 0.25, "margin-warmup": 3}
"""What is another for a run that begins with nothing."""
STEPS: dict[tuple[str, int], int] = {
    ("nano", SIDE): 4000, ("tiny", SIDE): 1000, ("standard", SIDE): 800, ("xs", SIDE): 600,
    ("nano", INPUT_SIDE): 800, ("tiny", INPUT_SIDE): 400, ("standard", INPUT_SIDE): 280,
    ("xs", INPUT_SIDE): 320}
"""Steps by size and side. A wider size goes on where the narrower one ended."""
RATES: dict[int, float] = {SIDE: 2e-3, INPUT_SIDE: 1e-3}
"""Learning rates of runs that go on from another."""
CHOICE = f"synth:{DATA_SEED}:300:6000:2000000"
"""Pairs that choose among the seeds of one size (--eval-pairs)."""
HELD_OUT = ",".join(f"synth:{DATA_SEED}:300:26000:{PAIRS_FROM}:{setting}" for setting in SETTINGS)
"""Pairs that choose nothing (--held-out): shots as in training, hard ones, other cameras. Nearly
all that 300 identities have of one person: at FAR 1e-3 the threshold then stands on 13 pairs of
two, with 6,000 on three, and what was compared with that moved by five points."""


class Shape(NamedTuple):
    """What all runs see together on one GPU; `pictures` is how many at most, each augmented anew
    whenever it is seen again."""

    identities: int
    shots: int
    pictures: int
    recipe: dict[str, object]


TOGETHER = Shape(16_000, 12, 4_000_000, {
    "batch": 128, "lr": 3e-3, "warmup": 0.25, "scale": 32, "margin": 0.4, "margin-warmup": 2,
    "augment": "light", "ema": 0.999})
"""Pictures and options of `--device cuda`."""


class Run(NamedTuple):
    """One network: a size and a seed; of smaller pictures it is the stage before."""

    arch: str
    seed: int
    side: int = INPUT_SIDE

    @property
    def name(self) -> str:
        """As --only takes it."""
        return f"{self.arch}:{self.seed}" + (f":{self.side}" if self.small else "")

    @property
    def small(self) -> bool:
        """Whether its pictures are smaller than a file's."""
        return self.side != INPUT_SIDE

    @property
    def before(self) -> Run | None:
        """The run whose end this one begins with on a CPU: the same on smaller pictures, and
        of these the next narrower size; None for the first."""
        if not self.small:
            return Run(self.arch, self.seed, SIDE)
        sizes = list(ARCHS)
        at = sizes.index(self.arch)
        return Run(sizes[at - 1], self.seed, self.side) if at else None


RUNS = (Run("nano", 1), Run("nano", 2), Run("tiny", 1), Run("tiny", 2), Run("standard", 1),
        Run("xs", 1))


def stages(runs: Sequence[Run]) -> list[Run]:
    """All that CPUs have to do for some runs, each after what it begins with: first what others
    wait for."""
    found: list[Run] = []
    for run in runs:
        stage: Run | None = run
        while stage is not None:
            found.append(stage)
            stage = stage.before
    return sorted(set(found), key=lambda r: (not r.small, list(ARCHS).index(r.arch), r.seed))


def recipe(run: Run) -> dict[str, object]:
    """The options of a run on CPUs."""
    own = {"steps": STEPS[run.arch, run.side], "lr": RATES[run.side]}
    return RECIPE | own | ({} if run.before else FIRST)


def note(run: Run) -> str:
    """What a file says of how its network was made, stage by stage."""
    found: list[str] = []
    stage: Run | None = run
    while stage is not None:
        pictures = STEPS[stage.arch, stage.side] * BATCH
        found.insert(0, f"{stage.arch} on {pictures:,} pictures of {stage.side} pixels across")
        stage = stage.before
    return (f"MobileFaceNet {run.arch}, trained on CPUs in stages, each of which begins with the "
            f"network of the one before, widened where that is narrower: {', '.join(found)}")


def chosen(names: list[str]) -> list[Run]:
    """The runs of these names, in the plan's order; all for none. Raises ValueError."""
    if unknown := set(names) - {r.name for r in RUNS}:
        raise ValueError(f"{min(unknown)} is none of {', '.join(r.name for r in RUNS)}")
    return [r for r in RUNS if r.name in names or not names]


def home() -> Path:
    """Where caches, checkpoints and logs are kept: outside of the repository."""
    if own := os.environ.get("EFM3_WEIGHTS_DIR"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "efm3" / "weights"


def folder(run: Run, device: str) -> Path:
    """The run folder; a device has its own, since its weights are others."""
    return home() / device / run.name.replace(":", "-")


def cache() -> Path:
    """The folder of the drawn pictures."""
    return home() / f"faces-{DATA_SEED}-{IDENTITIES}x{SHOTS}"
