# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 embed`: pictures from files, and what comes out."""

import csv
import json
import os

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
    with open(scene / "x.csv", newline="") as f:
        names, *lines = csv.reader(f)
    assert names == ["image", *(f"e{i}" for i in range(len(want[0])))]
    assert [x[0] for x in lines] == [str(p) for p in pictures]
    assert np.abs(np.array([[float(v) for v in x[1:]] for x in lines]) - want).max() < 1e-5


def test_refusals(cli, scene):
    weights = scene / "w.bin"
    np.save(scene / "small.npy", np.zeros((10, 10, 3), np.uint8))
    np.save(scene / "float.npy", np.zeros((112, 112, 3)))
    np.save(scene / "objects.npy", np.array([{}], object), allow_pickle=True)
    (scene / "cut.npy").write_bytes((scene / "0.npy").read_bytes()[:100])
    (scene / "header.npy").write_bytes(b"\x93NUMPY\1\0\x20\0" + b"(" * 32)
    for name, code in (("small", "F012"), ("float", "F012"), ("objects", "F012"), ("cut", "F010"),
                       ("header", "F010")):
        result = cli("embed", weights, scene / f"{name}.npy")
        assert result.exit_code == 1 and result.stderr.startswith(f"efm3: {code} "), name
        assert f"{name}.npy: " in result.stderr and result.stderr.count("\n") == 1
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


@pytest.mark.parametrize("name", ['a "b", c.npy', "a\nb.npy", "=1+1.npy", b"\xff.npy"])
def test_any_name_is_one_field_of_a_csv(cli, scene, name):
    path = os.path.join(scene, os.fsdecode(name))
    try:
        (scene / "0.npy").rename(path)
    except OSError as e:
        pytest.skip(f"this file system refuses the name: {e}")
    assert cli("embed", scene / "w.bin", path, "-o", scene / "x.csv").exit_code == 0
    with open(scene / "x.csv", newline="", encoding="utf-8") as f:
        rows = list(csv.reader(f))
    assert len(rows) == 2 and len(rows[0]) == len(rows[1])
    assert rows[1][0] == path.encode("utf-8", "backslashreplace").decode()


def test_what_was_decided_is_said(cli, scene):
    image = pytest.importorskip("PIL.Image", reason="Pillow is an extra")
    first, second = (image.fromarray(p) for p in untrained.images(4, 2))
    first.save(scene / "a.gif", save_all=True, append_images=[second])
    second.resize((300, 200)).save(scene / "wide.png")
    result = cli("embed", scene / "w.bin", scene / "a.gif", scene / "wide.png", "--resize")
    said = ["the first picture of an animation",
            "it is not square, and was squashed into 112x112 pixels"]
    assert [r["notes"] for r in json.loads(result.stdout)["embeddings"]] == [[n] for n in said]
    assert [line.split(": ")[2] for line in result.stderr.splitlines()] == said


def test_what_is_no_picture_is_named(cli, scene):
    pytest.importorskip("PIL", reason="Pillow is an extra")
    (scene / "a.txt").write_text("some lines of text\n")
    (scene / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    for name, code, words in (("a.txt", "F009", "this is a plain text"),
                              ("w.bin", "F009", "this is an EFM3 file"),
                              ("cut.png", "F010", "a PNG picture")):
        for verb in ("embed", "compare"):
            result = cli(verb, scene / "w.bin", scene / name, scene / name)
            assert result.exit_code == 1 and result.stderr.startswith(f"efm3: {code} "), name
            assert f"{name}: " in result.stderr and words in result.stderr
            assert "0x" not in result.stderr and result.stderr.count("\n") == 1


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
