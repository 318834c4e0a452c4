# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""examples/*.png are what the generator draws, and the trained weights tell them apart."""

import sys

import numpy as np
import pytest

import efm3
from efm3 import engine
from efm3.pictures import decode
from tests.loading import ROOT
from tools.gen import examples

FOLDER = ROOT / "examples"


@pytest.fixture
def main(monkeypatch):
    pytest.importorskip("torch", reason="PyTorch is not installed: make test-extras runs this")
    module = examples
    monkeypatch.setattr(sys, "argv", ["make_examples", "--check"])
    return module


def test_the_pictures_are_the_generators(main):
    assert main.main() == 0


def test_another_picture_a_missing_and_a_strange_one_are_named(main, monkeypatch, tmp_path, capsys):
    for path in FOLDER.glob("*.png"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "a_1.png").write_bytes((FOLDER / "b_1.png").read_bytes())
    (tmp_path / "a_2.png").unlink()
    (tmp_path / "e_1.png").write_bytes((FOLDER / "b_1.png").read_bytes())
    monkeypatch.setattr(main, "FOLDER", tmp_path)
    assert main.main() == 1
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == [
        "examples/a_1.png", "examples/a_2.png", "examples/e_1.png"]


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
