# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Pairs of faces to evaluate on: files as `efm3 eval` takes them, or drawn identities."""

from __future__ import annotations

import numpy as np

from efm3.drawn import Faces, draw_pairs
from efm3.evaluation import PairSet, from_arrays, open_pairs
from efm3.findings import refuse

SHOTS = 10
"""Pictures of an identity that pairs are drawn from."""
HELD_OUT = 1_000_000
"""Drawn identities from this number on are left to evaluation, where nothing else is said."""
FORM = "synth:SEED:IDENTITIES:PAIRS[:FIRST]"


def pair_set(spec: str, images: str | None = None, resize: bool = False) -> PairSet:
    """The pairs that `spec` names: a path, see `open_pairs`, or FORM. Raises Efm3Error, OSError."""
    if not spec.startswith("synth:"):
        return open_pairs(spec, images, resize)
    parts = spec.split(":")[1:]
    if len(parts) not in (3, 4) or not all(p.isascii() and p.isdigit() for p in parts):
        refuse("F020", path=spec, found="another form", expected=FORM + ", whole numbers")
    seed, identities, pairs, first = [int(p) for p in (*parts, str(HELD_OUT))][:4]
    return synth_pairs(seed, first, identities, pairs)


def synth_pairs(seed: int, first_identity: int, identities: int, pairs: int,
                shots: int = SHOTS) -> PairSet:
    """Pairs of drawn identities, in ten folds without a common identity, drawn into memory.

    Half of them are of one identity. Raises Efm3Error F020 for numbers that give no such set.
    """
    name = f"synth:{seed}:{identities}:{pairs}:{first_identity}"
    try:
        drawn = draw_pairs(seed, identities, pairs, shots)
        faces = Faces(seed, first_identity, identities, shots)
    except ValueError as e:
        refuse("F020", path=name, found=str(e), expected=FORM)
    rows = [(p.one * shots + p.one_shot, p.two * shots + p.two_shot, p.same, fold)
            for fold, part in enumerate(drawn) for p in part]
    table = np.array(rows, np.int64)
    used, places = np.unique(table[:, :2], return_inverse=True)
    places = places.reshape(-1, 2)
    pictures = np.empty((len(used), 112, 112, 3), np.uint8)
    for start in range(0, len(used), 64):
        batch, _ = faces.batch(used[start:start + 64].tolist())
        pictures[start:start + 64] = batch.permute(0, 2, 3, 1).cpu().numpy()
    return from_arrays(name, pictures, places[:, 0], places[:, 1], table[:, 2], table[:, 3])
