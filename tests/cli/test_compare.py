# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 compare`: the similarity of two faces."""

import io
import json
import os

import numpy as np
import pytest
from rich.console import Console

import efm3
from efm3 import mirror, reference, untrained
from efm3.cli import _render, _scores
from efm3.conformance import sample


@pytest.fixture
def scene(tmp_path):
    (tmp_path / "w.bin").write_bytes(untrained.dumps(sample.ARCH, 1))
    for i, picture in enumerate(untrained.images(4, 2)):
        np.save(tmp_path / f"{i}.npy", picture)
    return tmp_path


def test_compare(cli, scene):
    args = ("compare", scene / "w.bin", scene / "0.npy")
    same = json.loads(cli(*args, scene / "0.npy", "--json").stdout)
    assert abs(same["similarity"] - 1) < 1e-6 and same["rule_of_thumb"] == 0.3
    assert same["precision"] == "f32"
    fast = json.loads(cli(*args, scene / "0.npy", "--json", "--precision", "fast").stdout)
    assert fast["precision"] == "fast"
    other = json.loads(cli(*args, scene / "1.npy", "--json").stdout)
    assert other["similarity"] < 0.99
    assert "rule of thumb" in cli(*args, scene / "0.npy").stdout
    assert cli(*args, scene / "2.npy").exit_code == 3


def test_a_name_without_an_encoding_is_json_all_the_same(cli, scene):
    name = os.fsencode(scene) + b"/p\xff.npy"
    with open(name, "wb") as f:
        np.save(f, untrained.images(4, 1)[0])
    out = cli("compare", scene / "w.bin", os.fsdecode(name), scene / "0.npy", "--json").stdout
    assert "p\\\\udcff.npy" in out and "\\udcff" in json.loads(out)["a"]


def test_an_embedding_that_is_not_finite_is_like_nothing(cli, scene):
    tensors = {name: t * 1 for name, t in efm3.load(scene / "w.bin").tensors.items()}
    tensors["stem.conv.w"][0] = np.nan
    efm3.save(scene / "nan.bin", sample.ARCH, tensors, finite=False)
    result = cli("compare", scene / "nan.bin", scene / "0.npy", scene / "1.npy", "--json")
    assert result.exit_code == 1 and "F008" in result.stderr and not result.stdout


def test_more_than_two_give_a_table(cli, scene):
    pictures = [scene / "0.npy", scene / "1.npy", scene / "0.npy"]
    found = json.loads(cli("compare", scene / "w.bin", *pictures, "--json").stdout)
    values = np.array(found["similarities"])
    assert found["pictures"] == [str(p) for p in pictures] and values.shape == (3, 3)
    assert np.allclose(values, values.T) and abs(values[0, 2] - 1) < 1e-6
    assert values[0, 1] < 0.99
    lines = cli("compare", scene / "w.bin", *pictures).stdout.splitlines()
    assert lines[0].split() == ["0", "1", "0"]
    assert [line.split()[0] for line in lines[1:4]] == ["0", "1", "0"]
    assert lines[2].split()[1].rstrip("*") == f"{values[1, 0]:.2f}"
    assert lines[1].split()[3] == "1.00*" and lines[4].startswith("* above 0.3, ")


def test_a_dozen_fit_a_terminal(cli, scene):
    lines = cli("compare", scene / "w.bin", *[scene / "0.npy", scene / "1.npy"] * 6
                ).stdout.splitlines()
    assert len(lines) == 14 and max(map(len, lines)) <= 80
    assert len(lines[1].split()) == 13


def told(names, width, above=0.5):
    values = [[1.0 if i == j else (i + j) / 10 for j in range(len(names))]
              for i in range(len(names))]
    return [line.plain.rstrip() for line in _scores.matrix(names, values, above, width=width)]


@pytest.mark.parametrize("names,width,heads", [
    (["a/x.png", "a/y.png"], 80, ["x", "y"]),
    (["astronaut.png", "cosmonaut.png"], 80, ["ronaut", "monaut"]),
    (["a_0001.png", "b_0001.png"], 80, ["a_0001", "b_0001"]),
    (["a_0001.png"] * 2 + ["b_0001.png"], 80, ["a_0001", "a_0001", "b_0001"]),
    (["one/1.png", "two/1.png", "two/1.png"], 80, ["e/1.png", "o/1.png", "o/1.png"]),
    ([f"{i}_of_all_the_faces_0001.png" for i in "abc"], 80, ["1", "2", "3"]),
    ([f"{i}_0001.png" for i in "abcdefgh"], 60, list("12345678")),
    (["1.jpg", "1.png"], 80, ["1.jpg", "1.png"]),
])
def test_headings_tell_pictures_apart(names, width, heads):
    lines = told(names, width)
    assert lines[0].split() == heads and max(map(len, lines)) <= width
    if heads[0] == "1" and names[0] != "1.jpg":  # a number stands before each row too
        assert [line.split()[0] for line in lines[1:1 + len(names)]] == heads


def test_a_narrow_terminal_cuts_nothing():
    lines = told([f"picture_{i:02}.png" for i in range(9)], 40, 0.55)
    assert max(map(len, lines)) <= 40 and "…" not in "".join(lines)
    cells = " ".join(" ".join(line.split()[1:]) for line in lines if line.startswith("picture"))
    assert len(cells.split()) == 81
    assert cells.count("*") == sum(i + j > 5.5 and i != j for i in range(9) for j in range(9))
    assert " ".join(lines[-2:]) == "* above 0.55, the rule of thumb for one person"


def test_a_name_is_safe_on_a_terminal():
    assert "\x1b" not in "".join(told(["a\x1b[31m.png", "b\x1b[31m.png"], 80))


def test_a_picture_that_is_there_is_not_overwritten(cli, scene):
    words = ("compare", scene / "w.bin", scene / "0.npy", scene / "1.npy", "-o", scene / "x.png")
    (scene / "x.png").write_text("mine")
    done = cli(*words)
    assert done.exit_code == 1 and "is there already; --force overwrites it" in done.stderr
    assert (scene / "x.png").read_text() == "mine" and done.stdout == ""
    pytest.importorskip("PIL", reason="Pillow not installed")
    assert cli(*words, "--force").exit_code == 0
    assert (scene / "x.png").read_bytes().startswith(b"\x89PNG")


def test_no_colours_no_picture(monkeypatch):
    """Blocks without colours show nothing."""
    picture = np.zeros((8, 8, 3), np.uint8)
    monkeypatch.setattr(_render, "console", lambda: Console(
        file=io.TextIOWrapper(io.BytesIO(), "utf-8"), force_terminal=True,
        color_system="truecolor", width=80))
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert len(list(_render.mosaic(picture))) == 4
    monkeypatch.setenv("NO_COLOR", "1")
    assert list(_render.mosaic(picture)) == []


def test_one_picture_is_usage(cli, scene):
    assert cli("compare", scene / "w.bin", scene / "0.npy").exit_code == 2


def test_a_turned_file_is_given_upright_pictures(cli, scene):
    """The same weights, and pictures turned by hand, give the same number; upright ones do not."""
    model = efm3.load(scene / "w.bin")
    model.mirror = mirror.as_turned(model.mirror)
    model.save(scene / "t.bin")
    for i, picture in enumerate(untrained.images(4, 2)):
        np.save(scene / f"t{i}.npy", reference.turn(picture))

    def similarity(weights, *names):
        words = ("compare", scene / weights, *(scene / n for n in names), "--json")
        return json.loads(cli(*words).stdout)["similarity"]
    want = similarity("w.bin", "t0.npy", "t1.npy")
    assert similarity("t.bin", "0.npy", "1.npy") == want
    assert abs(similarity("w.bin", "0.npy", "1.npy") - want) > 1e-4
