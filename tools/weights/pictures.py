# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The drawn pictures, part by part: a drawing that was stopped goes on with the next part."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from efm3.drawn.faces import Faces, cache, finish
from efm3.drawn.spec import read_facts
from efm3.source import replace

PART = 500
"""Identities of one part."""
NEAR = 1
"""How many grey levels a device's pictures may differ from a CPU's by."""


def draw(target: Path, seed: int, identities: int, shots: int, device: str,
         say: Callable[[str], None]) -> None:
    """Fill `target` as `efm3 draw cache` would. Raises Occupied where it holds other pictures."""
    whole = Faces(seed, 0, identities, shots, device=device)
    wanted = whole.describe()
    if target.is_dir() and read_facts(str(target)) is not None:
        cache(target, whole)  # Complete, or of other pictures, which it refuses.
        return
    parts = []
    for first in range(0, identities, PART):
        count = min(PART, identities - first)
        parts.append(target.with_name(f"{target.name}.parts") / f"{first:07}")
        if not (parts[-1] / "synth.json").exists():
            cache(parts[-1], Faces(seed, first, count, shots, device=device))
            say(f"{first + count} of {identities} identities drawn")
    _join(target, parts, (identities * shots, 3, wanted["side"], wanted["side"]))
    labels = np.repeat(np.arange(identities, dtype=np.int64), shots)
    np.save(target / "labels.npy", labels)
    finish(target, wanted)
    shutil.rmtree(parts[0].parent)


def _join(target: Path, parts: list[Path], shape: tuple[int, ...]) -> None:
    target.mkdir(parents=True, exist_ok=True)
    unfinished = target / "images.part"
    images = np.lib.format.open_memmap(unfinished, "w+", np.uint8, shape)
    at = 0
    for part in parts:
        own = np.load(part / "images.npy", mmap_mode="r")
        images[at:at + len(own)] = own
        at += len(own)
    images.flush()
    del images
    replace(unfinished, target / "images.npy")


def differ(device: str) -> int:
    """By how many grey levels a device's pictures differ from the CPU's at most."""
    one, two = (Faces(1, 0, 16, 4, device=d).batch(range(64))[0].cpu().int()
                for d in ("cpu", device))
    return int((one - two).abs().max())
