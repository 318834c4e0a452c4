# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Which embeddings hang together: those that a chain of pairs above a threshold joins.

Clusters and duplicates are looked for within these sets alone. It takes memory for a number a row
and some blocks, and time for all pairs.
"""

from __future__ import annotations

from functools import partial
from threading import Lock

import numpy as np

from efm3.arrays import Array, Bools, Floats, Indices
from efm3.index.top import over_blocks
from efm3.index.vectors import Held, cosines, margin, rows_of, unit

_PIECE = 4096
"""Pairs whose cosines are computed together."""


def sets(vectors: Held, threshold: float, threads: int = 1) -> Indices:
    """For each row the first row of its set, its own number where it is alone, [N]; -1 for a row
    that has no direction."""
    join = _Join(vectors.count, threshold, margin(vectors.dim))
    step = rows_of(vectors.dim)
    for start in range(0, vectors.count, step):
        rows = vectors.read(start, min(start + step, vectors.count))
        scaled, good = unit(rows)
        if good is not None:
            join.found[start:start + step] = good
        over_blocks(vectors.parts(step, start), partial(join.add, start, rows, scaled), threads)
    first = join.first
    first[~join.found] = -1
    return first


class _Join:
    """Rows as they are joined. `first` holds for each row the first of its set so far."""

    def __init__(self, count: int, threshold: float, margin: float) -> None:
        self.first: Indices = np.arange(count)
        self.found: Bools = np.ones(count, bool)
        self._threshold, self._margin = threshold, margin
        self._lock = Lock()

    def add(self, at: int, rows: Floats, scaled: Floats, start: int, block: Floats) -> None:
        """Take in the pairs of rows from `at` on with a block from `start` on; any thread may call
        it. `scaled` are the same rows of length 1."""
        other, _ = unit(block)
        products = scaled @ other.T
        near = products > self._threshold - self._margin
        if start == at:
            near = np.triu(near, 1)
        i, j = np.nonzero(near)
        if not len(i):
            return
        # A zero has no direction: at a threshold below 0 its product would count.
        keep: Bools = np.ones(len(i), bool)
        if self._threshold < self._margin:
            keep = (scaled != 0).any(1)[i] & (other != 0).any(1)[j]
        unsure = np.flatnonzero(keep & (products[i, j] <= self._threshold + self._margin))
        for piece in np.split(unsure, range(_PIECE, len(unsure), _PIECE)):
            keep[piece] = cosines(rows[i[piece]], block[j[piece]]) > self._threshold
        self._join(at + i[keep], start + j[keep])

    def _join(self, a: Array, b: Array) -> None:
        """Join the sets of each pair of rows: the larger first row follows the smaller one."""
        with self._lock:
            first = self.first
            a, b = first[a], first[b]
            while len(a := a[differ := a != b]):
                b = b[differ]
                pairs = np.unique(np.minimum(a, b) * len(first) + np.maximum(a, b))
                low, high = np.divmod(pairs, len(first))
                np.minimum.at(first, high, low)
                while not np.array_equal(shorter := first[first], first):
                    first[:] = shorter
                a, b = first[low], first[high]
