# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Sets of pairs by name: files as `efm3.evaluation` reads them, or `synth:` for drawn identities.

PyTorch is imported when pictures are drawn, not with this module.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from efm3.drawn import spec as specs
from efm3.drawn.pairs import Pair, draw_pairs
from efm3.evaluation import PairSet, from_arrays, open_pairs
from efm3.extras import need
from efm3.findings import refuse
from efm3.source import Source

if TYPE_CHECKING:
    from efm3.photos import Aligner

SHOTS = 10
"""Pictures of each identity from which pairs are drawn."""
BATCH = 64


def pair_set(words: Source, images: str | None = None, resize: bool = False,
             align: Aligner | None = None) -> PairSet:
    """The pairs that `words` name: what `open_pairs` takes, or `synth:`, see `specs.PAIRS`.

    Raises Efm3Error (F020 for a spec, X002 without PyTorch, and what `open_pairs` raises), OSError.
    """
    if isinstance(words, str) and specs.is_spec(words):
        return synth_pairs(specs.pairs(words))
    return open_pairs(words, images, resize, align)


def check(words: str) -> None:
    """Raises what `pair_set` would, but draws nothing."""
    if specs.is_spec(words):
        _drawn(specs.pairs(words), SHOTS)
    else:
        open_pairs(words)


def facts(words: str) -> specs.Facts | None:
    """What is known of drawn pairs; None for others. Raises Efm3Error F020."""
    if not specs.is_spec(words):
        folder = words if os.path.isdir(words) else os.path.dirname(words)
        found = specs.read_facts(folder)
        return found if found and found.get("kind") == "pairs" else None
    from efm3.drawn.faces import describe

    seed, identities, amount, first, setting = specs.pairs(words)
    return {**describe(seed, first, identities, SHOTS, setting=setting), "kind": "pairs",
            "pairs": amount}


def title(words: str) -> str:
    """What a published file may say of the set: the facts of a drawn one, else its base name."""
    known = facts(words)
    return specs.sentence(known) if known else os.path.basename(os.path.abspath(words))


def synth_pairs(spec: specs.Spec, shots: int = SHOTS) -> PairSet:
    """Pairs of drawn identities, in ten folds without a common identity, drawn into memory.

    Half of them are of one identity. Raises Efm3Error F020 for numbers that give no such set.
    """
    drawn = _drawn(spec, shots)
    need("torch", "train")
    from efm3.drawn.faces import Faces

    name = _name(spec)
    rows = [(p.one * shots + p.one_shot, p.two * shots + p.two_shot, p.same, fold)
            for fold, part in enumerate(drawn) for p in part]
    table = np.array(rows, np.int64)
    used, places = np.unique(table[:, :2], return_inverse=True)
    places = places.reshape(-1, 2)
    try:
        faces = Faces(spec.seed, spec.first, spec.identities, shots, setting=spec.setting)
        pictures = np.empty((len(used), 112, 112, 3), np.uint8)
    except MemoryError:
        refuse("F020", path=name, found="more than fits into memory", expected="fewer")
    for start in range(0, len(used), BATCH):
        batch, _ = faces.batch(used[start:start + BATCH].tolist())
        pictures[start:start + BATCH] = batch.permute(0, 2, 3, 1).cpu().numpy()
    return from_arrays(name, pictures, places[:, 0], places[:, 1], table[:, 2], table[:, 3])


def _name(spec: specs.Spec) -> str:
    return specs.PREFIX + ":".join(map(str, spec))


def _drawn(spec: specs.Spec, shots: int) -> list[list[Pair]]:
    try:
        return draw_pairs(spec.seed, spec.identities, spec.amount, shots)
    except ValueError as e:
        refuse("F020", path=_name(spec), found=str(e), expected=specs.PAIRS)
