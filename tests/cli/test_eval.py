# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 eval`: what is printed, written and refused."""


import io
import json
import pickle
import sys

import numpy as np
import pytest
from PIL import Image

import efm3
from efm3 import mirror, reference, untrained
from efm3.codes import CODES
from efm3.conformance import sample
from tests.loading import ROOT

NEEDS = ("PIL",)

PICTURES = untrained.images(3, 8)
ORDER = [0, 1, 2, 3, 4, 5, 6, 7, 0, 2, 1, 3] * 4
SAME = [True, False, False, True] * 6


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def scene(tmp_path):
    (tmp_path / "w.bin").write_bytes(untrained.dumps(sample.ARCH, 1))
    encoded = [png(p) for p in PICTURES]
    (tmp_path / "set.bin").write_bytes(pickle.dumps(([encoded[i] for i in ORDER], SAME)))
    lines = []
    for i, data in enumerate(encoded):
        (tmp_path / f"{i}.png").write_bytes(data)
    for a, b, same in zip(ORDER[::2], ORDER[1::2], SAME, strict=True):
        lines.append(f"{a}.png {b}.png {same:d}\n")
    (tmp_path / "pairs.txt").write_text("".join(lines))
    return tmp_path


def test_json(cli, scene):
    result = cli("eval", scene / "w.bin", scene / "set.bin", "--json")
    assert result.exit_code == 0 and result.stderr == ""
    got = json.loads(result.stdout)
    assert got["file"] == str(scene / "w.bin") and got["isa"] and got["pairs"] == 24
    with efm3.Engine(scene / "w.bin") as engine:
        vectors = engine.embed(PICTURES).astype(float)
    s = np.sum(vectors[ORDER[::2]] * vectors[ORDER[1::2]], 1)
    assert got["rule_of_thumb"]["accuracy"] == pytest.approx(np.mean((s > 0.3) == SAME))
    text = json.loads(cli("eval", scene / "w.bin", scene / "pairs.txt", "--json").stdout)
    assert text["name"].endswith("pairs.txt") and text.pop("name") != got.pop("name")
    assert text == got
    assert cli("eval", scene / "w.bin", scene / "set.bin", "--json", "--threads", 1
               ).stdout == result.stdout


def test_the_page_of_keys_is_what_comes_out(cli, scene):
    """docs/evaluation.md names every key of the JSON form."""
    text = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
    got = json.loads(cli("eval", scene / "w.bin", scene / "set.bin", "--json").stdout)
    both = json.loads(cli("eval", scene / "w.bin", scene / "set.bin", "--json", "--precision", "all"
                          ).stdout)["networks"]
    keys = {*got, *got["best"], *got["tar_at_far"][0], *both[1], *both[1]["to_f32"][0]}
    assert not [k for k in keys if f"`{k}`" not in text]
    own = [c for c in CODES.values() if c.group == "evaluation"]
    assert len(own) == 15 and all(f"| {c.code} | {c.what} |" in text for c in own)


def test_precisions_are_compared_in_one_run(cli, scene):
    """Those that are asked for, and f32; each of them is what it is alone."""
    args = "eval", scene / "w.bin", scene / "set.bin", "--isa", "scalar"
    rows = json.loads(cli(*args, "--json", "--precision", "all").stdout)["networks"]
    assert [(r["precision"], r["arithmetic"]) for r in rows] == [
        ("f32", "f32"), ("high", "i16"), ("fast", "i8")]
    alone = [json.loads(cli(*args, "--json", "--precision", r["precision"]).stdout) for r in rows]
    differ = [r.pop("to_f32", None) for r in rows]
    assert rows == alone and rows[0]["best"]["threshold"] != rows[2]["best"]["threshold"]
    assert differ[0] is None
    for row, ((d,)) in zip(rows[1:], differ[1:], strict=True):
        assert d["score"] == "accuracy" and d["low"] is d["high"] is None  # eight pictures
        assert d["difference"] == row["accuracy"] - rows[0]["accuracy"]
    two = ("--json", "--precision", "fast", "--precision", "fast", "--precision", "high")
    assert [r["precision"] for r in json.loads(cli(*args, *two).stdout)["networks"]] == [
        "f32", "high", "fast"]
    twice = json.loads(cli(*args, *two[:5]).stdout)
    assert twice["precision"] == "fast" and "to_f32" not in twice
    assert cli(*args, "--precision", "f16").exit_code == 2


def test_precisions_as_text(cli, scene):
    words = "eval", scene / "w.bin", scene / "set.bin", "--isa", "scalar", "--precision", "all"
    result = cli(*words)
    assert result.exit_code == 0 and result.stdout.count("rule of thumb") == 1
    for line in ("fast in i8 ", "high in i16", "points, of too few people for an interval"):
        assert line in result.stdout, line
    model = (scene / "w.bin").read_bytes()
    piped = cli("eval", "-", *words[2:], input=model)
    assert piped.exit_code == 0 and piped.stdout == result.stdout
    several = cli("eval", scene / "w.bin", *words[1:])
    assert several.exit_code == 0 and several.stdout.count(result.stdout) == 2


def test_table(cli, scene):
    result = cli("eval", scene / "w.bin", scene / "set.bin", "--flip")
    assert result.exit_code == 0 and result.stderr == "" and "\x1b" not in result.stdout
    for words in ("24 pairs, 12 of one person, 12 of two, with mirrored pictures", "accuracy",
                  "10 folds", "too few impostor pairs: 12 of 1,000", "equal error rate",
                  "best threshold", "rule of thumb 0.300", "one person", "two people"):
        assert words in result.stdout, words
    assert "skipped" not in result.stdout


def test_broken_pictures(cli, scene):
    (scene / "5.png").write_bytes(b"junk")
    args = "eval", scene / "w.bin", scene / "pairs.txt"
    result = cli(*args)
    assert result.exit_code == 1 and "F006" in result.stderr and "5.png" in result.stderr
    assert result.stdout == ""
    result = cli(*args, "--skip-broken")
    assert result.exit_code == 0 and "4 pairs skipped" in result.stdout


def test_sizes_and_places(cli, scene, tmp_path_factory):
    Image.fromarray(PICTURES[0]).resize((200, 200)).save(scene / "0.png")
    away = tmp_path_factory.mktemp("away") / "list.txt"
    away.write_bytes((scene / "pairs.txt").read_bytes())
    assert "200x200" in cli("eval", scene / "w.bin", scene / "pairs.txt").stderr
    assert cli("eval", scene / "w.bin", scene / "pairs.txt", "--resize").exit_code == 0
    assert cli("eval", scene / "w.bin", away, "--resize").exit_code == 1
    assert cli("eval", scene / "w.bin", away, "--resize", "--images", scene).exit_code == 0


def test_plots(cli, scene):
    pytest.importorskip("matplotlib", reason="matplotlib is an extra")
    result = cli("eval", scene / "w.bin", scene / "set.bin", "--plots", scene / "out", "--json")
    assert result.exit_code == 0 and json.loads(result.stdout)["pairs"] == 24
    assert result.stderr.count("wrote") == 3
    assert sorted(p.name for p in (scene / "out").iterdir()) == [
        "det.png", "histogram.png", "roc.png"]


def test_refusals(cli, scene, monkeypatch):
    w = scene / "w.bin"
    (scene / "evil.bin").write_bytes(b"cos\nsystem\n(S'touch ran'\ntR.")
    monkeypatch.chdir(scene)
    result = cli("eval", w, scene / "evil.bin")
    assert result.exit_code == 1 and "F002" in result.stderr and not (scene / "ran").exists()
    assert "this is an EFM3 file" in cli("eval", scene / "w.bin", w).stderr
    assert cli("eval", w, scene / "none.bin").exit_code == 3
    assert cli("eval", scene / "none.bin", scene / "set.bin").exit_code == 3
    assert cli("eval", scene / "set.bin", scene / "set.bin").exit_code == 1
    assert cli("eval", w).exit_code == 2
    assert cli("eval", w, scene / "set.bin", "--threads", "65").exit_code == 2
    assert cli("eval", w, scene / "set.bin", "--isa", "mmx").exit_code == 1
    (scene / "file").write_text("")
    assert cli("eval", w, scene / "set.bin", "--plots", scene / "file" / "x").exit_code in (1, 3)


@pytest.mark.parametrize("module,words", [("PIL", "Pillow"), ("matplotlib.figure", "matplotlib")])
def test_what_is_not_installed(cli, scene, monkeypatch, module, words):
    monkeypatch.setitem(sys.modules, module, None)
    result = cli("eval", scene / "w.bin", scene / "set.bin", "--plots", scene / "out")
    assert result.exit_code == 1 and words in result.stderr and result.stdout == ""
    assert "Traceback" not in result.stderr


def test_a_turned_file_is_measured_on_upright_pictures(cli, scene):
    model = efm3.load(scene / "w.bin")
    model.mirror = mirror.as_turned(model.mirror)
    model.save(scene / "t.bin")
    pictures = [png(reference.turn(p)) for p in PICTURES]
    (scene / "turned.bin").write_bytes(pickle.dumps(([pictures[i] for i in ORDER], SAME)))
    one, two = (json.loads(cli("eval", scene / w, scene / p, "--json").stdout)
                for w, p in (("t.bin", "set.bin"), ("w.bin", "turned.bin")))
    other = json.loads(cli("eval", scene / "w.bin", scene / "set.bin", "--json").stdout)
    keys = ("auc", "eer", "best", "genuine_histogram", "impostor_histogram")
    assert [one[k] for k in keys] == [two[k] for k in keys] != [other[k] for k in keys]
