# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Clusters: those of SciPy over all rows at once, numbered by size, and no chains."""

import numpy as np
import pytest
from scipy.cluster import hierarchy

from efm3 import Efm3Error
from efm3.index import _sparse as sparse
from efm3.index import clusters as module
from efm3.index.clusters import clusters
from efm3.index.vectors import Held
from tests.indexed import directions

NEEDS = ("scipy",)


def people(seed, count, shots, noise):
    """Rows of so many people, mixed, and whose they are."""
    rng = np.random.default_rng(seed)
    whose = rng.permutation(np.repeat(np.arange(count), shots))
    rows = directions(count, 16, seed)[whose] + noise * rng.standard_normal((len(whose), 16))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), whose


def pairs(labels):
    """Which pairs of rows have one label."""
    same = (labels[:, None] == labels) & (labels >= 0)
    np.fill_diagonal(same, False)
    return same


@pytest.mark.parametrize("linkage", ["complete", "average"])
@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.8])
def test_equal_to_all_rows_at_once(linkage, threshold):
    for seed in range(5):
        rows, _ = people(seed, 12, 6, 0.15)
        rows[3] = np.nan
        there = np.arange(len(rows)) != 3
        wide = rows[there].astype(np.float64)
        wide /= np.linalg.norm(wide, axis=1, keepdims=True)
        upper = np.triu_indices(len(wide), 1)
        tree = hierarchy.linkage(np.maximum(1 - wide @ wide.T, 0)[upper], linkage)
        want = hierarchy.fcluster(tree, 1 - threshold, "distance")
        found = clusters(Held(rows), threshold, linkage)
        assert found.cluster[3] == module.MISSING and np.isnan(found.similarity[3])
        assert np.array_equal(pairs(found.cluster[there]), pairs(want))


def test_people_are_found_and_numbered_by_size():
    rows, whose = people(1, 8, 1, 0)
    rows, whose = np.repeat(rows, range(1, 9), 0), np.repeat(whose, range(1, 9))
    order = np.random.default_rng(2).permutation(len(rows))
    found = clusters(Held(rows[order]), 0.9)
    assert found.sizes.tolist() == [8, 7, 6, 5, 4, 3, 2]
    assert (found.cluster == -1).sum() == 1
    assert np.array_equal(pairs(found.cluster), pairs(whose[order]))
    assert np.allclose(found.similarity[found.cluster >= 0], 1)


def test_of_equal_sizes_the_first_row_decides():
    a, b, c = directions(3)
    found = clusters(Held(np.stack([c, a, b, a, b])), 0.99)
    assert found.cluster.tolist() == [-1, 0, 1, 0, 1]


def test_a_chain_does_not_make_one_person_of_two():
    angle = np.radians(np.arange(0, 91, 5))
    rows = np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32)
    found = clusters(Held(rows), np.cos(np.radians(22)))
    inside = [angle[found.cluster == k] for k in range(len(found.sizes))]
    assert len(inside) > 1 and max(np.ptp(a) for a in inside) < np.radians(22)


def test_more_than_memory_holds_is_refused(monkeypatch):
    monkeypatch.setattr(module, "MOST", 5)
    rows = np.repeat(directions(2), [5, 6], 0)
    with pytest.raises(Efm3Error, match=r"B023.*6 rows hang together.*--linkage complete"):
        clusters(Held(rows), 0.9, "average")
    assert clusters(Held(rows[:-1]), 0.9, "average").sizes.tolist() == [5, 5]
    assert clusters(Held(rows), 0.9).sizes.tolist() == [6, 5]
    monkeypatch.setattr(module, "MOST_PAIRS", 14)
    with pytest.raises(Efm3Error, match=r"B023.*6 rows.*more than 14 pairs.*higher --threshold"):
        clusters(Held(rows), 0.9)


@pytest.mark.parametrize("noise,threshold", [(0.1, 0.3), (0.2, 0.5), (0.4, 0.2), (0.15, 0.8)])
def test_out_of_near_pairs_it_is_what_all_distances_give(noise, threshold, monkeypatch):
    for seed in range(12):
        rows, _ = people(seed, 15, 7, noise)
        rows[5:9] = rows[20]  # equal rows are at no distance, in any order
        want = clusters(Held(rows), threshold)
        with monkeypatch.context() as patch:
            patch.setattr(module, "MOST", 1)
            patch.setattr(sparse, "_BLOCK", 1000)
            found = clusters(Held(rows), threshold, threads=2)
        assert np.array_equal(found.cluster, want.cluster)


@pytest.mark.parametrize("side", [2, 3, 5])
def test_of_equal_distances_any_order_is_complete_linkage(side, monkeypatch):
    """Points of a grid have hardly a distance of their own: the result need not be SciPy's, but
    each pair of a cluster is near, and no two clusters could be joined."""
    grid = np.stack(np.meshgrid(*[np.arange(-side, side + 1)] * 2), -1).reshape(-1, 2)
    rows = np.c_[grid, np.full(len(grid), 2 * side)].astype(np.float32)
    monkeypatch.setattr(module, "MOST", 1)
    for threshold in (0.7, 0.9, 0.97):
        found = clusters(Held(rows), threshold).cluster
        own = np.where(found < 0, found.max() + 1 + np.arange(len(found)), found)
        wide = rows / np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
        near = 1 - wide @ wide.T < 1 - threshold + 1e-12
        within = [near[np.ix_(own == k, own == k)].all() for k in np.unique(own)]
        assert all(within)
        sure = 1 - wide @ wide.T < 1 - threshold - 1e-12
        assert not any(sure[np.ix_(own == a, own == b)].all()
                       for a in np.unique(own) for b in np.unique(own) if a < b)


def test_nothing_is_alike():
    found = clusters(Held(np.eye(4, dtype=np.float32)), 0.5)
    assert found.cluster.tolist() == [-1] * 4 and found.sizes.tolist() == []
