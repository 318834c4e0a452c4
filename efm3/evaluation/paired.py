# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""How much two networks differ on the same pairs, and how sure that is.

The interval comes of drawing people anew, with replacement: what pictures of one person have in
common makes their pairs depend on each other, so pairs are not drawn one by one. Both networks
are scored on each draw, and what is hard or easy for both cancels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from efm3.arrays import Bools, Doubles, Indices
from efm3.evaluation.run import Measured
from efm3.evaluation.scores import tar_at
from efm3.findings import refuse

CONFIDENCE = 0.95
DRAWS = 1000
FEWEST = 10
"""Fewer people than these say nothing about others: then there is no interval."""

Interval = tuple[float, float]


@dataclass(frozen=True)
class Difference:
    """A score less that of the base, rates of 0..1, and its interval of CONFIDENCE.

    `score` is `accuracy`, or `tar` at a `far`. `low` and `high` are None where the pairs show too
    few people.
    """

    score: str
    far: float | None
    difference: float
    low: float | None
    high: float | None

    def to_json(self) -> dict[str, Any]:
        """The difference as a JSON object (docs/evaluation.md)."""
        return asdict(self)


def differences(base: Measured, other: Measured) -> list[Difference]:
    """What `other` gains over `base`: accuracy, and TAR where a FAR has enough impostor pairs.

    For accuracy the folds keep their thresholds in every draw, for TAR each draw finds its own.
    Raises Efm3Error F008 where they were not measured on the same pairs.
    """
    if not all(np.array_equal(getattr(base, k), getattr(other, k))
               for k in ("same", "fold", "pictures")):
        refuse("F008", "two networks were measured on different pairs", base.scores.name)
    who = people(base.pictures, base.same)
    gained = _right(other).astype(float) - _right(base)

    def accuracy(weights: Doubles) -> float:
        total = np.bincount(base.fold, weights)
        parts = np.bincount(base.fold, weights * gained)[total > 0] / total[total > 0]
        return float(parts.mean())

    ends = interval(who, accuracy) or (None, None)
    out = [Difference("accuracy", None, other.scores.accuracy - base.scores.accuracy, *ends)]
    for row in base.scores.tar_at_far:
        if row.enough:
            change = tar_at(other.similarity, base.same, row.far).tar - row.tar
            ends = tar_interval(base.similarity, other.similarity, base.same, who,
                                row.far) or (None, None)
            out.append(Difference("tar", row.far, change, *ends))
    return out


def _right(m: Measured) -> Bools:
    """Whether each pair [P] is told right by its fold's threshold."""
    return np.asarray((m.similarity > np.array(m.scores.fold_threshold)[m.fold]) == m.same)


def people(pictures: Indices, same: Bools) -> Indices:
    """Numbers of the people on the two pictures of each pair [P, 2].

    Sets have no names: pictures are of one person where pairs of one person join them.
    """
    parent = list(range(int(pictures.max()) + 1))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for one, two in pictures[same].tolist():
        parent[root(one)] = root(two)
    roots = np.array([root(i) for i in range(len(parent))])
    return np.unique(roots[pictures], return_inverse=True)[1].reshape(pictures.shape)


def tar_interval(base: Doubles, other: Doubles, same: Bools, who: Indices,
                 far: float) -> Interval | None:
    """Of TAR at FAR, from similarities [P] of two networks, the answers [P] and the people [P, 2];
    None for fewer than FEWEST of these."""
    sides = []
    for similarity in (base, other):
        down = np.flatnonzero(~same)[np.argsort(-similarity[~same], kind="stable")]
        sides.append((down, similarity[down], similarity[same]))

    def change(weights: Doubles) -> float:
        tars = []
        for down, impostors, genuine in sides:
            accepted = np.cumsum(weights[down])
            # As in `tar_at`: of the pairs above the threshold there are at most so many.
            at = np.searchsorted(accepted, far * accepted[-1] + 1e-9, side="right")
            threshold = impostors[min(int(at), len(impostors) - 1)]
            tars.append(np.average(genuine > threshold, weights=weights[same]))
        return float(tars[1] - tars[0])
    return interval(who, change)


def interval(who: Indices, statistic: Callable[[Doubles], float]) -> Interval | None:
    """The middle CONFIDENCE of a statistic of weighted pairs over DRAWS draws of people.

    A pair counts as often as its two people were drawn together: by the product for two, which is
    0 where one of them was not. None for fewer than FEWEST people.
    """
    count = int(who.max()) + 1
    if count < FEWEST:
        return None
    rng = np.random.default_rng(DRAWS)
    found = []
    alone = who[:, 0] == who[:, 1]
    for _ in range(DRAWS):
        times = np.bincount(rng.integers(0, count, count), minlength=count).astype(float)
        weights = times[who[:, 0]] * np.where(alone, 1.0, times[who[:, 1]])
        if weights[alone].any() and weights[~alone].any():
            found.append(statistic(weights))
    if not found:
        return None
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(found, (tail, 1 - tail))
    return float(low), float(high)
