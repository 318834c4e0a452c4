# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A run's PyTorch network scores as its exported file does, by `efm3 eval`."""


import json

import numpy as np
import pytest
import torch
from PIL import Image

import efm3
from efm3 import untrained
from efm3.train import checkpoint, scoring
from efm3.train.model import MobileFaceNet, tensors

NEEDS = ("torch", "PIL",)

PICTURES = untrained.images(3, 8)
NANO = efm3.ARCHS["nano"]


@pytest.fixture
def scene(tmp_path):
    """A run folder of an untrained nano, the file of the same weights, and a pairs file."""
    torch.manual_seed(1)
    model = MobileFaceNet(NANO).eval()
    run = tmp_path / "run"
    run.mkdir()
    value = {k: None for k in checkpoint.KEYS} | {
        "config": {"arch": "nano"}, "model": model.state_dict()}
    checkpoint.save({k: v for k, v in value.items() if k != "version"},
                               run / "last.pt")
    efm3.save(tmp_path / "nano.bin", NANO, tensors(model))
    lines = []
    for i, pixels in enumerate(PICTURES):
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
        lines += [f"{i}.png {j}.png {(i + j) % 2}\n" for j in range(i)]
    (tmp_path / "pairs.txt").write_text("".join(lines))
    return tmp_path


def test_a_run_scores_as_its_file(scene, cli):
    words = [scene / "run", scene / "run" / "last.pt", scene / "nano.bin", scene / "pairs.txt",
             "--flip", "--device", "cpu", "--threads", 1]
    said = cli("eval", *words)
    assert said.exit_code == 0 and said.stdout.count("10 folds") == 3
    assert str(scene / "nano.bin") in said.stdout
    run, last, file = json.loads(cli("eval", *words, "--json").stdout)["networks"]
    assert [r["file"] for r in (run, last, file)] == [str(w) for w in words[:3]]
    assert run["isa"] is None and file["isa"] and {r["device"] for r in (run, file)} == {"cpu"}
    del run["file"], last["file"]
    assert run == last and run["flip"] and run["pairs"] == 28
    assert run["eer"] == file["eer"] and run["auc"] == pytest.approx(file["auc"])
    assert run["best"]["threshold"] == pytest.approx(file["best"]["threshold"], abs=1e-5)
    alone = json.loads(cli("eval", *words[:1], *words[3:], "--json").stdout)
    assert alone.pop("file") == str(words[0]) and alone == run


def test_several_are_drawn_into_one_picture(scene, cli):
    pytest.importorskip("matplotlib", reason="matplotlib is an extra")
    other = scene / "other"
    other.mkdir()
    (other / "last.pt").write_bytes((scene / "run" / "last.pt").read_bytes())
    words = [scene / "run" / "last.pt", other / "last.pt", scene / "pairs.txt", "--threads", 1]
    assert cli("eval", *words, "--plots", scene / "out").exit_code == 0
    assert sorted(p.name for p in (scene / "out").iterdir()) == ["det.png", "histogram.png",
                                                                 "roc.png"]


def test_best_is_taken_before_last(scene):
    value = checkpoint.load(scene / "run" / "last.pt")
    value["model"] = {k: torch.ones_like(v) for k, v in value["model"].items()}
    value.pop("version")
    checkpoint.save(value, scene / "run" / "best.pt")
    last, device = scoring.network(scene / "run" / "last.pt", "cpu")
    assert device == "cpu"
    assert not np.allclose(scoring.network(scene / "run", "cpu")[0](PICTURES), last(PICTURES))


def test_the_embedder_is_the_engine(scene):
    have = scoring.network(scene / "run", "cpu")[0](PICTURES)
    have /= np.linalg.norm(have, axis=1, keepdims=True)
    with efm3.Engine(scene / "nano.bin") as engine:
        assert np.abs(have - engine.embed(PICTURES)).max() < 1e-5


def test_validator(scene):
    model = MobileFaceNet(NANO).eval()
    score = scoring.validator(str(scene / "pairs.txt"))
    assert 0 <= score(model) <= 1 and score(model) == score(model)


def test_refusals(scene, cli):
    pairs = scene / "pairs.txt"
    (scene / "junk.pt").write_bytes(b"junk")
    (scene / "empty").mkdir()
    for run, code in (("empty", 3), ("none.pt", 3), ("junk.pt", 1)):
        done = cli("eval", scene / run, pairs, "--threads", 1)
        assert done.exit_code == code and len(done.stderr.splitlines()) == 1, done.stderr
        assert run in done.stderr
    assert cli("eval", scene / "run", scene / "none.bin", "--threads", 1).exit_code == 3
    assert cli("eval", scene / "run", pairs, "--device", "abacus").exit_code == 2
    value = checkpoint.load(scene / "run" / "last.pt")
    del value["version"]
    for change in ({"model": {}}, {"model": 1}, {"config": {"arch": "none"}}, {"config": None}):
        checkpoint.save({**value, **change}, scene / "bad.pt")
        done = cli("eval", scene / "bad.pt", pairs, "--threads", 1)
        assert done.exit_code == 1 and "bad.pt does not fit" in done.stderr
