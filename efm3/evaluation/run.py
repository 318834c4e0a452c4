# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Embeddings of a set's pictures, decoded in parallel with the network, and their scores."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from efm3.arrays import Bools, Doubles, Floats, Indices, Pixels
from efm3.evaluation.scores import Scores, score
from efm3.evaluation.sets import PairSet
from efm3.findings import refuse
from efm3.pictures import SIDE, BadPicture

Embed = Callable[[Pixels], Floats]
"""uint8 RGB [N, 112, 112, 3] to embeddings [N, D], of any length but 0."""
Progress = Callable[[int, int], None]
"""Called with the number of pictures done and their total."""

BATCH = 64
PART = 4096
"""Pairs whose embeddings are copied as float64 at a time."""


@dataclass(frozen=True)
class Measured:
    """The scores, and what they come from: a similarity, answer and fold for each pair [P], and
    the numbers of its pictures [P, 2]."""

    scores: Scores
    similarity: Doubles
    same: Bools
    fold: Indices
    pictures: Indices


def evaluate(embed: Embed, pairs: PairSet, *, flip: bool = False, skip_broken: bool = False,
             threads: int = 1, batch: int = BATCH, progress: Progress | None = None) -> Scores:
    """The scores of a network on a set of pairs; see `measure`."""
    return measure(embed, pairs, flip=flip, skip_broken=skip_broken, threads=threads,
                   batch=batch, progress=progress).scores


def measure(embed: Embed, pairs: PairSet, *, flip: bool = False, skip_broken: bool = False,
            threads: int = 1, batch: int = BATCH, progress: Progress | None = None) -> Measured:
    """Embed every picture once and score the cosines of the pairs.

    With `flip` a picture's embedding is the sum of its own and its mirror image's, each of
    length 1. Pairs with a picture that cannot be decoded are skipped with `skip_broken`.
    `threads` decode while `embed`, called from this thread alone, runs.
    Raises Efm3Error: F006 a picture, F007 too few pairs are left, F008 embeddings.
    """
    vectors = np.empty((0, 0), np.float32)
    bad = np.zeros(pairs.count, bool)
    done, threads = 0, max(1, threads)
    with ThreadPoolExecutor(threads) as pool:
        for pictures, broken in _batches(pairs, pool, threads, batch, skip_broken):
            found = _embedded(embed, pictures, flip, pairs.name)
            if not done:
                vectors = np.empty((pairs.count, found.shape[1]), np.float32)
            here = slice(done, done + len(pictures))
            vectors[here], bad[here] = found, broken
            done += len(pictures)
            if progress:
                progress(done, pairs.count)
    keep = ~(bad[pairs.first] | bad[pairs.second])
    same, fold = pairs.same[keep], pairs.fold[keep]
    if same.all() or not same.any() or len(np.unique(fold)) < pairs.folds:
        refuse("F007", f"{int(keep.sum())} of {len(keep)} pairs are left, which is too few",
               pairs.name)
    similarity = np.empty(len(same))
    first, second = pairs.first[keep], pairs.second[keep]
    for start in range(0, len(same), PART):
        part = slice(start, start + PART)
        similarity[part] = np.einsum("ij,ij->i", vectors[first[part]].astype(float),
                                     vectors[second[part]].astype(float))
    left_out = int((~keep).sum())
    return Measured(score(pairs.name, similarity, same, fold, left_out=left_out, flip=flip),
                    similarity, same, fold, np.stack([first, second], axis=1))


def _embedded(embed: Embed, pictures: Pixels, flip: bool, place: str) -> Floats:
    found = _unit(embed(pictures), len(pictures), place)
    if flip:
        mirrored = np.ascontiguousarray(pictures[:, :, ::-1])
        found = _unit(found + _unit(embed(mirrored), len(pictures), place), len(pictures), place)
    return found


def _unit(vectors: Any, count: int, place: str) -> Floats:
    a = np.asarray(vectors, np.float32)
    if a.ndim != 2 or len(a) != count:
        refuse("F008", f"{count} pictures gave embeddings of shape {list(a.shape)}", place)
    lengths = np.sqrt(np.einsum("ij,ij->i", a, a, dtype=np.float64))
    if not np.isfinite(lengths).all() or not lengths.all():
        refuse("F008", "an embedding has the length 0, or is not finite", place)
    return np.asarray(a / lengths[:, None], np.float32)


def _batches(pairs: PairSet, pool: ThreadPoolExecutor, threads: int, batch: int,
             skip: bool) -> Iterator[tuple[Pixels, list[bool]]]:
    """Pictures in order, a few batches ahead of the consumer, and which of them are grey
    stand-ins for broken ones."""
    waiting: deque[list[Future[tuple[Pixels, list[bool]]]]] = deque()
    starts = iter(range(0, pairs.count, batch))
    while True:
        while len(waiting) < 3 and (start := next(starts, None)) is not None:
            # One share of the batch per thread: one task per picture costs too much.
            which = np.array_split(np.arange(start, min(start + batch, pairs.count)), threads)
            waiting.append([pool.submit(_decoded, pairs, part, skip) for part in which])
        if not waiting:
            return
        parts = [future.result() for future in waiting.popleft()]
        yield np.concatenate([p for p, _ in parts]), [b for _, flags in parts for b in flags]


def _decoded(pairs: PairSet, which: Indices,
             skip: bool) -> tuple[Pixels, list[bool]]:
    out = np.full((len(which), SIDE, SIDE, 3), 128, np.uint8)
    broken = [False] * len(which)
    for row, i in enumerate(which):
        try:
            out[row] = pairs.load(int(i))
        except BadPicture as e:
            if not skip:
                refuse("F006", e.finding.message, pairs.title(int(i)), e.finding.found,
                       e.finding.expected)
            broken[row] = True
    return out, broken
