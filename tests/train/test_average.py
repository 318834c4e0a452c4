# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The average of a run: its arithmetic, and that it is what is scored, stored and exported."""

import json

import numpy as np
import pytest
import torch

import efm3
from efm3.arch import ARCHS
from efm3.train import average, checkpoint, loop, parallel, state
from efm3.train.config import Config
from efm3.train.model import MobileFaceNet, tensors
from tests.train.standin import Patterns

NEEDS = ("torch",)

SMALL = ("--batch", 4, "--steps", 3, "--augment", "none", "--log-every", 1, "--ema", 0.5)


def test_the_share_grows_to_its_limit():
    assert [average.share(t, 0.999) for t in (0, 8, 89)] == [0.1, 0.5, 90 / 99]
    assert average.share(10 ** 6, 0.999) == 0.999 and average.share(8, 0.3) == 0.3


def test_an_average_is_what_its_formula_says():
    torch.manual_seed(1)
    model = MobileFaceNet(ARCHS["nano"])
    own = average.Average(model, 0.999)
    want = {k: v.clone() for k, v in model.state_dict().items()}
    for step in range(3):
        for v in model.state_dict().values():
            v.add_(1)
        own.update(model, step)
        d = (1 + step) / (10 + step)
        for k, v in model.state_dict().items():
            want[k] = d * want[k] + (1 - d) * v if v.is_floating_point() else v.clone()
    have = own.network.state_dict()
    assert have.keys() == want.keys() and not own.network.training
    assert all(torch.allclose(v, want[k], atol=1e-5) for k, v in have.items())
    assert have["stem.bn.num_batches_tracked"] == 3


def test_the_file_is_the_average_and_the_run_goes_on_from_the_network(run, tmp_path):
    assert run(*SMALL) == 0
    value = checkpoint.load(tmp_path / "run" / "last.pt")
    network = MobileFaceNet(ARCHS["nano"])
    network.load_state_dict(value["model"])
    said = efm3.load(tmp_path / "run" / "facex_nano.bin")
    for name, have in tensors(network).items():
        assert np.array_equal(said.tensors[name], have), name
    raw = state.raw(value)
    assert not torch.equal(raw["stem.conv.weight"], value["model"]["stem.conv.weight"])
    assert said.mirror["meta"]["recipe"]["ema"] == 0.5
    assert json.loads((tmp_path / "run" / "config.json").read_text())["config"]["ema"] == 0.5
    assert run(*SMALL[:-2], out=tmp_path / "plain") == 0
    plain = checkpoint.load(tmp_path / "plain" / "last.pt")
    assert "raw" not in plain
    assert all(torch.equal(v, raw[k]) for k, v in plain["model"].items()), "same steps"


def test_the_average_is_scored(tmp_path):
    seen = []
    config = Config(data="", out=str(tmp_path), batch=4, steps=2, augment="none", ema=0.5)
    t = loop.Trainer(config, Patterns(2, 4), parallel.World(0, 1, torch.device("cpu")),
                     validate=lambda model: seen.append(model) or 0.5)
    assert t.run() and seen == [t.average.network]
    assert not t.average.network.training and t.model.training


def test_an_average_of_one_is_no_average(run, capfd):
    assert run(*SMALL, "--ema", 1) == 2
    assert "0<=x<=0.999999" in capfd.readouterr().err.replace(" ", "")


def test_a_checkpoint_without_its_network_is_refused(tmp_path):
    config = Config(data="", out=str(tmp_path), batch=4, steps=1, augment="none", ema=0.5)
    t = loop.Trainer(config, Patterns(4, 4), parallel.World(0, 1, torch.device("cpu")))
    value = state.capture(t)
    for bad in ({"raw": value["raw"][1:]}, {"raw": None}, {"raw": value["raw"][::-1]}):
        with pytest.raises(checkpoint.BadCheckpoint, match="the checkpoint does not fit"):
            state.restore(t, value | bad)
    del value["raw"]
    with pytest.raises(checkpoint.BadCheckpoint, match="the checkpoint does not fit"):
        state.restore(t, value)
