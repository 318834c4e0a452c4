# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The nearest of many embeddings, exactly: products of matrices, block by block, in threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import NamedTuple, TypeVar

import numpy as np

from efm3.arrays import Array, Doubles, Floats, Indices
from efm3.index.vectors import Vectors, cosines, margin, rows_of, unit

Block = TypeVar("Block", bound=Array)
NONE = -1
"""The row of a place that no embedding takes."""
BATCH = 1024
"""Queries that go through the embeddings together."""
MAX_HITS = 1 << 22
"""Hits of a batch: where each query has very many, a batch has fewer queries."""
_PIECE = 4096
"""Pairs whose cosines are computed together."""


class Hits(NamedTuple):
    """For each query the rows that are nearest and their cosines, [Q, k], the nearest first, of
    equal ones the one that stands first. Places that are left over have the row NONE and NaN."""

    rows: Indices
    similarity: Doubles


def top(queries: Floats, vectors: Vectors, k: int, threshold: float | None = None,
        threads: int = 1) -> Hits:
    """The `k` embeddings with the greatest cosine to each query; above `threshold`, if given.

    The rows and cosines are those that a sort of all cosines in double precision gives, whatever
    the blocks and the number of threads. A query or a row that is not finite, or zero, matches
    nothing. It takes memory for k + BLOCK rows, however many there are. Raises ValueError where
    the lengths of the embeddings differ.
    """
    if queries.ndim != 2 or queries.shape[1] != vectors.dim or k < 1:
        raise ValueError(f"queries {list(queries.shape)}, embeddings of {vectors.dim}, k {k}")
    rows = np.full((len(queries), k), NONE, np.int64)
    similarity = np.full((len(queries), k), np.nan)
    batch = max(1, min(BATCH, MAX_HITS // k))
    for start in range(0, len(queries), batch):
        search = _Search(queries[start:start + batch], min(k, vectors.count), threshold)
        size = rows_of(vectors.dim, min(batch, len(queries)))
        over_blocks(vectors.parts(size), search.add, threads)
        wide = search.rows.shape[1]
        rows[start:start + batch, :wide] = search.rows
        similarity[start:start + batch, :wide] = search.values
    rows[np.isneginf(similarity)] = NONE
    similarity[rows == NONE] = np.nan
    return Hits(rows, similarity)


def over_blocks(parts: Iterable[tuple[int, Callable[[], Block]]],
                work: Callable[[int, Block], None], threads: int) -> None:
    """Call `work` with each block, its first row's number before it, in so many threads.

    The first block is done alone, so that the others know what it found; no more blocks are held
    than two a thread. What `work` raises is raised.
    """
    waiting: list[Future[None]] = []
    with ThreadPoolExecutor(threads) as pool:
        try:
            for number, (start, load) in enumerate(parts):
                waiting.append(pool.submit(_one, work, start, load))
                if number == 0 or len(waiting) > 2 * threads:
                    waiting.pop(0).result()
            for future in waiting:
                future.result()
        finally:
            for future in waiting:
                future.cancel()


def _one(work: Callable[[int, Block], None], start: int, load: Callable[[], Block]) -> None:
    work(start, load())


class _Search:
    """A batch of queries, and the nearest rows so far."""

    def __init__(self, queries: Floats, k: int, threshold: float | None) -> None:
        self._given = queries
        self._queries, good = unit(queries)
        self._margin = margin(queries.shape[1])
        self._above = -np.inf if threshold is None else threshold
        self._lock = Lock()
        self.rows = np.full((len(queries), k), NONE, np.int64)
        self.values = np.full((len(queries), k), -np.inf)
        # What a product must reach to be looked at again: the least of the k, less what a product
        # may be off. Infinite where the query itself is no direction.
        self._floor = np.full(len(queries), self._above - self._margin, np.float32)
        if good is not None:
            self._floor[~good] = np.inf

    def add(self, start: int, block: Floats) -> None:
        """Take a block in, whose first row has this number; any thread may call it."""
        scaled, good = unit(block)
        products = self._queries @ scaled.T
        if good is not None:
            products[:, ~good] = -np.inf
        floor = self._floor
        # Most blocks have nothing new for most queries, and a maximum is the cheapest to find.
        some = np.flatnonzero(products.max(1) >= floor)
        if not len(some):
            return
        query, column = self._reaching(products[some], floor[some])
        query = some[query]
        for at in range(0, len(query), _PIECE):
            q, c = query[at:at + _PIECE], column[at:at + _PIECE]
            values = cosines(self._given[q], block[c])
            more = values > self._above
            self._merge(q[more], start + c[more], values[more])

    def _reaching(self, products: Floats, floor: Floats) -> tuple[Indices, Indices]:
        """Which products, by query and column, may belong to the k greatest."""
        near = products >= floor[:, None]
        k = self.rows.shape[1]
        many = np.flatnonzero(near.sum(1) > 4 * k + 64)
        if len(many) and k < products.shape[1]:
            # Of those within this block too no more than k can count.
            least = np.partition(products[many], -k, axis=1)[:, -k]
            higher = np.maximum(floor[many], least - 2 * np.float32(self._margin))
            near[many] = products[many] >= higher[:, None]
        near &= products > -np.inf
        query, column = np.nonzero(near)
        return query, column

    def _merge(self, query: Indices, row: Indices, value: Doubles) -> None:
        k = self.rows.shape[1]
        with self._lock:
            some = np.unique(query)
            query = np.concatenate([query, np.repeat(some, k)])
            row = np.concatenate([row, self.rows[some].ravel()])
            value = np.concatenate([value, self.values[some].ravel()])
            order = np.lexsort((row, -value, query))
            first = np.searchsorted(query[order], some)
            kept = order[first[:, None] + np.arange(k)]
            self.rows[some], self.values[some] = row[kept], value[kept]
            floor = self._floor.copy()
            least = self.values[some, -1] - self._margin
            floor[some] = np.maximum(floor[some], least.astype(np.float32))
            self._floor = floor
