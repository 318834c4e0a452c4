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


@pytest.fixture(autouse=True)
def state(tmp_path_factory, monkeypatch):
    """The user's own folder."""
    folder = tmp_path_factory.mktemp("state")
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    return folder


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
    assert np.allclose(rough.similarity, real, atol=1e-6)
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


@pytest.mark.parametrize("harm", ["graph", "beside", "no list", "none beside", "deep", "no seal",
                                  '"recall": Infinity', '"recall": "all"', '"tried": 1e400',
                                  '"tried": NaN', '"seal": "é\\ud800"', '"seal": 1'])
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
    elif harm == "deep":
        Path(beside).write_text('{"format":' + "[" * 9_000 + "]" * 9_000 + "}")
    elif harm == "no seal":
        stated = json.loads(Path(beside).read_text())
        del stated["seal"]
        Path(beside).write_text(json.dumps(stated))
    elif harm == "none beside":
        os.unlink(beside)
    else:  # of two values of a key the last counts
        Path(beside).write_text(Path(beside).read_text().rstrip("}\n") + f", {harm}}}")
    with pytest.raises(Efm3Error, match=r"B026.*x\.npz\.usearch"):
        opened(path)


def test_a_copied_graph_is_known_by_its_digest(path):
    opened(path)
    os.utime(path + ".usearch", ns=(1, 1))
    assert opened(path).tried == 100


@pytest.mark.parametrize("part", range(4))
def test_a_graph_with_a_digest_to_match_is_never_opened(path, part, monkeypatch):
    """usearch would follow its numbers to any address, and end the process."""
    opened(path)
    graph, beside = Path(path + ".usearch"), Path(path + ".usearch.json")
    data = bytearray(graph.read_bytes())
    start = len(data) * part // 4
    data[start:start + 400] = b"\xff" * 400
    graph.write_bytes(data)
    stated = json.loads(beside.read_text())
    stated |= {"sha256": module._digest(str(graph)), "graph": module._same(str(graph))}
    beside.write_text(json.dumps(stated))
    monkeypatch.setattr("usearch.index.Index.restore", lambda *_, **k: pytest.fail("opened"))
    with pytest.raises(Efm3Error, match=r"B026.*somebody else"):
        opened(path)


def test_another_user_s_graph(path, monkeypatch, tmp_path):
    opened(path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
    with pytest.raises(Efm3Error, match=r"B026.*somebody else"):
        opened(path)
    assert not (tmp_path / "other").exists()
    os.unlink(path + ".usearch")
    assert opened(path).tried == 100 and opened(path).tried == 100


def test_a_row_that_is_none(path):
    found = opened(path)
    found._vectors = Held(SOME[:200])
    with pytest.raises(Efm3Error, match=r"B026.*none of the 200"):
        found(SOME[250:251], 3)


@pytest.mark.parametrize("what", ["full", "no home", "no memory", "key"])
def test_a_graph_that_cannot_be_built(path, what, state, monkeypatch):
    def fails(*_, **__):
        raise RuntimeError("Failed to serialize into stream")
    if what == "full":
        monkeypatch.setattr("usearch.index.Index.save", fails)
    elif what == "no memory":
        monkeypatch.setattr("usearch.index.Index.add", fails)
    elif what == "key":
        (state / "efm3").mkdir()
        (state / "efm3" / "nearest.key").write_bytes(b"short")
    else:
        (state / "file").write_bytes(b"")
        monkeypatch.setenv("XDG_STATE_HOME", str(state / "file"))
    with pytest.raises(Efm3Error, match="B027.*" + {
            "no home": "Not a directory", "key": r"nearest\.key: is no key"}.get(
                what, "Failed to serialize")):
        opened(path)
    assert sorted(os.listdir(os.path.dirname(path))) == ["x.npz", "x.npz.manifest.json"]


def test_cosines_are_the_table_s_own(path):
    """Whatever the graph says; where the table is read in order alone they are the graph's."""
    found = opened(path)
    found._vectors = Held(-SOME)
    assert np.isclose(found(SOME[7:8], 1).similarity, -1).all()
    with Library([table(path[:-4] + ".csv", rows(SOME), 16)]) as library:
        rough = Approximate(library)
    exact = opened(path)(SOME[7:9], 5)
    assert np.allclose(rough(SOME[7:9], 5).similarity, exact.similarity, atol=2e-3)


def test_a_folder_of_parts(tmp_path):
    pytest.importorskip("pyarrow", reason="pyarrow not installed")
    path = table(f"{tmp_path}/x/", rows(SOME), 16)
    assert opened(path).recall > 0.9 and os.path.isfile(tmp_path / "x.usearch")
    assert module._state(path)[0] > 300 * 64
