# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Tables opened together: one model, rows numbered through, names and embeddings of rows."""

import os

import numpy as np
import pytest

from efm3 import Efm3Error
from efm3.index.library import Library
from efm3.index.vectors import Stored
from tests.indexed import directions, rows, table

FORMS = (".npz", ".npy", ".csv", ".jsonl", ".parquet", "/")
SOME = directions(9)
SOME[4] = np.nan
NAMES = ["a.jpg", "b.jpg", "b.jpg", "c\n.jpg", "bad.jpg", "d.jpg", "é😀.jpg", "f.jpg", "a.jpg"]


def refused(code, call, *args):
    with pytest.raises(Efm3Error) as caught:
        call(*args)
    assert caught.value.code == code, caught.value
    return str(caught.value)


@pytest.mark.parametrize("form", FORMS)
def test_one_table_of_each_form(form, tmp_path):
    if form in (".parquet", "/"):
        pytest.importorskip("pyarrow", reason="pyarrow not installed")
    with Library([table(f"{tmp_path}/x{form}", rows(SOME, NAMES))]) as library:
        assert (library.count, library.dim) == (9, 8)
        vectors = library.vectors()
        assert isinstance(vectors, Stored) == (form in (".npz", ".npy"))
        read = np.concatenate([load() for _, load in vectors.parts(4)])
        assert np.array_equal(read, SOME, equal_nan=True)
        assert library.names(np.array([2, 7, 2])) == {2: ("b.jpg", 1), 7: ("f.jpg", 0)}
        own, embeddings = library.named("b.jpg")
        assert own == [1, 2] and np.array_equal(embeddings, SOME[1:3])
        assert library.named("é😀.jpg")[0] == [6] and library.named("a.jpg")[0] == [0, 8]
        assert "bad.jpg" in refused("B022", library.named, "bad.jpg")
        refused("B022", library.named, "./a.jpg")


def test_several_are_numbered_through(tmp_path):
    paths = [table(tmp_path / "x.npz", rows(SOME[:3], NAMES)),
             table(tmp_path / "y.csv", rows(SOME[3:], NAMES[3:]))]
    with Library(paths) as library:
        read = np.concatenate([load() for _, load in library.vectors().parts(2)])
        assert np.array_equal(read, SOME, equal_nan=True)
        assert library.names(np.array([1, 5, 8])) == {1: ("b.jpg", 0), 5: ("d.jpg", 0),
                                                      8: ("a.jpg", 0)}
        assert library.named("d.jpg")[0] == [5]


def test_of_two_models(tmp_path):
    one = table(tmp_path / "x.npz", rows(SOME))
    for other in (table(tmp_path / "y.npz", rows(SOME), model="cd" * 32),
                  table(tmp_path / "z.npz", rows(directions(3, 9)), 9)):
        assert "another model" in refused("B020", Library, [one, other])
        with Library([other]):
            pass


def test_nothing_in_it(tmp_path):
    refused("B021", Library, [table(tmp_path / "x.npz", [])])
    refused("B021", Library, [table(tmp_path / "y.npz", rows(np.full((3, 8), np.nan)))])
    with Library([table(tmp_path / "z.npz", rows(SOME)), str(tmp_path / "x.npz")]) as library:
        assert library.count == 9
        assert sum(len(load()) for _, load in library.vectors().parts(4)) == 9


def test_a_table_that_is_cut_while_it_is_open(tmp_path):
    path = table(tmp_path / "x.npy", rows(SOME))
    with Library([path]) as library:
        vectors = library.vectors()
        os.truncate(path, 200)
        refused("B024", lambda: [load() for _, load in vectors.parts(4)])


@pytest.mark.parametrize("stated,found", [(0.4, 0.4), (-1, -1.0), (2, None), (True, None),
                                          ("0.4", None), (float("nan"), None), (None, None)])
def test_the_threshold_that_a_table_states(stated, found, tmp_path):
    extra = {} if stated is None else {"threshold": stated}
    with Library([table(tmp_path / "x.npz", rows(SOME), **extra)]) as library:
        stated = library.stated_threshold()
        assert (stated and stated.value) == found


@pytest.mark.parametrize("form", FORMS)
def test_each_form_states_a_threshold_and_where_it_is_from(form, tmp_path):
    if form in (".parquet", "/"):
        pytest.importorskip("pyarrow", reason="pyarrow not installed")
    for origin, known in (("meta", "table"), ("rule_of_thumb", "rule_of_thumb")):
        path = f"{tmp_path}/{origin}{form}"
        with Library([table(path, rows(SOME), threshold=0.25, threshold_from=origin)]) as library:
            assert library.stated_threshold()[:2] == (0.25, known)
