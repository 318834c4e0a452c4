# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The graph beside a table: built once, held to what is stated of it, near to the exact search."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from efm3 import Efm3Error
from efm3.index import approximate as module
from efm3.index.approximate import Approximate
from efm3.index.library import Library
from efm3.index.top import NONE, top
from efm3.index.vectors import Held
from tests.indexed import directions, rows, table

NEEDS = ("usearch",)
SOME = directions(300, 16)
SOME[5] = np.nan


@pytest.fixture
def path(tmp_path):
    return table(tmp_path / "x.npz", rows(SOME), 16)


def opened(path):
    with Library([path]) as library:
        return Approximate(library, 2)


def test_near_to_the_exact_search(path):
    found = opened(path)
    assert found.recall > 0.9 and found.tried == 100
    queries = directions(20, 16, 7)
    exact, rough = top(queries, Held(SOME), 10), found(queries, 10)
    assert np.mean([np.isin(a, b).mean() for a, b in zip(exact.rows, rough.rows, strict=True)]
                   ) > 0.9
    assert 5 not in rough.rows
    real = (SOME[rough.rows].astype(float) * queries[:, None]).sum(2)
    assert np.allclose(rough.similarity, real, atol=2e-3)
    assert (np.diff(rough.similarity) <= 0).all()
    above = found(queries, 10, 0.5)
    assert (above.similarity[above.rows != NONE] > 0.5).all() and (above.rows == NONE).any()


def test_few_rows_and_queries_that_are_none(tmp_path):
    found = opened(table(tmp_path / "y.npz", rows(SOME[3:7]), 16))
    hits = found(np.stack([SOME[3], SOME[5]]), 10)
    assert sorted(hits.rows[0][:3].tolist()) == [0, 1, 3] and (hits.rows[0][3:] == NONE).all()
    assert (hits.rows[1] == NONE).all() and np.isnan(hits.similarity[1]).all()
    assert found(SOME[3:4], 2).rows.shape == (1, 2)


def test_it_is_built_once_and_again_for_another_state(path, monkeypatch):
    opened(path)
    built = []
    build = Approximate._build
    monkeypatch.setattr(Approximate, "_build", lambda *a: built.append(1) or build(*a))
    opened(path)
    assert built == []
    os.utime(path, ns=(1, 1))
    opened(path)
    assert built == [1]
    assert sorted(os.listdir(os.path.dirname(path))) == [
        "x.npz", "x.npz.manifest.json", "x.npz.usearch", "x.npz.usearch.json"]


@pytest.mark.parametrize("harm", ["graph", "beside", "no list", "none beside", "recall"])
def test_a_foreign_or_damaged_file_is_refused(path, harm):
    opened(path)
    graph, beside = path + ".usearch", path + ".usearch.json"
    if harm == "graph":
        with open(graph, "r+b") as f:
            f.seek(100)
            f.write(b"\xff" * 50)
        os.utime(graph, ns=(1, 1))
    elif harm == "beside":
        Path(beside).write_text("{")
    elif harm == "no list":
        Path(beside).write_text("[]")
    elif harm == "recall":
        stated = json.loads(Path(beside).read_text()) | {"recall": "all"}
        Path(beside).write_text(json.dumps(stated))
    else:
        os.unlink(beside)
    with pytest.raises(Efm3Error, match=r"B026.*x\.npz\.usearch"):
        opened(path)


def test_a_copied_graph_is_known_by_its_digest(path):
    opened(path)
    os.utime(path + ".usearch", ns=(1, 1))
    assert opened(path).tried == 100


def test_a_folder_of_parts(tmp_path):
    pytest.importorskip("pyarrow", reason="pyarrow not installed")
    path = table(f"{tmp_path}/x/", rows(SOME), 16)
    assert opened(path).recall > 0.9 and os.path.isfile(tmp_path / "x.usearch")
    assert module._state(path)[0] > 300 * 64
