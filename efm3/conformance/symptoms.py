# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Diagnosis of an engine's wrong answer: compared with the reference with one mistake.

Each entry of the catalogue is a mistake that engines make. The network is computed with it, and
where that gives what the tested engine gave, the mistake is named. Mistakes that give the same
for a network and an input are named together: they cannot be told apart there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from efm3.arrays import Array
from efm3.conformance._mistakes import CATALOGUE, NORMS
from efm3.conformance._twist import Memo, Twist, steps
from efm3.model import Model

MATCH = 1e-4
"""Most distance of what is given from a mistake's values: far above an fp32 engine's error, which
is about 1e-6, and so that one rounding to binary16 here and there that differs hides nothing."""

SAME = 1e-6
"""Mistakes whose values differ by less than this cannot be told apart by an fp32 engine."""

CLEAR = 0.2
"""A mistake's values must be so much nearer to what is given than the right ones are."""


def match(model: Model, x: Array, given: Mapping[str, Array], stray: str = "") -> list[str]:
    """The mistakes of the catalogue that give what was given for an input.

    `given` maps layers to their outputs, flat, and "" to the embedding; layers may be missing.
    A mistake must give each up to `stray`, the first that is wrong; of those that do, the ones
    that agree longest are named, and where these can be told apart by their numbers the nearest.
    """
    # What the norm makes of the last layer changes no layer, and nothing else where all are right.
    chosen = [w for w in CATALOGUE if w not in NORMS] if stray else list(
        NORMS if "embed_proj" in given else CATALOGUE)
    memo: Memo = {}
    right = next(a for name, a in steps(Twist(), model, x) if name == stray)
    apart = _distance(right, given[stray])
    found: list[tuple[int, float, str]] = []
    for words in chosen:
        row = _agreement(steps(CATALOGUE[words], model, x, memo), given, stray)
        if row is not None and row[1] < CLEAR * apart:
            found.append((*row, words))
    longest = max((row[0] for row in found), default=0)
    nearest = min((row[1] for row in found if row[0] == longest), default=0.0)
    return [words for length, off, words in found
            if length == longest and off <= max(SAME, 4 * nearest)]


def _agreement(outputs: Iterator[tuple[str, Array]], given: Mapping[str, Array],
               stray: str) -> tuple[int, float] | None:
    """How many layers agree, and the distance at `stray`; None where one up to it does not."""
    length, at_stray = 0, None
    try:
        for name, a in outputs:
            off = _distance(a, given[name]) if name in given else 0.0
            if not off <= MATCH:
                break
            length += 1
            if name == stray:
                at_stray = off
    except ValueError:
        pass  # no meaning for this network, or none from here on
    return None if at_stray is None else (length, at_stray)


def _distance(a: Array, b: Array) -> float:
    """Root mean square of the difference, relative to the larger one's; what is not finite must
    be the same."""
    if a.shape != b.shape:
        return float("inf")
    # Not the product of BLAS, which may wake threads for each of many small vectors.
    ours, theirs = _dot(a), _dot(b)
    if not np.isfinite(ours + theirs):
        finite = np.isfinite(a)
        if not np.array_equal(a[~finite], b[~finite], equal_nan=True) or (
                not np.isfinite(b[finite]).all()):
            return float("inf")
        a, b = a[finite], b[finite]
        scale = max(float(np.abs(a).max(initial=0)), float(np.abs(b).max(initial=0)))
        return _distance(a / scale, b / scale) if scale else 0.0
    off = a - b
    top = max(ours, theirs)
    return float(np.sqrt(_dot(off) / top)) if top else 0.0


def _dot(a: Array) -> float:
    return float(np.einsum("i,i", a, a))
