# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Runs on smaller pictures: what the network sees, and where whole pictures go on."""

import json
import subprocess
import sys

import pytest

NEEDS = ("torch",)


@pytest.fixture
def trainer(tmp_path):
    from efm3.train import parallel
    from efm3.train.config import Config
    from efm3.train.data import open_data
    from tools.weights.small import Small

    config = Config(data="synth:1:4:3", out=str(tmp_path), steps=3, batch=4, ema=0.5)
    return Small(64, config, open_data(config.data), parallel.join("cpu"))


def test_pictures_are_scaled_and_changed_the_same_way_again(trainer):
    import torch

    pictures = torch.full((4, 3, 112, 112), 200, dtype=torch.uint8)
    one, two = trainer.changed(pictures), trainer.changed(pictures)
    assert one.shape == (4, 3, 64, 64) and torch.equal(one, two)
    assert one.is_contiguous(memory_format=torch.channels_last)
    # Without changes it is the mean of what a pixel covers, scaled as the engine does it.
    trainer.recipe = trainer.recipe.none()
    step = torch.zeros(4, 3, 112, 112, dtype=torch.uint8)
    step[..., 56:] = 255
    small = trainer.changed(step)
    assert small[..., :30].max() == -127.5 / 128 and small[..., 34:].min() == 127.5 / 128


def test_the_last_kernel_is_averaged_down_to_the_map():
    import torch

    from tools.weights.small import shrunk

    conv = torch.nn.Conv2d(8, 8, 7, groups=8, bias=False)
    with torch.no_grad():
        conv.weight[:] = torch.arange(7.0)
    x = torch.zeros(1, 8, 4, 4)
    x[..., 0] = 1
    # Columns 0 and 1 of seven are the first of four.
    assert torch.allclose(shrunk(conv, x), torch.full((1, 8, 1, 1), 4 * 0.5))
    whole = torch.randn(2, 8, 7, 7)
    assert torch.allclose(shrunk(conv, whole), conv(whole), atol=1e-4)


def test_its_kernels_learn_and_its_average_takes_whole_pictures(trainer):
    import torch

    before = trainer.model.gdconv.conv.weight.detach().clone()
    assert trainer.run()
    moved = (trainer.model.gdconv.conv.weight - before).abs()
    assert float(moved.flatten(1).max(1).values.min().detach()) > 0
    with torch.no_grad():
        out = trainer.average.network.embed(torch.zeros(2, 3, 112, 112))
    assert out.shape == (2, 256) and out.isfinite().all()


def test_stopped_and_resumed_it_ends_in_the_same_bytes(tmp_path):
    from efm3.drawn.faces import Faces, cache
    from efm3.train import checkpoint

    cache(tmp_path / "faces", Faces(1, 0, 4, 3))
    found = []
    for name, minutes in (("one", 0.0), ("two", 1e-9)):
        given = {"data": str(tmp_path / "faces"), "out": str(tmp_path / name), "steps": 3,
                 "batch": 4, "ema": 0.5, "device": "cpu", "threads": 1, "max_minutes": minutes}
        codes = []
        while not codes or codes[-1] == 75:
            codes.append(subprocess.run([sys.executable, "-m", "tools.weights.small", "64",
                                         json.dumps(given)], capture_output=True).returncode)
            given["max_minutes"] = 0.0
        assert codes == ([0] if name == "one" else [75, 0])
        found.append(checkpoint.load(tmp_path / name / "last.pt"))
    assert found[0]["step"] == found[1]["step"] == 3
    for key, value in found[0]["model"].items():
        assert bool((value == found[1]["model"][key]).all()), key


def test_what_cannot_be_trained_is_said_in_one_line(tmp_path, capsys, monkeypatch):
    import torch

    from tools.weights import small

    monkeypatch.setattr(torch, "set_num_threads", lambda n: None)
    given = {"data": "synth:1:4:3", "out": str(tmp_path / "run"), "batch": 99, "device": "cpu"}
    assert small.main(["64", json.dumps(given)]) == 1
    assert capsys.readouterr().err == "weights: 12 images fill no step of 99\n"
    (tmp_path / "run").write_text("a file")
    assert small.main(["64", json.dumps(given | {"batch": 4})]) == 1
    assert capsys.readouterr().err.count("\n") == 1
