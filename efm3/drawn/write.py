# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Pictures as files: a contact sheet, an ImageFolder tree, a tree with a list of pairs."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from efm3.drawn.faces import Faces, finish, open_folder
from efm3.drawn.pairs import FOLDS, Pair, draw_pairs
from efm3.drawn.scene import SIDE
from efm3.source import replace

Progress = Callable[[int], None]
BATCH = 64


def name(identity: int) -> str:
    """The folder of an identity, by its number among all of the seed's."""
    return f"id{identity:07d}"


def sheet(path: Path, faces: Faces) -> None:
    """One PNG: one identity per row, one shot per column."""
    pictures = torch.cat([faces.batch(range(at, min(at + BATCH, len(faces))))[0].cpu()
                          for at in range(0, len(faces), BATCH)])
    rows = pictures.reshape(faces.classes, faces.shots, 3, SIDE, SIDE).permute(0, 3, 1, 4, 2)
    _save(path, rows.reshape(faces.classes * SIDE, faces.shots * SIDE, 3).numpy())


def images(folder: Path, faces: Faces, progress: Progress) -> int:
    """An ImageFolder tree name/name_0001.png …, then synth.json. Returns the pictures written."""
    facts = {**faces.describe(), "kind": "images"}
    if open_folder(folder, facts):
        return 0
    _pictures(folder, faces, range(len(faces)), progress)
    finish(folder, facts)
    return len(faces)


def pairs(folder: Path, faces: Faces, count: int, progress: Progress) -> int:
    """The pictures that pairs ask for, pairs.txt as LFW has it, then synth.json."""
    folds = draw_pairs(faces.seed, faces.classes, count, faces.shots)
    facts = {**faces.describe(), "kind": "pairs", "pairs": count}
    if open_folder(folder, facts):
        return 0
    used = sorted({place for fold in folds for p in fold for place in
                   (p.one * faces.shots + p.one_shot, p.two * faces.shots + p.two_shot)})
    _pictures(folder, faces, used, progress)
    lines = [f"{FOLDS}\t{count // (2 * FOLDS)}"]
    lines += [_line(p, faces.first) for fold in folds for p in fold]
    _whole(folder / "pairs.txt", ("\n".join(lines) + "\n").encode())
    finish(folder, facts)
    return len(used)


def wanted(faces: Faces, count: int) -> int:
    """How many pictures `pairs` will draw."""
    return len({place for fold in draw_pairs(faces.seed, faces.classes, count, faces.shots)
                for p in fold for place in (p[:2], p[2:])})


def _line(p: Pair, first: int) -> str:
    one, two = name(first + p.one), name(first + p.two)
    if p.same:
        return f"{one}\t{p.one_shot + 1}\t{p.two_shot + 1}"
    return f"{one}\t{p.one_shot + 1}\t{two}\t{p.two_shot + 1}"


def _pictures(folder: Path, faces: Faces, places: Iterable[int], progress: Progress) -> None:
    todo, done = list(places), 0
    for at in range(0, len(todo), BATCH):
        part = todo[at:at + BATCH]
        pictures = faces.batch(part)[0].permute(0, 2, 3, 1).cpu().numpy()
        for place, picture in zip(part, pictures, strict=True):
            who = name(faces.first + place // faces.shots)
            (folder / who).mkdir(exist_ok=True)
            _save(folder / who / f"{who}_{place % faces.shots + 1:04d}.png", picture)
        done += len(part)
        progress(done)


def _save(path: Path, picture: NDArray[np.uint8]) -> None:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG", compress_level=4)
    _whole(path, out.getvalue())


def _whole(path: Path, data: bytes) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        replace(part, path)
    finally:
        part.unlink(missing_ok=True)
