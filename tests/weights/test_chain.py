# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The chain from nothing to files, stopped and continued; what it says, and what it ships."""

import json

import pytest

import efm3
from tools.gen import ship
from tools.weights import __main__ as command
from tools.weights import chain, plan

NEEDS = ("torch",)

SMALL = {"batch": 4, "augment": "strong", "ema": 0.9, "save-every": 0, "bf16": True}
STEPS = {(arch, side): n for arch in efm3.ARCHS for side, n in ((64, 1), (112, 2))}


@pytest.fixture
def small(monkeypatch, tmp_path):
    monkeypatch.setenv("EFM3_WEIGHTS_DIR", str(tmp_path))
    for name, value in (("IDENTITIES", 4), ("SHOTS", 2), ("RECIPE", SMALL), ("FIRST", {}),
                        ("STEPS", STEPS), ("RATES", {64: 1e-3, 112: 1e-3}),
                        ("RUNS", (plan.Run("nano", 1), plan.Run("nano", 2))),
                        ("CHOICE", "synth:1:20:20:2000000"), ("HELD_OUT", "synth:1:20:20")):
        monkeypatch.setattr(plan, name, value)
    return tmp_path


def test_a_chain_goes_on_to_the_end_and_ships_the_better_seed(small, capsys, monkeypatch):
    assert command.main(["--status"]) == 0
    assert capsys.readouterr().out.splitlines() == ["nano:1      step 0 of 2",
                                                    "nano:2      step 0 of 2"]
    assert command.main(["ship"]) == 1
    assert "nano:1 is not finished: step 0 of 2" in capsys.readouterr().err
    # Sessions of no length take a step each.
    assert command.main(["--only", "nano:1", "--session", "1e-3"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [s.split(",")[0][9:] for s in said if "nano:1: " in s][-1] == "nano:1: step 2 of 2"
    assert len([s for s in said if "nano:1: " in s]) > 1
    assert command.main([]) == 0
    shown = capsys.readouterr().out.splitlines()[-2:]
    assert all("step 2 of 2, train_acc" in s and "held-out" in s and "TAR at FAR 1e-3 ?" in s
               for s in shown)
    runs = {r: chain.meta(r, "cpu")["scores"]["val_acc"] for r in plan.RUNS}
    want = plan.folder(max(runs, key=runs.__getitem__), "cpu")
    asked = []
    monkeypatch.setattr(ship, "main", lambda words: asked.append(words) or 0)
    monkeypatch.setattr(command.weights, "RUNS", small / "runs.json")
    assert command.main(["ship"]) == 0 and asked == [[str(want)]]
    rows = json.loads((small / "runs.json").read_text())["runs"]
    assert [(r["arch"], r["seed"]) for r in rows] == [("nano", 1), ("nano", 2)]
    assert {plan.Run(r["arch"], r["seed"]): r["scores"]["val_acc"] for r in rows} == runs
    assert [str(plan.folder(plan.Run("nano", r["seed"]), "cpu")) for r in rows
            if r["shipped"]] == [str(want)]
    said = efm3.load(want / "facex_nano.bin").mirror["meta"]
    assert said["recipe"]["augment"] == "strong" and said["recipe"]["ema"] == 0.9
    assert said["recipe"]["bf16"] is True and (
        ": nano on 128 pictures of 64 pixels across, nano on 256 pictures of 112 pixels across. "
        in said["description"])


def test_a_wider_size_begins_where_the_narrower_one_ended(small, capsys, monkeypatch):
    from efm3.train import checkpoint

    run = plan.Run("tiny", 1)
    stages = plan.stages([run])
    assert [r.name for r in stages] == ["nano:1:64", "tiny:1:64", "tiny:1"]
    assert [r.before for r in stages] == [None, *stages[:2]]
    with pytest.raises(ValueError, match="nano:1:64 is not finished: step 0 of 1"):
        chain.grow(stages[1])
    # They learn nothing, so what one had is what the next ends with.
    monkeypatch.setattr(plan, "RUNS", (run,))
    monkeypatch.setattr(plan, "RATES", {64: 0.0, 112: 0.0})
    monkeypatch.setattr(plan, "STEPS", dict.fromkeys(STEPS, 1))
    assert command.main(["--jobs", "2"]) == 0
    assert "step 1 of 1" in capsys.readouterr().out.splitlines()[-1]
    narrow, *wide = (checkpoint.load(plan.folder(r, "cpu") / "last.pt")["model"] for r in stages)
    key = "stages.3.dw.conv.weight"
    n = len(narrow[key])
    for one in wide:
        assert len(one[key]) > n and (one[key][:n] == narrow[key]).all()


def test_a_session_that_fails_is_told_with_its_log(small, capsys, monkeypatch):
    monkeypatch.setattr(plan, "RECIPE", SMALL | {"batch": 400})
    assert command.main(["--only", "nano:1"]) == 1
    assert "exit code 1, see" in capsys.readouterr().out
    assert "fill no step of 400" in (small / "cpu" / "nano-1-64.log").read_text()


def test_no_session_begins_after_a_stop(small):
    said = []
    work = chain.Chain(1, said.append)
    work.stop()
    assert not work.all(plan.RUNS, 1)
    assert said == [] and not (small / "cpu").exists()


def test_without_a_gpu_it_is_refused_in_one_line(small, capsys, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert command.main(["--device", "cuda", "--minutes", "9"]) == 1
    assert capsys.readouterr().err == "weights: --device cuda: PyTorch sees no such GPU here\n"
    assert [*small.iterdir()] == []
