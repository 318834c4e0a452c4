# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""examples/*.png stay as they are, and the trained weights tell them apart."""

import hashlib

import numpy as np
import pytest

import efm3
from efm3 import engine
from efm3.pictures import decode
from tests.loading import ROOT

FOLDER = ROOT / "examples"
KEPT = "fb14c925e9d621baded6dd5802cd1d5fcfbd7a6a23cd883a94fe751421277511"
"""SHA-256 of every file's name, a zero byte and its SHA-256, in the order of names. What other
runtimes compute for these twelve is on record, and the format that drew them has ended."""


def test_the_pictures_are_kept_byte_for_byte():
    found = hashlib.sha256()
    for path in sorted(FOLDER.glob("*.png")):
        found.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    assert found.hexdigest() == KEPT


def test_one_persons_pictures_are_nearer_to_each_other_than_to_others():
    pytest.importorskip("PIL", reason="Pillow is not installed")
    if not engine.available():
        pytest.skip("the C engine was not built")
    paths = sorted(FOLDER.glob("*.png"))
    people = np.array([p.name[0] for p in paths])
    assert [*people] == [letter for letter in "abcd" for _ in range(3)]
    with efm3.Engine(ROOT / "weights/facex_nano.bin") as nano:
        e = nano.embed(np.stack([decode(p.read_bytes(), False) for p in paths]))
    similarity = e @ e.T
    same = people[:, None] == people
    np.fill_diagonal(same, False)
    other = people[:, None] != people
    assert similarity[same].mean() > similarity[other].mean() + 0.2
    for row, mine, theirs in zip(similarity, same, other, strict=True):
        assert row[mine].max() > row[theirs].mean()
