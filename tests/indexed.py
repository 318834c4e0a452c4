# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Tables of embeddings for tests, written as a bulk run writes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from efm3.arrays import Floats
from efm3.bulk.output import open_output
from efm3.bulk.row import Job, Row

MODEL = "ab" * 32
OPTIONS = {"align": False, "face": None, "detector": None, "resize": False, "turned": False}


def directions(count: int, dim: int = 8, seed: int = 1) -> Floats:
    """Unit vectors, any."""
    rows = np.random.default_rng(seed).standard_normal((count, dim))
    found: Floats = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return found


def rows(vectors: Floats, names: Sequence[str] = (), boxes: dict[int, Any] | None = None) \
        -> list[Row]:
    """A row each; one that is NaN is a picture without an embedding. Names that repeat are faces
    of one picture."""
    out: list[Row] = []
    for i, vector in enumerate(vectors):
        name = names[i] if names else f"{i:04}.jpg"
        face = out[-1].face + 1 if out and out[-1].path == name else 0
        out.append(Row(name, face, vector, (boxes or {}).get(i)) if np.isfinite(vector).all() else
                   Row(name, error="F013", reason="no face"))
    return out


def table(path: Path | str, some: Iterable[Row], dim: int = 8, *, model: str = MODEL,
          options: dict[str, Any] | None = None, **extra: Any) -> str:
    """The path of a table of these rows; those of one path, side by side, are a picture."""
    pictures: list[list[Row]] = []
    for row in some:
        if pictures and row.face and pictures[-1][0].path == row.path:
            pictures[-1].append(row)
        else:
            pictures.append([row])
    with open_output(str(path), Job(model, dim, OPTIONS if options is None else options)) as out:
        for picture in pictures:
            out.add(picture)
        out.finish(extra)
    return str(path)
