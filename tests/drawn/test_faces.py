# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Identities and shots as a data set, and as a cache."""

import json

import numpy as np
import pytest
import torch

from efm3 import drawn as synth
from efm3.drawn import faces as module

NEEDS = ("torch",)


def small(**options):
    return synth.Faces(2, 5, 3, 2, **options)


@pytest.fixture(scope="module")
def faces():
    return synth.Faces(11, 0, 6, 4)


@pytest.fixture(scope="module")
def pictures(faces):
    return faces.batch(range(len(faces)))[0]


def test_form(faces, pictures):
    assert pictures.shape == (24, 3, 112, 112) and pictures.dtype == torch.uint8
    labels = faces.batch([0, 5, 23])[1]
    assert labels.tolist() == [0, 1, 5] and labels.dtype == torch.int64
    assert (len(faces), faces.classes) == (24, 6)
    picture, label = faces[5]
    assert label == 1 and torch.equal(picture, pictures[5])
    with pytest.raises(IndexError):
        faces.batch([24])
    with pytest.raises(IndexError):
        faces.batch([-1])


@pytest.mark.parametrize("size", [1, 5, 17])
def test_a_batch_may_be_split_anywhere(faces, pictures, size):
    parts = [faces.batch(range(at, min(at + size, 24)))[0] for at in range(0, 24, size)]
    assert torch.equal(torch.cat(parts), pictures)


def test_order_and_first_do_not_matter(faces, pictures):
    assert torch.equal(faces.batch([20, 3, 3])[0], pictures[[20, 3, 3]])
    assert torch.equal(synth.Faces(11, 4, 2, 4).batch(range(8))[0], pictures[16:])


def test_cache(tmp_path):
    told = []
    folder = synth.cache(tmp_path / "c", small(), batch=4, progress=told.append)
    assert told == [4, 6]
    images = np.load(folder / "images.npy", mmap_mode="r")
    assert torch.equal(torch.from_numpy(images.copy()), small().batch(range(6))[0])
    assert np.load(folder / "labels.npy").tolist() == [0, 0, 1, 1, 2, 2]
    assert json.loads((folder / "synth.json").read_text())["seed"] == 2
    assert sorted(p.name for p in folder.iterdir()) == ["images.npy", "labels.npy", "synth.json"]


def test_a_finished_cache_is_kept_whatever_is_asked_for(tmp_path):
    folder, told = synth.cache(tmp_path, small()), []
    synth.cache(tmp_path, small(), progress=told.append)
    assert not told
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    with pytest.raises(OSError, match="other pictures"):
        synth.cache(tmp_path, small(spread=0.5), progress=told.append)
    (folder / "synth.json").rename(tmp_path / "kept")
    with pytest.raises(OSError, match="not empty"):
        synth.cache(tmp_path, small(), progress=told.append)
    (tmp_path / "kept").rename(folder / "synth.json")
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before and not told


def test_a_broken_cache_has_no_synth_json(tmp_path, monkeypatch):
    def fail(self, indices):
        raise RuntimeError("out of memory")
    with monkeypatch.context() as broken:
        broken.setattr(module.Faces, "batch", fail)
        with pytest.raises(RuntimeError):
            synth.cache(tmp_path, small())
    assert [p.name for p in tmp_path.iterdir()] == ["synth.part.json"]
    synth.cache(tmp_path, small())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["images.npy", "labels.npy", "synth.json"]


def test_no_identities_are_none():
    with pytest.raises(ValueError, match="found 0, 0, 3"):
        synth.Faces(1, 0, 0, 3)
