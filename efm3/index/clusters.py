# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Embeddings into clusters, a person each where the model can tell (docs/search.md)."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np

from efm3.arrays import Doubles, Indices
from efm3.extras import need
from efm3.findings import refuse
from efm3.index._sparse import complete, pairs
from efm3.index._together import sets
from efm3.index.vectors import Held, exact, taken

Linkage = Literal["complete", "average"]
"""What must be above the threshold: each pair of a cluster, or the mean of its halves' pairs."""
MOST = 1 << 14
"""Rows that hang together and whose distances are all held: twice, they take 2 GB."""
MOST_PAIRS = 1 << 23
"""Of more rows, pairs above the threshold: they take 1.5 GB. Complete linkage needs no others."""
ALONE, MISSING = -1, -2
"""In place of a cluster: a face that is like no other, and a row without an embedding."""
_ROWS = 512


class Clusters(NamedTuple):
    """For each row its cluster, the largest is 0, ALONE where it is in none, or MISSING where it
    has no embedding; and its cosine to the cluster's centre, NaN there. A cluster has two rows or
    more."""

    cluster: Indices
    similarity: Doubles

    @property
    def alone(self) -> int:
        """Rows that are like no other."""
        return int((self.cluster == ALONE).sum())

    @property
    def missing(self) -> int:
        """Rows without an embedding."""
        return int((self.cluster == MISSING).sum())

    @property
    def sizes(self) -> Indices:
        """Rows of each cluster."""
        return np.bincount(self.cluster[self.cluster >= 0])


def clusters(vectors: Held, threshold: float, linkage: Linkage = "complete",
             threads: int = 1) -> Clusters:
    """Agglomerative clustering of all rows, cut at `threshold`, by SciPy.

    With either linkage a cluster lies within a set of rows that pairs above the threshold hold
    together, so each set is clustered by itself, and that is the same. Sets of more than MOST
    rows are clustered here, by complete linkage out of their near pairs. Raises Efm3Error X002
    without SciPy, B023 where there are too many of these, or with average linkage any such set.
    """
    scipy = need("scipy.cluster.hierarchy", "cluster")
    label: Indices = np.full(vectors.count, ALONE)
    cosine: Doubles = np.full(vectors.count, np.nan)
    first = sets(vectors, threshold, threads)
    order = np.argsort(first, kind="stable")
    order = order[first[order] >= 0]
    groups = np.split(order, np.flatnonzero(np.diff(first[order])) + 1)
    most = max((len(g) for g in groups), default=0)
    if most > MOST and linkage != "complete":
        refuse("B023", f"{most:,} rows hang together by pairs above {threshold:g}, more than the "
                       f"{MOST:,} whose distances are held in memory; take --linkage complete, or "
                       "give a higher --threshold", found=most, expected=MOST)
    number = 0
    for rows in groups:
        if len(rows) < 2:
            continue
        scaled = exact(taken(vectors, rows))
        own = _cut(scipy, scaled, threshold, linkage) if len(rows) <= MOST else \
            _cut_sparse(scaled, threshold, threads)
        inside = np.argsort(own, kind="stable")
        for members in np.split(inside, np.flatnonzero(np.diff(own[inside])) + 1):
            if len(members) > 1:
                label[rows[members]] = number
                cosine[rows[members]] = _to_centre(scaled[members])
                number += 1
    label = _by_size(label)
    label[first < 0] = MISSING
    return Clusters(label, cosine)


def _cut(scipy: Any, rows: Doubles, threshold: float, linkage: Linkage) -> Indices:
    """The cluster of each row, any numbers."""
    tree = scipy.linkage(_distances(rows), linkage)
    # Above the threshold, not at it.
    cut: Indices = scipy.fcluster(tree, np.nextafter(1 - threshold, -np.inf), "distance")
    return cut


def _cut_sparse(rows: Doubles, threshold: float, threads: int) -> Indices:
    near = pairs(rows, 1 - threshold, MOST_PAIRS, threads)
    if near is None:
        refuse("B023", f"{len(rows):,} rows hang together by more than {MOST_PAIRS:,} pairs above "
                       f"{threshold:g}, which are held in memory; give a higher --threshold",
               found=len(rows), expected=f"{MOST_PAIRS} pairs")
    return complete(len(rows), near)


def _distances(rows: Doubles) -> Doubles:
    """1 - cosine of all pairs, those of the first row first."""
    n = len(rows)
    out, at = np.empty(n * (n - 1) // 2), 0
    for start in range(0, n, _ROWS):
        block = 1 - rows[start:start + _ROWS] @ rows[start:].T
        for i, line in enumerate(block):
            rest = line[i + 1:]
            np.maximum(rest, 0, out=out[at:at + len(rest)])
            at += len(rest)
    return out


def _to_centre(rows: Doubles) -> Doubles:
    centre = rows.mean(0)
    length = np.sqrt(centre @ centre)
    found: Doubles = np.clip(rows @ centre / length, -1, 1) if length else np.zeros(len(rows))
    return found


def _by_size(label: Indices) -> Indices:
    """Numbers in the order of size; of equal ones the one whose first row stands first."""
    names, first, sizes = np.unique(label, return_index=True, return_counts=True)
    names, first, sizes = (a[names >= 0] for a in (names, first, sizes))
    new = np.full(len(names) + 1, ALONE)
    new[names[np.lexsort((first, -sizes))]] = np.arange(len(names))
    renamed: Indices = new[label]
    return renamed
