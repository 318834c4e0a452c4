# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Identities × shots as a data set, and the same rendered into files once."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from efm3.drawn.identity import DIM, SPREAD, identities
from efm3.drawn.nuisance import nuisances
from efm3.drawn.scene import SIDE, render
from efm3.drawn.spec import FACTS, PLAIN, SETTINGS, Facts
from efm3.source import replace

FORMAT = 2  # version of the cache and of the pictures: it grows when a seed's pictures change


class Occupied(OSError):
    """The folder holds other files, which are left as they are."""


class Faces:
    """count identities, from number first on, with shots pictures each.

    Picture k shows identity k // shots (label, from 0) in shot k % shots. Items are
    (uint8 [3, 112, 112] RGB, label); `batch` draws many at once, which is much faster.
    """

    def __init__(self, seed: int, first: int, count: int, shots: int, *,
                 spread: float = SPREAD, setting: str = PLAIN,
                 device: torch.device | str | None = None):
        if setting not in SETTINGS:
            raise ValueError(f"setting is {setting!r}, not one of {', '.join(SETTINGS)}")
        if first < 0 or count < 1 or shots < 1:
            raise ValueError(f"wanted first >= 0, count >= 1, shots >= 1; "
                             f"found {first}, {count}, {shots}")
        self.seed, self.first, self.classes, self.shots = seed, first, count, shots
        self.spread, self.setting, self.device = spread, setting, device
        self.vectors = identities(seed, first, count, spread)

    def __len__(self) -> int:
        return self.classes * self.shots

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        pictures, labels = self.batch([index])
        return pictures[0], int(labels[0])

    def batch(self, indices: Sequence[int] | Tensor) -> tuple[Tensor, Tensor]:
        """(uint8 [B, 3, 112, 112], int64 [B]), on the device. Raises IndexError."""
        at = torch.as_tensor(indices, dtype=torch.int64).cpu()
        if len(at) and (int(at.min()) < 0 or int(at.max()) >= len(self)):
            raise IndexError(f"index {int(at.min())} … {int(at.max())} of {len(self)} pictures")
        label, shot = at // self.shots, at % self.shots
        vector = nuisances(self.seed, (label + self.first).numpy(), shot.numpy(), self.setting)
        pictures = render(self.vectors[label], vector, device=self.device)
        return pictures, label.to(pictures.device)

    def describe(self) -> Facts:
        """All that is needed to draw the same pictures again."""
        return describe(self.seed, self.first, self.classes, self.shots, self.spread,
                        self.setting)


def describe(seed: int, first: int, classes: int, shots: int, spread: float = SPREAD,
             setting: str = PLAIN) -> Facts:
    """All that is needed to draw these pictures again."""
    return {"format": FORMAT, "seed": seed, "first": first, "classes": classes,
            "shots": shots, "spread": spread, "setting": setting, "dim": DIM, "side": SIDE}


def cache(path: str | os.PathLike[str], faces: Faces, *, batch: int = 256,
          progress: Callable[[int], None] | None = None) -> Path:
    """Renders all into a folder: images.npy (uint8 [N, 3, 112, 112]), labels.npy, synth.json.

    synth.json is written last: a folder without it is not finished, and one whose synth.json says
    these same pictures is kept as it is. `progress` gets the number of pictures done. Raises
    Occupied for a folder with anything else in it.
    """
    folder = Path(path)
    wanted = faces.describe()
    if open_folder(folder, wanted):
        return folder
    count = len(faces)
    # The process id is in the name, so that two processes filling one folder do not mix.
    part = folder / f"images.{os.getpid()}.part"
    try:
        images = np.lib.format.open_memmap(part, "w+", np.uint8, (count, 3, SIDE, SIDE))
        for at in range(0, count, batch):
            rows = range(at, min(at + batch, count))
            images[rows.start:rows.stop] = faces.batch(rows)[0].cpu().numpy()
            if progress:
                progress(rows.stop)
        images.flush()
        del images
        replace(part, folder / "images.npy")
    finally:
        part.unlink(missing_ok=True)
    labels = folder / f"labels.{os.getpid()}.npy"
    np.save(labels, np.repeat(np.arange(faces.classes, dtype=np.int64), faces.shots))
    replace(labels, folder / "labels.npy")
    finish(folder, wanted)
    return folder


def finish(folder: Path, facts: Facts) -> None:
    """Writes synth.json atomically."""
    _facts(folder / FACTS, facts)
    (folder / "synth.part.json").unlink(missing_ok=True)


def _facts(path: Path, facts: Facts) -> None:
    part = path.with_name(f"synth.{os.getpid()}.part")
    part.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8", newline="\n")
    replace(part, path)


def open_folder(folder: Path, facts: Facts) -> bool:
    """Whether the folder holds exactly these files already. Raises Occupied.

    An unfinished folder is marked by synth.part.json, and is filled again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    begun, done = folder / "synth.part.json", folder / FACTS
    for path in (done, begun):
        if path.is_file():
            try:
                found = json.loads(path.read_text(encoding="utf-8"))
            except ValueError:
                found = None
            old = found.get("format") if isinstance(found, dict) else None
            if isinstance(old, int) and old != facts["format"]:
                raise Occupied(f"holds pictures of format {old}, {path.name} says; this program "
                               f"draws format {facts['format']}")
            if found != facts:
                raise Occupied(f"holds other pictures, {path.name} says")
            return path is done
    if any(folder.iterdir()):
        raise Occupied("the folder is not empty, and its files are not from `efm3 draw`")
    _facts(begun, facts)
    return False
