# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Rows that chains of pairs above a threshold hold together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efm3.index import _together
from efm3.index.vectors import Held
from tests.indexed import directions


def by_walking(rows, threshold):
    """Each row's set, by its first row, from all cosines in double precision."""
    rows = rows.astype(np.float64)
    length = np.sqrt((rows * rows).sum(1))
    with np.errstate(invalid="ignore", divide="ignore"):
        near = np.array([np.clip((rows * r).sum(1) / (length * n), -1, 1) > threshold
                         for r, n in zip(rows, length, strict=True)])
    out = np.full(len(rows), -1)
    for i in np.flatnonzero(np.isfinite(length) & (length > 0)):
        todo = [i] if out[i] < 0 else []
        while todo:
            j = todo.pop()
            if out[j] < 0:
                out[j] = i
                todo += np.flatnonzero(near[j]).tolist()
    return out


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999), count=st.integers(1, 260), dim=st.integers(2, 12),
       threshold=st.sampled_from([-0.3, 0.0, 0.5, 0.8, 0.97]), ties=st.booleans(),
       threads=st.integers(1, 3), holes=st.booleans())
def test_sets(seed, count, dim, threshold, ties, threads, holes):
    rng = np.random.default_rng(seed)
    rows = rng.choice([-0.5, 0.5], (count, dim)).astype(np.float32) if ties else \
        directions(count, dim, seed)
    if holes:
        rows[rng.random(count) < 0.1] = np.nan
        rows[rng.random(count) < 0.1] = 0
    old, _together.rows_of = _together.rows_of, lambda dim: 64
    try:
        assert np.array_equal(_together.sets(Held(rows), threshold, threads),
                              by_walking(rows, threshold))
    finally:
        _together.rows_of = old


@pytest.mark.parametrize("threshold,sets", [(0.99, 1), (0.9999, 300)])
def test_a_chain_is_one_set(threshold, sets):
    """300 rows a degree apart, mixed: the ends are far from one another."""
    angle = np.radians(np.random.default_rng(1).permutation(300))
    rows = np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32)
    assert len({*_together.sets(Held(rows), threshold).tolist()}) == sets
