# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The one declaration of how the files in weights/ are trained: pictures, recipe, sizes, seeds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from efm3.arch import ARCHS
from efm3.drawn.spec import HELD_OUT as PAIRS_FROM
from efm3.drawn.spec import SETTINGS

IDENTITIES, SHOTS, DATA_SEED = 8_000, 12, 1
"""The drawn pictures that every run sees."""
BATCH = 128
"""Pictures in one step."""
RECIPE: dict[str, object] = {
    "batch": BATCH, "steps": 400_000 // BATCH, "lr": 2e-3, "warmup": 0.25, "scale": 32,
    "margin-warmup": 2, "augment": "light", "ema": 0.999}
"""Options of `efm3 train` on CPUs for the smallest size."""
GROWN: dict[str, dict[str, object]] = {
    arch: {"steps": pictures // BATCH, "lr": 1e-3, "warmup": 0.05, "margin-warmup": 0}
    for arch, pictures in (("tiny", 160_000), ("standard", 80_000), ("xs", 40_000))}
"""What is another for each wider size, which goes on where the narrower one ended and takes some of
its minutes for a picture: on a core that learns 150 pictures a second with nano, 20 with xs."""
CHOICE = f"synth:{DATA_SEED}:300:6000:2000000"
"""Pairs that choose among the seeds of one size (--eval-pairs)."""
HELD_OUT = ",".join(f"synth:{DATA_SEED}:300:6000:{PAIRS_FROM}:{setting}" for setting in SETTINGS)
"""Pairs that choose nothing (--held-out): shots as in training, hard ones, other cameras."""


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
    """One network: a size and a seed."""

    arch: str
    seed: int

    @property
    def name(self) -> str:
        """As --only takes it."""
        return f"{self.arch}:{self.seed}"

    @property
    def before(self) -> Run | None:
        """The run of the next narrower size, on a CPU where this one begins; None for the first."""
        sizes = list(ARCHS)
        at = sizes.index(self.arch)
        return Run(sizes[at - 1], self.seed) if at else None


RUNS = (Run("nano", 1), Run("nano", 2), Run("tiny", 1), Run("tiny", 2), Run("standard", 1),
        Run("xs", 1))
"""In an order in which each finds the one before it."""


def recipe(run: Run) -> dict[str, object]:
    """The options of a run on CPUs."""
    return RECIPE | GROWN.get(run.arch, {})


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
    return home() / device / f"{run.arch}-{run.seed}"


def cache() -> Path:
    """The folder of the drawn pictures."""
    return home() / f"faces-{DATA_SEED}-{IDENTITIES}x{SHOTS}"
