# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Queries of three kinds, and their answers."""


import numpy as np
import pytest

import efm3
from efm3 import Efm3Error, untrained
from efm3.bulk import embed
from efm3.bulk.inputs import Inputs
from efm3.bulk.row import Row
from efm3.bulk.tables import MANIFEST
from efm3.conformance import sample
from efm3.index import search as module
from efm3.index.library import Library
from efm3.index.search import is_table, of_pictures, of_row, of_table, search
from tests.indexed import OPTIONS, directions, rows, table

SOME = directions(40)
SOME[7] = np.nan


@pytest.fixture
def library(tmp_path):
    with Library([table(tmp_path / "x.npz", rows(SOME))]) as found:
        yield found


def paths(answer):
    return [hit.path for hit in answer.hits]


def test_the_nearest_and_their_names(library):
    answer, = search(library, [Row("q", embedding=SOME[3])], 5)
    cosines = SOME.astype(float) @ SOME[3].astype(float)
    order = [i for i in np.argsort(-cosines, kind="stable") if i != 7][:5]
    assert [hit.row for hit in answer.hits] == order
    assert paths(answer) == [f"{i:04}.jpg" for i in order]
    assert np.allclose([hit.similarity for hit in answer.hits], cosines[order], atol=1e-6)
    assert (answer.path, answer.face, answer.error) == ("q", 0, None)
    above = float(cosines[order[2]])
    answer, = search(library, [Row("q", embedding=SOME[3])], 5, above)
    assert len(answer.hits) in (2, 3) and all(hit.similarity > above for hit in answer.hits)


def test_queries_without_an_embedding_keep_their_place(library, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 3)
    queries = [Row(str(i), embedding=SOME[i]) if i % 3 else Row(str(i), error="F013", reason="no")
               for i in range(10, 20)]
    answers = list(search(library, iter(queries), 1))
    assert [a.path for a in answers] == [str(i) for i in range(10, 20)]
    for i, answer in zip(range(10, 20), answers, strict=True):
        assert [hit.row for hit in answer.hits] == ([i] if i % 3 else [])
        assert (answer.error, answer.reason) == ((None, None) if i % 3 else ("F013", "no"))
    assert list(search(library, [], 1)) == []


def test_a_row_of_the_library_is_no_answer_to_itself(tmp_path):
    names = [f"{i // 2}.jpg" for i in range(40)]
    with Library([table(tmp_path / "x.npz", rows(SOME, names))]) as library:
        queries, own = of_row(library, "5.jpg")
        assert [(q.path, q.face) for q in queries] == [("5.jpg", 0), ("5.jpg", 1)]
        answers = list(search(library, queries, 39, leave_out=own.tolist()))
        assert all(len(a.hits) == 37 and "5.jpg" not in paths(a) for a in answers)


def test_another_table_asks(library, tmp_path):
    other = table(tmp_path / "q.csv", rows(SOME[5:10]))
    answers = list(search(library, of_table(library, other), 1))
    assert [[hit.row for hit in a.hits] for a in answers] == [[5], [6], [], [8], [9]]
    assert answers[2].error == "F013" and answers[2].reason == "no face"
    foreign = table(tmp_path / "r.csv", rows(SOME), model="cd" * 32)
    with pytest.raises(Efm3Error, match="B020"):
        list(of_table(library, foreign))


def test_what_is_a_table(tmp_path):
    np.save(tmp_path / "picture.npy", SOME)
    table(tmp_path / "t.npy", rows(SOME))
    (tmp_path / "folder").mkdir()
    for name, want in (("picture.npy", False), ("t.npy", True), ("x.parquet", True),
                       ("x.JSONL", True), ("a.jpg", False), ("folder", False), ("", False)):
        assert is_table(str(tmp_path / name)) == want, name
    (tmp_path / "folder" / MANIFEST).write_text("{}")
    assert is_table(str(tmp_path / "folder"))


@pytest.fixture
def scene(tmp_path):
    (tmp_path / "w.bin").write_bytes(untrained.dumps(sample.ARCH, 1))
    for i, picture in enumerate(untrained.images(4, 3)):
        np.save(tmp_path / f"{i}.npy", picture)
    (tmp_path / "note.txt").write_text("no picture")
    embed(tmp_path / "w.bin", [tmp_path / f"{i}.npy" for i in range(3)], tmp_path / "x.npz")
    return tmp_path


def test_pictures_ask_as_they_were_embedded(scene):
    with Library([str(scene / "x.npz")]) as library:
        asked = Inputs([str(scene / "2.npy"), str(scene / "note.txt"), str(scene / "0.npy")])
        answers = list(search(library, of_pictures(library, asked, str(scene / "w.bin")), 2))
        assert paths(answers[0])[0] == str(scene / "2.npy")
        assert abs(answers[0].hits[0].similarity - 1) < 1e-6
        assert answers[1].error == "F009" and paths(answers[2])[0] == str(scene / "0.npy")
        (scene / "v.bin").write_bytes(untrained.dumps(sample.ARCH, 2))
        with pytest.raises(Efm3Error, match=r"B020.*v\.bin"):
            list(of_pictures(library, asked, str(scene / "v.bin")))
        sealed = efm3.load(scene / "w.bin")
        sealed.save(scene / "s.bin", seal=True)
        assert len(list(of_pictures(library, asked, str(scene / "s.bin")))) == 3


CENTERFACE = {"name": "centerface"}
ALIGNED = {**OPTIONS, "align": True, "face": "all", "detector": CENTERFACE}


@pytest.mark.parametrize("options,plan", [
    (OPTIONS, (False, "one", "centerface", False)),
    ({**OPTIONS, "resize": True}, (False, "one", "centerface", True)),
    (ALIGNED, (True, "all", "centerface", False)),
    ({**ALIGNED, "detector": {"name": "/etc/x.onnx"}}, (True, "all", "x.onnx", False)),
    ({**ALIGNED, "detector": {"name": "y.onnx", "sha256": "0" * 64}}, "--detector"),
    ({**ALIGNED, "face": "every"}, "do not say"), ({**ALIGNED, "face": [1]}, "do not say"),
    ({**ALIGNED, "resize": True}, "do not say"), ({**ALIGNED, "detector": None}, "do not say"),
    ({**ALIGNED, "align": 1}, "do not say"), ({}, "do not say"),
])
def test_the_options_of_a_table_are_not_trusted(options, plan, library):
    library.tables[0].options = options
    if isinstance(plan, tuple):
        assert module._options(library, None) == plan
        return
    with pytest.raises(Efm3Error, match=f"B025.*{plan}"):
        module._options(library, None)


def test_a_detector_that_the_user_names(library):
    library.tables[0].options = {**ALIGNED, "detector": {"name": "y.onnx", "sha256": "0" * 64}}
    assert module._options(library, "mine/y.onnx") == (True, "all", "mine/y.onnx", False)


def test_pictures_are_embedded_in_the_precision_of_the_table(scene):
    """The first table's; one that states none is older, and of f32. Others may differ."""
    model = scene / "w.bin"
    embed(model, [scene / "1.npy"], scene / "h.npz", precision="high")
    asked = Inputs([str(scene / "0.npy")])
    found = []
    for names in (("h.npz", "x.npz"), ("x.npz", "h.npz")):
        with Library([str(scene / name) for name in names]) as library:
            (row,) = of_pictures(library, asked, str(model))
            found.append(row.embedding)
            del library.tables[0].options["precision"]
            (row,) = of_pictures(library, asked, str(model))
            assert np.array_equal(row.embedding, found[-1]) == (names[0] == "x.npz")
    for precision, row in zip(("high", "f32"), found, strict=True):
        with efm3.Engine(model, precision=precision) as engine:
            assert np.array_equal(engine.embed(np.load(scene / "0.npy")), row)
    assert not np.array_equal(*found) and np.allclose(*found, atol=0.02)


@pytest.mark.parametrize("stated", ["f16", "", None, 1, True, ["fast"], {"fast": 1}])
def test_a_precision_that_is_none_refuses_pictures(scene, stated):
    with Library([str(scene / "x.npz")]) as library:
        library.tables[0].options["precision"] = stated
        with pytest.raises(Efm3Error, match=r"B025.*precision"):
            list(of_pictures(library, Inputs([str(scene / "0.npy")]), str(scene / "w.bin")))


def test_tables_that_were_made_otherwise_refuse_pictures(scene):
    model = efm3.load(scene / "w.bin")
    model.mirror = efm3.mirror.as_turned(model.mirror)
    model.save(scene / "t.bin")
    with Library([str(scene / "x.npz")]) as library:
        asked = Inputs([str(scene / "0.npy")])
        with pytest.raises(Efm3Error, match=r"B025.*turned False, here True"):
            list(of_pictures(library, asked, str(scene / "t.bin")))


