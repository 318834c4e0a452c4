# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 embed`: pictures from files, and what comes out."""

import json

import numpy as np
import pytest

import efm3
from efm3 import mirror, reference, untrained
from efm3.conformance import sample


@pytest.fixture
def scene(tmp_path):
    (tmp_path / "w.bin").write_bytes(untrained.dumps(sample.ARCH, 1))
    for i, picture in enumerate(untrained.images(4, 2)):
        np.save(tmp_path / f"{i}.npy", picture)
    return tmp_path


def test_forms_agree_with_the_reference(cli, scene):
    pictures = [scene / "0.npy", scene / "1.npy"]
    want = reference.forward(efm3.load(scene / "w.bin"), reference.prepare(untrained.images(4, 2)))
    rows = json.loads(cli("embed", scene / "w.bin", *pictures).stdout)["embeddings"]
    assert np.abs(np.array([r["embedding"] for r in rows]) - want).max() < 1e-5
    for form in ("npy", "json", "csv"):
        assert cli("embed", scene / "w.bin", *pictures, "-o", scene / f"x.{form}").exit_code == 0
    assert np.abs(np.load(scene / "x.npy") - want).max() < 1e-5
    lines = (scene / "x.csv").read_text().splitlines()
    assert np.abs(np.array([[float(v) for v in x.split(",")[1:]] for x in lines]) - want).max() \
        < 1e-5


def test_refusals(cli, scene):
    weights = scene / "w.bin"
    np.save(scene / "small.npy", np.zeros((10, 10, 3), np.uint8))
    np.save(scene / "float.npy", np.zeros((112, 112, 3)))
    np.save(scene / "objects.npy", np.array([{}], object), allow_pickle=True)
    (scene / "cut.npy").write_bytes((scene / "0.npy").read_bytes()[:100])
    for name in ("small", "float", "objects", "cut"):
        result = cli("embed", weights, scene / f"{name}.npy")
        assert result.exit_code == 1 and result.stderr.startswith("Error: "), name
    assert cli("embed", weights, scene / "none.npy").exit_code == 3
    assert cli("embed", weights, scene / "0.npy", "-o", "x.txt").exit_code == 2
    assert cli("embed", weights).exit_code == 2
    assert cli("embed", weights, scene / "0.npy", "--isa", "mmx").exit_code == 1


def test_pictures(cli, scene):
    image = pytest.importorskip("PIL.Image", reason="Pillow is an extra")
    picture = image.fromarray(untrained.images(4, 2)[0])
    picture.save(scene / "a.png")
    picture.resize((200, 150)).save(scene / "b.png")
    (scene / "c.png").write_bytes(b"\x89PNG junk")
    same = json.loads(cli("embed", scene / "w.bin", scene / "a.png", scene / "0.npy").stdout)
    a, b = (np.array(r["embedding"]) for r in same["embeddings"])
    assert np.array_equal(a, b)
    assert cli("embed", scene / "w.bin", scene / "b.png").exit_code == 1
    assert cli("embed", scene / "w.bin", scene / "b.png", "--resize").exit_code == 0
    assert cli("embed", scene / "w.bin", scene / "c.png").exit_code == 1


def test_a_turned_file(cli, scene):
    model = efm3.load(scene / "w.bin")
    model.mirror = mirror.as_turned(model.mirror)
    model.save(scene / "t.bin")
    want = reference.forward(efm3.load(scene / "w.bin"),
                             reference.turn(reference.prepare(untrained.images(4, 2))))[0]
    (row,) = json.loads(cli("embed", scene / "t.bin", scene / "0.npy").stdout)["embeddings"]
    assert np.abs(np.array(row["embedding"]) - want).max() < 1e-5
    model.mirror["meta"]["picture"] = "mirrored"
    data = sample.with_mirror(lambda _: model.mirror)((scene / "t.bin").read_bytes())
    (scene / "t.bin").write_bytes(data)
    result = cli("embed", scene / "t.bin", scene / "0.npy")
    assert result.exit_code == 1 and "E_PICTURE" in result.stderr
