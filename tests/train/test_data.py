# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Readers of training data: folders, caches, drawn identities; corrupt pictures are counted."""

import json
import os

import numpy as np
import pytest
import torch
from PIL import Image

from efm3 import Efm3Error
from efm3.train import data
from efm3.train.data import _cache

NEEDS = ("torch", "PIL",)


def picture(number, side=112):
    """A picture whose colour says its number, losslessly."""
    return np.full((side, side, 3), (number, 255 - number, 7), np.uint8)


def save(path, number, **kw):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(number, **kw)).save(path)


@pytest.fixture
def tree(tmp_path):
    """Identities a (1, 2, 3), b (4; 5 below another folder), d (6); c has no picture."""
    for name, number in (("a/1.png", 1), ("a/2.png", 2), ("a/3.PNG", 3), ("b/4.png", 4),
                         ("b/more/5.png", 5), ("d/6.png", 6)):
        save(tmp_path / name, number)
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "notes.txt").write_text("none")
    (tmp_path / "loose.png").write_bytes((tmp_path / "a" / "1.png").read_bytes())
    return tmp_path


def numbers(source):
    return [(int(x[0, 0, 0]), label) for x, label in (source[i] for i in range(len(source)))]


def refused(spec, **kw):
    with pytest.raises(Efm3Error) as e:
        data.open_data(str(spec), **kw)
    f = e.value.finding
    assert f.path and f.found and f.expected
    return f.code


def test_folder(tree):
    source = data.open_data(str(tree))
    assert isinstance(source, data.Source) and isinstance(source, torch.utils.data.Dataset)
    assert source.classes == 3 and len(source) == 6 and source.name == str(tree)
    assert numbers(source) == [(1, 0), (2, 0), (3, 0), (4, 1), (5, 1), (6, 2)]
    x, label = source[3]
    assert x.dtype == torch.uint8 and x.shape == (3, 112, 112) and isinstance(label, int)
    assert torch.equal(x, torch.from_numpy(picture(4)).permute(2, 0, 1)) and x.is_contiguous()
    assert source.skipped == 0 and int(source[-1][0][0, 0, 0]) == 6
    with pytest.raises(IndexError):
        source[6]


def test_other_sizes_are_scaled(tree):
    save(tree / "a" / "1.png", 9, side=300)
    source = data.open_data(str(tree))
    assert source[0][0].shape == (3, 112, 112) and int(source[0][0][0, 50, 50]) == 9
    assert data.open_data(str(tree), side=64)[0][0].shape == (3, 64, 64)


def test_corrupt_pictures_are_counted_and_replaced(tree):
    whole = (tree / "a" / "2.png").read_bytes()
    (tree / "a" / "2.png").write_bytes(whole[:len(whole) // 2])
    (tree / "a" / "3.PNG").write_bytes(b"")
    (tree / "d" / "6.png").write_bytes(b"<html>not found</html>")
    source = data.open_data(str(tree))
    assert numbers(source) == [(1, 0), (4, 1), (4, 1), (4, 1), (5, 1), (1, 0)]
    assert source.skipped == 4
    (tree / "a" / "1.png").unlink()
    assert source[0] is not None and source.skipped == 7


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_the_count_is_one_for_all_workers(tree):
    (tree / "a" / "2.png").write_bytes(b"")
    source = data.open_data(str(tree))
    loader = torch.utils.data.DataLoader(source, batch_size=2, num_workers=2,
                                         collate_fn=data.collate)
    batches = list(loader)
    assert source.skipped == 1
    assert [b[0].shape for b in batches] == [(2, 3, 112, 112)] * 3
    assert torch.cat([b[1] for b in batches]).tolist() == [0, 0, 0, 1, 1, 2]


def test_nothing_that_can_be_decoded(tree):
    for path in tree.rglob("*.[pP]*"):
        path.write_bytes(b"junk")
    source = data.open_data(str(tree))
    with pytest.raises(Efm3Error) as e:
        source[0]
    assert e.value.code == "F025" and source.skipped == 6


def test_wrong_folders(tmp_path):
    assert refused(tmp_path / "none") == "F020"
    assert refused(tmp_path) == "F020"
    (tmp_path / "file.txt").write_text("x")
    assert refused(tmp_path / "file.txt") == "F020"


@pytest.fixture
def cache(tmp_path):
    images = np.stack([picture(n).transpose(2, 0, 1) for n in range(6)])
    np.save(tmp_path / "images.npy", images)
    np.save(tmp_path / "labels.npy", np.array([0, 0, 1, 1, 2, 2]))
    return tmp_path


def test_cache(cache):
    source = data.open_data(str(cache))
    assert source.classes == 3 and len(source) == 6 and source.skipped == 0
    assert numbers(source) == [(n, n // 2) for n in range(6)]
    pictures, labels = source.fetch([5, 0, 3, 3])
    assert pictures.dtype == torch.uint8 and labels.dtype == torch.int64
    assert pictures[:, 0, 0, 0].tolist() == [5, 0, 3, 3] and labels.tolist() == [2, 0, 1, 1]
    loader = torch.utils.data.DataLoader(source, batch_size=3, collate_fn=data.collate)
    assert [b[1].tolist() for b in loader] == [[0, 0, 1], [1, 2, 2]]
    pictures[0] = 0
    assert int(source[5][0][0, 0, 0]) == 5


@pytest.mark.parametrize("name,value", [
    ("images.npy", np.zeros((6, 3, 112, 112), np.float32)),
    ("images.npy", np.zeros((6, 112, 112, 3), np.uint8)),
    ("images.npy", np.zeros((0, 3, 112, 112), np.uint8)),
    ("images.npy", np.zeros((5, 3, 112, 112), np.uint8)),
    ("labels.npy", np.zeros(6, np.float32)), ("labels.npy", np.zeros((6, 1), np.int64)),
    ("labels.npy", np.array([0, 0, 1, 1, 2, -1])), ("labels.npy", np.array([0, 0, 1, 1, 2, 99])),
])
def test_wrong_caches(cache, name, value):
    np.save(cache / name, value)
    assert refused(cache) == "F024"


def test_damaged_caches(cache):
    assert refused(cache, side=64) == "F024"
    whole = (cache / "images.npy").read_bytes()
    (cache / "images.npy").write_bytes(whole[:-5])
    assert refused(cache) == "F024"
    (cache / "images.npy").write_bytes(b"junk")
    assert refused(cache) == "F024"
    np.save(cache / "images.npy", np.array([{}], object), allow_pickle=True)
    assert refused(cache) == "F024"
    (cache / "images.npy").write_bytes(whole)
    (cache / "labels.npy").unlink()
    assert refused(cache) == "F024"


HEADS = [
    b"{'descr': '<i8', 'fortran_order': False, 'shape': (6",
    b"{'descr': '<i8', 'fortran_order': False, 'shape': (True, 2)}",
    b"{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999,)}",
    b"{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 3)}",
    b"{'descr': 'x', 'fortran_order': False, 'shape': (6,)}",
    b"{'descr': '<i8', 'fortran_order': 1, 'shape': (" + b"(" * 3000 + b",)}",
    b"lambda: 1", b"\xff" * 20, b""]


@pytest.mark.parametrize("name", ["images.npy", "labels.npy"])
def test_an_array_of_a_cache_is_a_npy_file_with_a_sound_header(cache, name):
    for head in HEADS:
        text = head + b"\n"
        (cache / name).write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text)
        assert refused(cache) == "F024", head
    np.savez(cache / "other.npz", a=np.zeros(6, np.int64))
    (cache / "other.npz").replace(cache / name)
    assert refused(cache) == "F024", "an archive of arrays is none"
    (cache / name).unlink()
    os.mkfifo(cache / name)
    assert refused(cache) == "F024", "a pipe that nobody writes to is not waited for"


def test_what_drew_a_cache_is_said_by_its_synth_json(cache):
    source = data.open_data(str(cache))
    assert source.facts is None
    facts = {"seed": 8, "first": 3, "classes": source.classes, "shots": len(source)}
    (cache / "synth.json").write_text(json.dumps(facts))
    assert refused(cache) == "F024", "it speaks of more pictures than there are"
    del facts["shots"]
    (cache / "synth.json").write_text(json.dumps({**facts, "note": "/home/me", "kind": [1]}))
    assert data.open_data(str(cache)).facts == facts


class Faces:
    """A stand-in for the generator: the colour is the identity, then the shot."""

    def __init__(self, seed, first, count, shots):
        self.first, self.classes, self.shots = first, count, shots

    def describe(self):
        return {"seed": 1, "first": self.first, "classes": self.classes, "shots": self.shots}

    def __len__(self):
        return self.classes * self.shots

    def batch(self, indices):
        labels = indices // self.shots
        out = torch.zeros(len(indices), 3, 112, 112, dtype=torch.uint8)
        out[:, 0] = (self.first + labels)[:, None, None]
        out[:, 1] = (indices % self.shots)[:, None, None]
        return out, labels


def test_drawn_identities(monkeypatch):
    monkeypatch.setattr(_cache, "Faces", Faces)
    source = data.open_data("synth:1:5:4")
    assert source.classes == 5 and len(source) == 20 and source.name == "synth:1:5:4"
    x, label = source[7]
    assert x.shape == (3, 112, 112) and label == 1 and x[:2, 0, 0].tolist() == [1, 3]
    assert source.fetch([0, 19])[1].tolist() == [0, 4]
    assert int(data.open_data("synth:1:5:4:100")[0][0][0, 0, 0]) == 100
    assert source.facts == {"seed": 1, "first": 0, "classes": 5, "shots": 4}


def test_more_identities_than_memory(monkeypatch):
    def full(*a):
        raise MemoryError
    monkeypatch.setattr(_cache, "Faces", full)
    assert refused("synth:1:2000000000:1") == "F020"


@pytest.mark.parametrize("spec", ["synth:", "synth:1:2", "synth:1:2:3:4:5", "synth:a:2:3",
                                  "synth:1:0:3", "synth:1:2:0", "synth:1:-2:3", "synth:1:²:3"])
def test_wrong_specs(spec, monkeypatch):
    monkeypatch.setattr(_cache, "Faces", Faces)
    assert refused(spec) == "F020"
