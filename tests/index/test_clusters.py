# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Clusters: those of SciPy over all rows at once, numbered by size, and no chains."""

import numpy as np
import pytest
from scipy.cluster import hierarchy

from efm3 import Efm3Error
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
    with pytest.raises(Efm3Error, match=r"B023.*6 rows hang together.*higher --threshold"):
        clusters(Held(rows), 0.9)
    assert clusters(Held(rows[:-1]), 0.9).sizes.tolist() == [5, 5]


def test_nothing_is_alike():
    found = clusters(Held(np.eye(4, dtype=np.float32)), 0.5)
    assert found.cluster.tolist() == [-1] * 4 and found.sizes.tolist() == []
