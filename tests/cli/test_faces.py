# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 faces`, and --align of embed, compare and eval, by a made detector's file."""

import json
import os
import zipfile
from typing import get_args

import numpy as np
import pytest
from PIL import Image

import efm3
from efm3 import untrained
from efm3.cli import _photos, _render
from efm3.conformance import sample
from efm3.photos import Which
from tests.photos.networks import points_at, scene, yunet
from tools.gen.json_forms import FORMS, problems

NEEDS = ("onnx", "onnxruntime", "PIL")


@pytest.fixture
def room(tmp_path, monkeypatch):
    """Photographs with one face, two, and none; a detector and weights."""
    monkeypatch.chdir(tmp_path)
    yunet(tmp_path / "y.onnx")
    (tmp_path / "w.bin").write_bytes(untrained.dumps(sample.ARCH, 1))
    for name, cells in (("one", [(9, 8)]), ("two", [(5, 8), (17, 8)]), ("none", [])):
        Image.fromarray(scene(192, 160, *cells)).save(f"{name}.png")
    return tmp_path


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


DETECTOR = ("--detector", "y.onnx")


def test_a_crop_never_takes_the_place_of_a_photograph(cli, room):
    (room / "one.png").rename("two-1.png")
    before = {p.name: p.read_bytes() for p in room.iterdir()}
    result = cli("faces", "two.png", "two-1.png", "-o", ".", "--force", *DETECTOR)
    assert result.exit_code == 1 and "X019" in result.stderr
    assert {p.name: p.read_bytes() for p in room.iterdir() if p.name in before} == before


def test_one_two_none(cli, room):
    result = cli("faces", "one.png", "two.png", "none.png", *DETECTOR, "--json")
    told = json.loads(result.stdout)
    assert [*problems(FORMS["faces"], told)] == []
    assert result.exit_code == 0 and told["detector"] == "yunet"
    assert [len(p["faces"]) for p in told["photos"]] == [1, 2, 0]
    one = told["photos"][0]
    assert [*one] == ["photo", "width", "height", "notes", "drawn", "error", "faces"]
    assert (one["photo"], one["width"], one["height"], one["error"]) == ("one.png", 192, 160, None)
    assert np.allclose(one["faces"][0]["points"], points_at(76, 68), atol=0.01)
    assert one["faces"][0]["crop"] is None and one["faces"][0]["eyes"] == 17.62
    lines = cli("faces", "one.png", "none.png", *DETECTOR).stdout.splitlines()
    assert lines[0] == "one.png: 1 face, 192x160 pixels" and "a small face" in lines[2]
    assert lines[3] == "none.png: no face, 192x160 pixels" and len(lines) == 4
    assert len([p for p in room.iterdir() if p.suffix == ".png"]) == 3


def test_a_full_disk_is_told_with_the_file(cli, room, monkeypatch):
    def full(path, parts):
        raise OSError(28, "No space left on device")
    monkeypatch.setattr("efm3.source.write_atomic", full)
    result = cli("faces", "one.png", "none.png", *DETECTOR, "-o", "out")
    assert result.exit_code == 3
    place = os.path.join("out", "one-1.png")
    assert result.stderr == f"efm3: {place}: No space left on device\n"
    assert result.stdout.startswith("none.png: no face")
    result = cli("compare", "w.bin", "one.png", "one.png", "--align", *DETECTOR, "-o", "p.png")
    assert result.exit_code == 3 and result.stderr.endswith(
        "efm3: p.png: No space left on device\n")


def test_crops_and_drawings(cli, room):
    words = ("faces", "two.png", "none.png", *DETECTOR, "-o", "out", "--draw")
    result = cli(*words)
    assert result.exit_code == 0, result.output
    assert sorted(os.listdir("out")) == ["two-1.png", "two-2.png", "two-faces.png"]
    crop = pixels("out/two-1.png")
    assert crop.shape == (112, 112, 3) and (crop[49:63, 49:63, 0] > 250).all()
    drawn = pixels("out/two-faces.png")
    assert drawn.shape == (160, 192, 3)
    assert (drawn == (0, 255, 0)).all(-1).sum() > 2 * 200
    again = cli(*words)
    assert again.exit_code == 1 and "is there already; --force overwrites it" in again.stderr
    assert cli(*words, "--force").exit_code == 0
    (room / "out" / "two-2.png").unlink()
    (room / "out" / "two-1.png").write_bytes(b"mine")
    assert cli(*words).exit_code == 1 and not (room / "out" / "two-2.png").exists()


def test_a_bad_photograph_does_not_end_the_run(cli, room):
    (room / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n junk")
    result = cli("faces", "bad.png", "one.png", *DETECTOR, "--json")
    bad, one = json.loads(result.stdout)["photos"]
    assert result.exit_code == 1 and bad["error"]["code"] == "F010" and len(one["faces"]) == 1
    assert [*bad] == [*one] and result.stderr.startswith("efm3: F010 bad.png")
    result = cli("faces", "gone.png", "one.png", *DETECTOR)
    assert result.exit_code == 3 and "gone.png" in result.stderr and "1 face" in result.stdout
    assert cli("faces", "gone.png", "bad.png", *DETECTOR).exit_code == 3
    result = cli("faces", "one.png", "--detector", "mtcnn")
    assert result.exit_code == 1 and result.stderr.startswith("efm3: F015 mtcnn")


def test_names_are_safe_and_unique():
    paths = ["a/x.jpg", "b/X.png", "x_2.jpg", "-rf.png", ".hid.png", "a\n\x1b[1m.png", "\udcff.png",
             "", "n" * 300 + ".png", "a..png", "c/x.png"]
    assert [*map(_photos.Stems().of, paths)] == [
        "x", "X_2", "x_2_2", "rf", "hid", "a___1m", "_", "photo", "n" * 100, "a", "x_3"]


def test_folders_patterns_and_archives(cli, room):
    os.mkdir("in")
    os.rename("one.png", "in/one.png")
    os.rename("two.png", "in/two.png")
    with zipfile.ZipFile("z.zip", "w") as archive:
        archive.write("in/one.png", "deep/one.png")
    for words, names in ((["in"], ["in/one.png", "in/two.png"]), (["in/t*.png"], ["in/two.png"]),
                         (["z.zip"], ["z.zip::deep/one.png"])):
        result = cli("faces", *words, *DETECTOR, "--json", "-o", "out", "--force")
        photos = json.loads(result.stdout)["photos"]
        assert result.exit_code == 0 and [p["photo"] for p in photos] == names
        assert all(p["faces"] for p in photos)
    assert sorted(os.listdir("out")) == ["one-1.png", "two-1.png", "two-2.png"]
    os.mkdir("empty")
    refused = cli("faces", "empty", *DETECTOR)
    assert refused.exit_code == 1 and refused.stderr.startswith("efm3: B010 empty")


def test_a_photograph_without_a_face_is_not_drawn(cli, room):
    result = cli("faces", "none.png", "one.png", *DETECTOR, "--draw", "--json")
    none, one = json.loads(result.stdout)["photos"]
    assert none["drawn"] is None and not os.path.exists("none-faces.png")
    assert one["drawn"] == "one-faces.png" and os.path.exists("one-faces.png")


def test_a_hostile_name_is_escaped(cli, room):
    os.rename("one.png", "\x1b[31mone\n.png")
    result = cli("faces", "\x1b[31mone\n.png", *DETECTOR, "-o", "out")
    assert result.exit_code == 0 and "\x1b" not in result.output
    assert os.listdir("out") == ["__31mone_-1.png"]


def test_embed_takes_the_face(cli, room):
    assert cli("faces", "one.png", *DETECTOR, "-o", "out").exit_code == 0
    words = ("embed", "w.bin", "--align", *DETECTOR)
    (row,) = json.loads(cli(*words, "one.png").stdout)["embeddings"]
    (want,) = json.loads(cli("embed", "w.bin", "out/one-1.png").stdout)["embeddings"]
    assert row["embedding"] == want["embedding"] and "a small face" in row["notes"][0]
    for name, code in (("none", "F013"), ("two", "F014")):
        result = cli(*words, f"{name}.png")
        assert result.exit_code == 1 and result.stderr.startswith(f"efm3: {code} {name}.png")
    assert cli(*words, "two.png", "--face", "largest").exit_code == 0
    refused = cli("embed", "w.bin", "one.png").stderr
    assert refused.startswith("efm3: F012") and "--align" in refused and "--resize" in refused
    assert cli(*words, "one.png", "--resize").exit_code == 2


def test_compare_says_what_it_holds_the_number_against(cli, room):
    words = ("compare", "w.bin", "one.png", "one.png", "--align", *DETECTOR)
    result = cli(*words, "-o", "pair.png")
    assert result.stdout == (
        "similarity 1.0000: above 0.3, the rule of thumb for one person; the file's meta states "
        "none\n")
    assert pixels("pair.png").shape == (112, 232, 3)
    model = efm3.load("w.bin")
    for stated, want in ((0.412, "meta"), (True, "rule_of_thumb"), ("1", "rule_of_thumb"),
                         (7, "rule_of_thumb"), (-0.25, "meta")):
        model.mirror = {**model.mirror, "meta": {"scores": {"held_out": {"threshold": stated}}}}
        model.save("t.bin")
        told = json.loads(cli("compare", "t.bin", *words[2:], "--json").stdout)
        assert told["threshold_from"] == want, stated
        assert told["threshold"] == (stated if want == "meta" else 0.3)
    assert "above -0.25, the threshold for one person that the file's meta states" in cli(
        "compare", "t.bin", *words[2:]).stdout
    assert cli(*words, "-o", "pair.jpg").exit_code == 2
    # The engine skips the mirror, so a damaged one is no reason to refuse.
    data = (room / "w.bin").read_bytes()
    (room / "t.bin").write_bytes(data.replace(b'{', b'!', 1))
    assert cli("compare", "t.bin", *words[2:]).stdout == result.stdout


def test_compare_takes_the_threshold_at_a_far_before_the_best_one(cli, room):
    words = ("compare", "t.bin", "one.png", "one.png", "--align", *DETECTOR)
    model = efm3.load("w.bin")
    best = {"scores": {"held_out": {"threshold": 0.3}}}
    for own, want, text in (
            ({"threshold": 0.41, "threshold_far": 0.001}, 0.41, "the threshold at FAR 0.001 that"),
            ({"threshold": 0.41, "threshold_far": "a"}, 0.41, "0.41, the threshold that the file"),
            ({"threshold": True, "threshold_far": 0.001}, 0.3, "the threshold for one person that"),
            ({"threshold": 1.5}, 0.3, "the threshold for one person that")):
        model.mirror = {**model.mirror, "meta": best | own}
        model.save("t.bin")
        told = json.loads(cli(*words, "--json").stdout)
        assert (told["threshold"], told["threshold_from"]) == (want, "meta"), own
        assert text in cli(*words).stdout
    assert cli(*words, "--threshold", "-0.5").stdout.endswith("above -0.5, as given\n")
    told = json.loads(cli(*words, "--threshold", "0.9", "--json").stdout)
    assert (told["threshold"], told["threshold_from"]) == (0.9, "given")
    assert cli(*words, "--threshold", "2").exit_code == 2


def test_compare_shows_the_crops_on_a_terminal(monkeypatch):
    class Out:
        color_system, encoding, width, no_color = "truecolor", "utf-8", 80, False
    monkeypatch.setattr(_render, "console", lambda: Out)
    pixels = np.zeros((112, 232, 3), np.uint8)
    pixels[:4, :4] = (255, 0, 9)
    lines = [*_render.mosaic(pixels)]
    assert len(lines) == 14 and {line.plain for line in lines} == {"▀" * 58}
    assert str(lines[0].spans[0].style) == "rgb(255,0,9) on rgb(0,0,0)"
    Out.color_system = None
    assert [*_render.mosaic(pixels)] == []


def test_eval_aligns(cli, room):
    rows = []
    for k in range(10):
        for name, cells in ((f"a{k}", [(9, 8)]), (f"b{k}", [(8, 9), (1, 1)])):
            picture = scene(192, 160, *cells)
            picture[:, :, 1:] = np.random.default_rng(k).integers(0, 99, (160, 192, 2))
            Image.fromarray(picture).save(f"{name}.png")
        rows += [f"a{k}.png b{k}.png 1", f"a{k}.png b{(k + 3) % 10}.png 0"]
    (room / "pairs.txt").write_text("\n".join(rows))
    words = ("eval", "w.bin", "pairs.txt", "--json", *DETECTOR)
    assert json.loads(cli(*words, "--align").stdout)["pairs"] == 20
    result = cli(*words)
    assert result.exit_code == 1 and "F006" in result.stderr and "--align" in result.stderr
    result = cli(*words, "--align", "--face", "one")
    assert result.exit_code == 1 and "F006" in result.stderr and "2 faces" in result.stderr
    assert cli(*words, "--align", "--resize").exit_code == 2


def test_the_choices_are_those_of_the_library():
    assert get_args(Which) == (*_photos.WHICH, "all")


def test_without_the_extra_one_line_says_so(cli, room, monkeypatch):
    import importlib.metadata

    def missing(package):
        raise importlib.metadata.PackageNotFoundError(package)
    monkeypatch.setattr(importlib.metadata, "files", missing)
    for words in (("faces", "one.png"), ("embed", "w.bin", "one.png", "--align"),
                  ("compare", "w.bin", "one.png", "one.png", "--align"),
                  ("eval", "w.bin", "pairs.txt", "--align")):
        result = cli(*words)
        assert result.exit_code == 1 and result.stderr.count("\n") == 1, words
        assert result.stderr.startswith("efm3: X002") and "extra `photos`" in result.stderr
