# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""All runs at once: here on a CPU, where the same code trains without streams."""

import json

import pytest

import efm3
from tools.weights import __main__ as command
from tools.weights import chain, plan

NEEDS = ("torch",)

RECIPE = {"batch": 8, "lr": 1e-3, "augment": "strong", "ema": 0.9, "margin-warmup": 1}


@pytest.fixture
def small(monkeypatch, tmp_path):
    monkeypatch.setenv("EFM3_WEIGHTS_DIR", str(tmp_path))
    for name, value in (("TOGETHER", plan.Shape(6, 4, 32, RECIPE)),
                        ("RUNS", (plan.Run("nano", 1), plan.Run("nano", 2))),
                        ("CHOICE", "synth:1:20:20:2000000"), ("HELD_OUT", "synth:1:20:20")):
        monkeypatch.setattr(plan, name, value)
    return tmp_path


def test_runs_end_together_and_finish_makes_their_files(small, capsys):
    from tools.weights import together

    said = []
    together.train(plan.RUNS, "cpu", None, said.append)
    assert said[0].startswith("24 pictures drawn, ")
    assert said[-1].startswith("step 4 of 4, margin 0.50: nano:1 ") and "nano:2" in said[-1]
    one, two = (plan.folder(run, "cpu") for run in plan.RUNS)
    assert (one / "last.pt").read_bytes() != (two / "last.pt").read_bytes(), "two seeds"
    assert chain.meta(plan.RUNS[0], "cpu") is None, "no file before `finish`"
    assert command.main(["finish"]) == 0
    assert "nano:2: verified, max_err" in capsys.readouterr().out
    got = chain.meta(plan.RUNS[1], "cpu")
    assert got["steps"] == 4 and got["seed"] == 2 and got["identities"] == 6
    assert got["training_data"].startswith("efm3 draw: format 2, seed 1, first 0, classes 6, shots")
    assert got["scores"]["held_out"]["protocol"].endswith("no identity was trained on")
    rows = json.loads((one / "config.json").read_text())
    assert rows["config"]["data"] == "synth:1:6:4" and rows["images"] == 24
    assert chain.best("cpu") and efm3.validate(one / "facex_nano.bin").ok


def test_the_time_sets_the_number_of_steps(small, monkeypatch):
    from tools.weights import together

    monkeypatch.setattr(together.Together, "pace", lambda self: 4.0)
    said = []
    # 0.2 minutes are 12 seconds, of which some were the drawing's: two steps of 4 seconds.
    together.train(plan.RUNS[:1], "cpu", 0.2, said.append)
    assert "2 steps fit, 4 are wanted" in said[1]
    assert chain.line(plan.RUNS[0], "cpu").startswith("step 2 of 2, train_acc")


def test_where_time_runs_out_the_networks_are_kept_and_it_is_said(small, monkeypatch):
    from efm3.train import checkpoint, parallel
    from tools.weights import together
    from tools.weights.resident import Resident

    monkeypatch.setattr(together, "AHEAD", 1)
    world = parallel.join("cpu")
    source = Resident(together.Faces(1, 0, 6, 4), world.device, lambda text: None)
    made = together.Together(plan.RUNS, source, world, RECIPE, 4)
    with pytest.raises(together.TooSlow, match="the time is over at step 1 of 4"):
        made.run(lambda text: None, until=0.0)
    assert checkpoint.load(plan.folder(plan.RUNS[1], "cpu") / "last.pt")["step"] == 1


def test_finish_says_what_was_not_trained(small, capsys):
    assert command.main(["finish"]) == chain.STOPPED
    assert capsys.readouterr().out.splitlines() == [
        f"nano:{n}      step 0 of {plan.STEPS['nano', 112]}" for n in (1, 2)]


def test_a_network_that_diverges_is_given_up_and_the_others_go_on(small):
    import torch

    from efm3.train import parallel
    from efm3.train.loop import Diverged
    from tools.weights import together
    from tools.weights.resident import Resident

    world, said = parallel.join("cpu"), []
    source = Resident(together.Faces(1, 0, 6, 4), world.device, lambda text: None)
    made = together.Together(plan.RUNS, source, world, RECIPE, 4)
    with torch.no_grad():
        made.lead.head.weight.fill_(float("nan"))
    made.run(said.append)
    assert said[0] == "nano:1: the loss is nan before step 4; it is given up"
    assert made.lost == [plan.RUNS[0]] and chain.line(plan.RUNS[1], "cpu").startswith("step 4 of 4")
    assert not plan.folder(plan.RUNS[0], "cpu").exists()
    made = together.Together(plan.RUNS[:1], source, world, RECIPE, 4)
    with torch.no_grad():
        made.lead.head.weight.fill_(float("nan"))
    with pytest.raises(Diverged, match="no network's loss is a number"):
        made.run(said.append)
