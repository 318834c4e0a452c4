# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Copies of pictures: found, each near the one that is kept, and never a picture of others."""

import numpy as np
import pytest

from efm3.index import duplicates as module
from efm3.index.duplicates import duplicates
from efm3.index.library import Library
from tests.indexed import directions, rows, table


def turned(vector, degrees, seed=5):
    """A direction so many degrees away."""
    other = directions(1, len(vector), seed)[0].astype(float)
    other -= vector * (other @ vector)
    other /= np.linalg.norm(other)
    angle = np.radians(degrees)
    return (np.cos(angle) * vector + np.sin(angle) * other).astype(np.float32)


A, B, C = directions(3, 8, 3)
NEAR, FAR = 10, 40  # degrees: cosines 0.985, 0.77


def groups(tmp_path, vectors, names=(), boxes=None, threshold=0.95, name="x.npz"):
    path = table(tmp_path / name, rows(np.stack(vectors), names, boxes))
    with Library([path]) as library:
        found = duplicates(library, threshold, 2)
    assert [round(c.similarity, 3) > threshold for g in found.groups for c in g.copies].count(
        False) == 0
    return found, {g.keep: [c.path for c in g.copies] for g in found.groups}


def test_the_first_is_kept_and_its_copies_told(tmp_path):
    found, told = groups(tmp_path, [A, B, turned(A, NEAR), C, A, turned(B, NEAR), turned(C, FAR)])
    assert told == {"0000.jpg": ["0002.jpg", "0004.jpg"], "0001.jpg": ["0005.jpg"]}
    assert (found.compared, found.left_out) == (7, 0)
    assert found.groups[0].copies[0].similarity == pytest.approx(np.cos(np.radians(NEAR)), abs=1e-6)
    assert found.groups[0].copies[1].similarity == pytest.approx(1, abs=1e-9)


def test_each_copy_is_near_the_one_that_is_kept(tmp_path):
    """A chain, each link 15 degrees: what is two links away from what is kept is no copy of it."""
    chain = [turned(A, 15 * i) for i in range(5)]
    _, told = groups(tmp_path, chain)
    assert told == {"0000.jpg": ["0001.jpg"], "0002.jpg": ["0003.jpg"]}


def test_the_larger_face_is_kept(tmp_path):
    def box(side):
        return (0.0, 0.0, float(side), float(side))
    vectors = [A, turned(A, NEAR), A, B, B]
    boxes = {0: box(100), 1: box(200), 2: box(100), 3: box(100), 4: box(103)}
    _, told = groups(tmp_path, vectors, boxes=boxes)
    assert told == {"0001.jpg": ["0000.jpg", "0002.jpg"], "0003.jpg": ["0004.jpg"]}


def test_of_equal_faces_the_larger_file_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for i, size in enumerate((5, 9, 7)):
        (tmp_path / f"{i:04}.jpg").write_bytes(bytes(size))
    _, told = groups(tmp_path, [A, A, A, A])
    assert told == {"0001.jpg": ["0000.jpg", "0002.jpg", "0003.jpg"]}


def test_all_faces_must_be_alike(tmp_path):
    names = ["ab", "ab", "a", "ba", "ba", "ac", "ac", "aa", "aa"]
    _, told = groups(tmp_path, [A, B, A, turned(B, NEAR), A, A, C, A, A], names)
    assert told == {"ab": ["ba"]}


def test_a_path_that_stands_twice_is_no_copy_of_itself(tmp_path):
    one = table(tmp_path / "x.npz", rows(np.stack([A, B]), ["a", "b"]))
    two = table(tmp_path / "y.npz", rows(np.stack([A, B]), ["a", "c"]))
    with Library([one, two]) as library:
        found = duplicates(library, 0.95)
    assert [(g.keep, [c.path for c in g.copies]) for g in found.groups] == [("b", ["c"])]
    assert (found.compared, found.left_out) == (3, 1)


def test_pictures_without_an_embedding_are_left_out(tmp_path):
    none = np.full(8, np.nan, np.float32)
    found, told = groups(tmp_path, [none, A, none, A])
    assert told == {"0001.jpg": ["0003.jpg"]} and (found.compared, found.left_out) == (2, 2)


def test_many_copies_of_one_picture_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_PIECE", 7)
    found, told = groups(tmp_path, [A] * 40 + [B] + [A] * 5, name="x.csv")
    assert len(told) == 1 and len(found.groups[0].copies) == 44


def test_a_picture_of_a_crowd_is_left_alone(tmp_path):
    names = ["x"] * 65 + ["y"] * 65
    found, told = groups(tmp_path, [A] * 130, names)
    assert told == {} and (found.compared, found.left_out) == (0, 2)
