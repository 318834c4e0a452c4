# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The nearest rows are those of a full sort, whatever the blocks, the threads and the numbers."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efm3.index import top as module
from efm3.index.top import NONE, over_blocks, top
from efm3.index.vectors import Held, Streamed
from tests.indexed import directions


def by_sort(queries, rows, k, threshold):
    """All cosines in double precision, sorted; equal ones by row."""
    rows, out = rows.astype(np.float64), []
    with np.errstate(invalid="ignore", divide="ignore"):
        for query in queries.astype(np.float64):
            length = np.sqrt((rows * rows).sum(1)) * np.sqrt((query * query).sum())
            cosine = np.clip((rows * query).sum(1) / length, -1, 1)
            order = np.lexsort((np.arange(len(rows)), -cosine))
            good = [i for i in order if np.isfinite(cosine[i])
                    and (threshold is None or cosine[i] > threshold)][:k]
            out.append([(int(i), float(cosine[i])) for i in good])
    return out


def found(hits):
    return [[(int(r), float(s)) for r, s in zip(rows, cosines, strict=True) if r != NONE]
            for rows, cosines in zip(hits.rows, hits.similarity, strict=True)]


KINDS = {
    "any": lambda rng, shape: rng.standard_normal(shape),
    "ties": lambda rng, shape: rng.choice([-0.5, 0.5], shape),
    "close": lambda rng, shape: 1 + 1e-6 * rng.standard_normal(shape),
    "lengths": lambda rng, shape: rng.standard_normal(shape) * 10.0 ** rng.integers(
        -18, 18, (shape[0], 1)),
}


@settings(max_examples=25, deadline=None)
@given(kind=st.sampled_from(sorted(KINDS)), seed=st.integers(0, 999), count=st.integers(1, 400),
       dim=st.integers(1, 33), k=st.integers(1, 30), threshold=st.sampled_from([None, 0.0, 0.9]),
       threads=st.integers(1, 3), repeat=st.booleans(), holes=st.booleans(), streamed=st.booleans())
def test_equal_to_a_full_sort(kind, seed, count, dim, k, threshold, threads, repeat, holes,
                              streamed):
    rng = np.random.default_rng(seed)
    rows = KINDS[kind](rng, (count, dim))
    if kind in ("any", "close"):
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows = rows.astype(np.float32)
    if repeat:
        rows[rng.integers(0, count, count // 2)] = rows[0]
    queries = np.concatenate([rows[:2], directions(3, dim, seed)])
    if holes:
        rows[rng.random(count) < 0.1] = np.nan
        rows[rng.random(count) < 0.1] = 0
        queries[-1] = np.inf
    source = Streamed(lambda n: (rows[i:i + n] for i in range(0, count, n)), count, dim, "x") \
        if streamed else Held(rows)
    old, module.rows_of = module.rows_of, lambda dim, beside=0: 64
    try:
        assert found(top(queries, source, k, threshold, threads)) == by_sort(
            queries, rows, k, threshold)
    finally:
        module.rows_of = old


def test_rows_that_only_get_nearer_are_all_seen():
    """Ascending order: each block has something new for the query."""
    query = directions(1, 16)
    mix = np.linspace(0, 1, 5000)[:, None]
    rows = (mix * query + (1 - mix) * directions(1, 16, 9)).astype(np.float32)
    assert found(top(query, Held(rows), 40, None, 2)) == by_sort(query, rows, 40, None)


def test_more_queries_than_a_batch():
    rows = directions(300, 8)
    old, module.BATCH = module.BATCH, 64
    try:
        assert found(top(rows, Held(rows), 3)) == by_sort(rows, rows, 3, None)
    finally:
        module.BATCH = old


def test_places_that_are_left_over():
    hits = top(directions(2), Held(directions(3)), 5)
    assert hits.rows.shape == hits.similarity.shape == (2, 5)
    assert (hits.rows[:, 3:] == NONE).all() and np.isnan(hits.similarity[:, 3:]).all()


@pytest.mark.parametrize("queries,k", [(directions(1, 7), 1), (directions(1)[0], 1),
                                       (directions(1), 0)])
def test_other_shapes(queries, k):
    with pytest.raises(ValueError, match="embeddings of 8"):
        top(queries, Held(directions(3)), k)


def test_few_blocks_are_held_and_what_is_raised_ends_it():
    held, most, lock = 0, 0, threading.Lock()

    def parts():
        nonlocal held, most
        for i in range(100):
            with lock:
                held += 1
                most = max(most, held)
            yield i, lambda: directions(1)

    def work(start, block):
        nonlocal held
        with lock:
            held -= 1
        if start == 90:
            raise OSError("no more")
    with pytest.raises(OSError, match="no more"):
        over_blocks(parts(), work, 2)
    assert most <= 6
