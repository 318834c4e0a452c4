# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Verification pairs in ten folds, as LFW lists them: half of the same identity, half not."""

from __future__ import annotations

from typing import NamedTuple

from efm3.drawn import draws

FOLDS = 10


class Pair(NamedTuple):
    """Two pictures by identity (its number in the set, from 0) and shot (from 0)."""

    one: int
    one_shot: int
    two: int
    two_shot: int

    @property
    def same(self) -> bool:
        return self.one == self.two


def draw_pairs(seed: int, identities: int, pairs: int, shots: int = 10) -> list[list[Pair]]:
    """Ten folds of pairs, first those of one identity, then as many of two; no pair occurs twice.

    A fold has identities of its own: number k belongs to fold k % 10. Raises ValueError where
    there are too few pictures for so many pairs.
    """
    half = pairs // (2 * FOLDS)
    if pairs < 1 or pairs % (2 * FOLDS):
        raise ValueError(f"pairs must be a positive multiple of {2 * FOLDS}, found {pairs}")
    people = identities // FOLDS
    most = min(people * (shots * (shots - 1) // 2), people * (people - 1) // 2 * shots * shots)
    if most < half:
        raise ValueError(f"{identities} identities with {shots} shots give {max(most, 0)} pairs of "
                         f"a kind in each of {FOLDS} folds; {half} are wanted")
    return [[*_fold(seed, fold, people, shots, half, True),
             *_fold(seed, fold, people, shots, half, False)] for fold in range(FOLDS)]


def _fold(seed: int, fold: int, people: int, shots: int, wanted: int, same: bool) -> list[Pair]:
    found: dict[Pair, None] = {}
    block = 0
    while len(found) < wanted:
        numbers = draws.uniform(draws.key(seed, 5, fold, int(same), block), 4 * 1024)
        for a, b, c, d in numbers.reshape(-1, 4).tolist():
            one = int(a * people)
            two = one if same else int(b * people)
            pair = sorted([(one * FOLDS + fold, int(c * shots)),
                           (two * FOLDS + fold, int(d * shots))])
            if pair[0] != pair[1] and (one == two) == same and len(found) < wanted:
                found[Pair(*pair[0], *pair[1])] = None
        block += 1
    return list(found)
