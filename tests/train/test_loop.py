# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Training itself: it learns, and it resumes from a checkpoint exactly."""


import csv
import json
import shutil
import signal

import numpy as np
import pytest
import torch

import efm3
from efm3.train import checkpoint, loop, parallel, passes
from efm3.train.config import Config
from tests.train.standin import Patterns

NEEDS = ("torch",)

SMALL = ("--batch", 4, "--epochs", 2, "--augment", "none", "--log-every", 1)


def same(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(v, b[k]) for k, v in a.items())
    if isinstance(a, list):
        return len(a) == len(b) and all(same(v, w) for v, w in zip(a, b, strict=True))
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


def computed(folder):
    """A checkpoint but for what clocks and folders put into it."""
    value = checkpoint.load(folder / "last.pt")
    for row in value["history"]:
        for key in ("images_per_s", "epoch_s", "data_share"):
            del row[key]
    del value["config"], value["partial"]["seconds"], value["partial"]["waited"]
    return value


def test_nano_learns_32_identities(run, tmp_path):
    assert run("--batch", 32, "--epochs", 4, "--augment", "none", "--lr", "4e-3", "--warmup", 0.5,
               source=Patterns(32, 6)) == 0
    text = (tmp_path / "run" / "log.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    assert len(rows) == 4 and float(rows[0]["train_acc"]) < 0.5
    assert float(rows[-1]["train_acc"]) > 0.95, rows


@pytest.mark.parametrize("after,more", [(2, ()), (4, ("--ema", 0.9)),
                                        (5, ("--ema", 0.9, "--augment", "strong"))])
def test_resumed_equals_uninterrupted_bit_for_bit(run, tmp_path, monkeypatch, after, more):
    """Stopped in mid-epoch by a signal, at an epoch's end, and in the second epoch."""
    assert run(*SMALL, *more, out=tmp_path / "whole") == 0
    real = loop.Trainer._count

    def killed(self, *args):
        real(self, *args)
        if self.step == after:
            signal.raise_signal(signal.SIGTERM)
    with monkeypatch.context() as m:
        m.setattr(loop.Trainer, "_count", killed)
        assert run(*SMALL, *more, out=tmp_path / "halves") == 75
    assert checkpoint.load(tmp_path / "halves" / "last.pt")["step"] == after
    assert run("--resume", out=tmp_path / "halves") == 0
    assert same(computed(tmp_path / "whole"), computed(tmp_path / "halves"))
    one, two = (efm3.load(tmp_path / d / "facex_nano.bin") for d in ("whole", "halves"))
    assert all(np.array_equal(v, two.tensors[k]) for k, v in one.tensors.items())
    for model in (one, two):
        assert model.mirror["meta"].pop("seconds_per_epoch") > 0
    assert one.mirror == two.mirror
    machine = json.loads((tmp_path / "whole" / "config.json").read_text())["machine"]
    assert machine["compiled_passes"] == any(map(shutil.which, passes.COMPILERS))


def test_a_seed_gives_a_run_and_another_seed_another(run, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert run(*SMALL, "--steps", 2, "--seed", seed, out=tmp_path / name) == 0
    a, b, c = (computed(tmp_path / n)["model"] for n in "abc")
    assert same(a, b) and not same(a, c)


def test_max_minutes_stops_with_a_checkpoint(run, tmp_path, capfd):
    assert run(*SMALL, "--max-minutes", "1e-9") == 75
    assert checkpoint.load(tmp_path / "run" / "last.pt")["step"] == 1
    assert "minutes are over" in capfd.readouterr().err


def test_no_decay_on_flat_parameters(tmp_path):
    config = Config(data="", out=str(tmp_path), batch=4, decay=0.1, augment="none")
    t = loop.Trainer(config, Patterns(4, 4), parallel.World(0, 1, torch.device("cpu")))
    decay = {p.ndim: g["weight_decay"] for g in t.optimizer.param_groups for p in g["params"]}
    assert decay == {1: 0.0, 2: 0.1, 4: 0.1}
    assert sum(len(g["params"]) for g in t.optimizer.param_groups) == len(t.names)


def test_bf16_and_margin_warmup_train(run, tmp_path):
    assert run(*SMALL, "--bf16", "--margin-warmup", 2) == 0
    value = checkpoint.load(tmp_path / "run" / "last.pt")
    assert value["model"]["stem.conv.weight"].dtype == torch.float32
    rows = value["history"]
    assert [r["margin"] for r in rows] == [pytest.approx(0.5 * 3 / 8), pytest.approx(0.5 * 7 / 8)]


def test_a_diverged_run_says_so(run, monkeypatch, capfd):
    monkeypatch.setattr(loop.feed, "scale", lambda images, g: images.float() * float("nan"))
    assert run(*SMALL) == 1
    assert "the loss is nan at step 0" in capfd.readouterr().err


def test_validation_scores_each_epoch_and_keeps_the_best(tmp_path):
    scores = iter([0.9, 0.4])
    config = Config(data="", out=str(tmp_path), batch=4, epochs=2, augment="none")
    t = loop.Trainer(config, Patterns(2, 4), parallel.World(0, 1, torch.device("cpu")),
                     validate=lambda model: next(scores) if not model.training else None)
    assert t.run()
    assert [r["val_acc"] for r in t.history] == [0.9, 0.4]
    assert checkpoint.load(tmp_path / "best.pt")["step"] == 2
    assert checkpoint.load(tmp_path / "last.pt")["step"] == 4


def test_the_run_folder_says_what_it_takes_to_repeat(run, tmp_path):
    assert run(*SMALL) == 0
    said = json.loads((tmp_path / "run" / "config.json").read_text())
    assert said["config"]["batch"] == 4 and said["config"]["seed"] == 1
    assert said["data"] == "patterns" and said["identities"] == 4 and said["images"] == 16
    assert said["versions"]["torch"] == torch.__version__ and said["command"]
    assert {"commit", "machine", "processes"} <= said.keys()
