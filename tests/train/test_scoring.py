# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`python -m tools.train.eval`: a checkpoint scores as its exported file does."""


import json

import numpy as np
import pytest
import torch
from PIL import Image

import efm3
from efm3 import untrained
from efm3.train import eval as evaluating
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
    value = {k: None for k in evaluating.checkpoint.KEYS} | {
        "config": {"arch": "nano"}, "model": model.state_dict()}
    evaluating.checkpoint.save({k: v for k, v in value.items() if k != "version"},
                               run / "last.pt")
    efm3.save(tmp_path / "nano.bin", NANO, tensors(model))
    lines = []
    for i, pixels in enumerate(PICTURES):
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
        lines += [f"{i}.png {j}.png {(i + j) % 2}\n" for j in range(i)]
    (tmp_path / "pairs.txt").write_text("".join(lines))
    return tmp_path


def test_a_run_scores_as_its_file(scene, capsys):
    pytest.importorskip("matplotlib", reason="matplotlib is an extra")
    words = [str(scene / "run"), str(scene / "run" / "last.pt"), str(scene / "nano.bin"),
             "--pairs", str(scene / "pairs.txt"), "--flip", "--device", "cpu"]
    assert evaluating.main(words) == 0
    said = capsys.readouterr()
    assert said.out.count("10 folds") == 3 and str(scene / "nano.bin") in said.out
    folder = scene / "run" / "eval"
    assert sorted(p.name for p in folder.iterdir()) == ["det.png", "histogram.png", "roc.png",
                                                        "scores.json"]
    run, last, file = json.loads((folder / "scores.json").read_text()).values()
    assert run == last and run["flip"] and run["pairs"] == 28
    assert run["eer"] == file["eer"] and run["auc"] == pytest.approx(file["auc"])
    assert run["best"]["threshold"] == pytest.approx(file["best"]["threshold"], abs=1e-5)


def test_best_is_taken_before_last(scene):
    value = evaluating.checkpoint.load(scene / "run" / "last.pt")
    value["model"] = {k: torch.ones_like(v) for k, v in value["model"].items()}
    value.pop("version")
    evaluating.checkpoint.save(value, scene / "run" / "best.pt")
    last = evaluating.network(scene / "run" / "last.pt", "cpu")(PICTURES)
    assert not np.allclose(evaluating.network(scene / "run", "cpu")(PICTURES), last)


def test_the_embedder_is_the_engine(scene):
    have = evaluating.network(scene / "run", "cpu")(PICTURES)
    have /= np.linalg.norm(have, axis=1, keepdims=True)
    with efm3.Engine(scene / "nano.bin") as engine:
        assert np.abs(have - engine.embed(PICTURES)).max() < 1e-5


def test_validator(scene):
    model = MobileFaceNet(NANO).eval()
    score = evaluating.validator(str(scene / "pairs.txt"))
    assert 0 <= score(model) <= 1 and score(model) == score(model)


def test_elsewhere_without_plots(scene):
    words = [str(scene / "nano.bin"), "--pairs", str(scene / "pairs.txt"), "--no-plots", "--out"]
    assert evaluating.main([*words, str(scene / "out" / "deep")]) == 0
    assert [p.name for p in (scene / "out" / "deep").iterdir()] == ["scores.json"]


def test_refusals(scene, capsys):
    pairs = str(scene / "pairs.txt")
    (scene / "junk.pt").write_bytes(b"junk")
    for run in (scene / "none", scene / "none.bin", scene / "junk.pt", scene / "pairs.txt"):
        assert evaluating.main([str(run), "--pairs", pairs, "--no-plots"]) == 1
        assert capsys.readouterr().err.startswith("eval: ")
    assert evaluating.main([str(scene / "run"), "--pairs", str(scene / "none.bin")]) == 1
    value = evaluating.checkpoint.load(scene / "run" / "last.pt")
    del value["version"]
    for change in ({"model": {}}, {"config": {"arch": "none"}}, {"config": None}):
        evaluating.checkpoint.save({**value, **change}, scene / "bad.pt")
        assert evaluating.main([str(scene / "bad.pt"), "--pairs", pairs, "--no-plots"]) == 1
        assert "bad.pt" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        evaluating.main([str(scene / "run")])
