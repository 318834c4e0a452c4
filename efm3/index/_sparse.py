# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Complete linkage out of near pairs alone, for more rows than all distances can be held of.

Cut at a distance, complete linkage joins two clusters only where each pair between them is nearer:
pairs that are not need no number. Nearest neighbours are followed until two are each other's.
"""

from __future__ import annotations

from functools import partial
from threading import Lock
from typing import NamedTuple

import numpy as np

from efm3.arrays import Doubles, Indices
from efm3.index.top import over_blocks

_BLOCK = 1 << 23
"""Distances that a thread computes at once."""


class Pairs(NamedTuple):
    """Pairs of rows and their distances."""

    a: Indices
    b: Indices
    distance: Doubles


def pairs(rows: Doubles, below: float, most: int, threads: int) -> Pairs | None:
    """The pairs of rows whose 1 - cosine is below this; None where there are more than `most`."""
    found: dict[int, Pairs] = {}
    lock = Lock()

    def add(start: int, block: Doubles) -> None:
        with lock:
            if sum(len(p.a) for p in found.values()) > most:
                return
        distances = 1 - block @ rows[start:].T
        i, j = np.nonzero(np.triu(distances < below, 1))
        with lock:
            found[start] = Pairs((i + start).astype(np.int32), (j + start).astype(np.int32),
                                 np.maximum(distances[i, j], 0))

    step = max(1, _BLOCK // len(rows))
    over_blocks(((at, partial(rows.__getitem__, slice(at, at + step)))
                 for at in range(0, len(rows), step)), add, threads)
    if sum(len(p.a) for p in found.values()) > most:
        return None
    return Pairs(*map(np.concatenate, zip(*(found[at] for at in sorted(found)), strict=True)))


def complete(count: int, near: Pairs) -> Indices:
    """The cluster of each of `count` rows: the number of one of its rows."""
    return _Clusters(count, near).joined()


class _Clusters:
    """Clusters, each under the number of one of its rows, and for each the clusters near it: the
    greatest distance to one, and of how many pairs that is known."""

    def __init__(self, count: int, near: Pairs) -> None:
        own = np.concatenate([near.a, near.b])
        other = np.concatenate([near.b, near.a])
        order = np.lexsort((other, own))
        ends = np.searchsorted(own[order], np.arange(1, count))
        self._other = np.split(other[order], ends)
        self._far = np.split(np.concatenate([near.distance, near.distance])[order], ends)
        ones = np.ones(len(order), np.int64)
        self._known = np.split(ones, ends)
        self._size = np.ones(count, np.int64)
        self._in: Indices = np.arange(count)

    def joined(self) -> Indices:
        """Join until no two clusters can be; the cluster of each row."""
        for row in range(len(self._in)):
            chain = [row] if self._in[row] == row else []
            while chain:
                other, far = self._near(chain[-1])
                if not len(other):
                    chain.pop()  # none will ever be near it
                    continue
                least = far.min()
                # Of equally near ones the last of the chain, so that it ends.
                if len(chain) > 1 and chain[-2] in other[far == least]:
                    both = self._join(chain.pop(), chain.pop())
                    chain = chain or [both]
                else:
                    chain.append(int(other[far.argmin()]))
        return self._roots(np.arange(len(self._in)))

    def _join(self, a: int, b: int) -> int:
        """Two clusters become one, under the larger's number: so few steps lead to it."""
        if (self._size[a], -a) < (self._size[b], -b):
            a, b = b, a
        self._in[b] = a
        self._size[a] += self._size[b]
        for held in (self._other, self._far, self._known):
            held[a], held[b] = np.concatenate([held[a], held[b]]), held[b][:0]
        return a

    def _near(self, cluster: int) -> tuple[Indices, Doubles]:
        """The clusters whose pairs with this one are all near, and the greatest distances."""
        other = self._roots(self._other[cluster])
        order = np.argsort(other, kind="stable")
        other, far, known = (v[order] for v in (other, self._far[cluster], self._known[cluster]))
        starts = np.flatnonzero(np.diff(other, prepend=-1))
        if len(starts) < len(other):
            other, far = other[starts], np.maximum.reduceat(far, starts)
            known = np.add.reduceat(known, starts)
        # A pair that is not near stays so, however the clusters grow. Within the cluster itself
        # no more than 2 a b pairs are known, and never (a + b)^2.
        keep = known == self._size[cluster] * self._size[other]
        other, far, known = other[keep], far[keep], known[keep]
        self._other[cluster], self._far[cluster], self._known[cluster] = other, far, known
        return other, far

    def _roots(self, clusters: Indices) -> Indices:
        while not np.array_equal(up := self._in[clusters], clusters):
            clusters = up
        return clusters
