# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The chain from nothing to files, stopped and continued; what it says, and what it ships."""

import pytest

import efm3
from tools.gen import ship
from tools.weights import __main__ as command
from tools.weights import chain, plan

NEEDS = ("torch",)

SMALL = {"batch": 4, "steps": 4, "lr": 1e-3, "augment": "strong", "ema": 0.9, "save-every": 0}


@pytest.fixture
def small(monkeypatch, tmp_path):
    monkeypatch.setenv("EFM3_WEIGHTS_DIR", str(tmp_path))
    for name, value in (("IDENTITIES", 4), ("SHOTS", 2), ("RECIPE", SMALL), ("GROWN", {}),
                        ("RUNS", (plan.Run("nano", 1), plan.Run("nano", 2))),
                        ("CHOICE", "synth:1:20:20:2000000"), ("HELD_OUT", "synth:1:20:20")):
        monkeypatch.setattr(plan, name, value)
    return tmp_path


def test_a_chain_goes_on_to_the_end_and_ships_the_better_seed(small, capsys, monkeypatch):
    assert command.main(["--status"]) == 0
    assert capsys.readouterr().out.splitlines() == ["nano:1      step 0 of 4",
                                                    "nano:2      step 0 of 4"]
    assert command.main(["ship"]) == 1
    assert "nano:1 is not finished: step 0 of 4" in capsys.readouterr().err
    # Sessions of no length take a step each.
    assert command.main(["--only", "nano:1", "--session", "1e-3"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [s.split(",")[0][9:] for s in said if "nano:1: " in s][-1] == "nano:1: step 4 of 4"
    assert len([s for s in said if "nano:1: " in s]) > 1
    assert command.main([]) == 0
    shown = capsys.readouterr().out.splitlines()[-2:]
    assert all("step 4 of 4, train_acc" in s and "held-out" in s and "TAR at FAR 1e-3 ?" in s
               for s in shown)
    runs = {r: chain.meta(r, "cpu")["scores"]["val_acc"] for r in plan.RUNS}
    want = plan.folder(max(runs, key=runs.__getitem__), "cpu")
    asked = []
    monkeypatch.setattr(ship, "main", lambda words: asked.append(words) or 0)
    assert command.main(["ship"]) == 0 and asked == [[str(want)]]
    said = efm3.load(want / "facex_nano.bin").mirror["meta"]
    assert said["recipe"]["augment"] == "strong" and said["recipe"]["ema"] == 0.9


def test_a_wider_size_begins_where_the_narrower_one_ended(small, capsys, monkeypatch):
    from efm3.train import checkpoint

    runs = (plan.Run("nano", 1), plan.Run("tiny", 1))
    monkeypatch.setattr(plan, "RUNS", runs)
    # It learns nothing, so what it had is what it ends with.
    monkeypatch.setattr(plan, "GROWN", {"tiny": {"steps": 1, "lr": 0.0, "warmup": 0.0}})
    assert command.main(["--only", "tiny:1"]) == 1
    assert "nano:1 is not finished" in capsys.readouterr().out
    assert command.main(["--jobs", "2"]) == 0
    assert "step 1 of 1" in capsys.readouterr().out.splitlines()[-1]
    one, two = (checkpoint.load(plan.folder(r, "cpu") / "last.pt")["model"] for r in runs)
    key = "stages.3.dw.conv.weight"
    assert len(two[key]) > len(one[key]) and (two[key][:len(one[key])] == one[key]).all()


def test_a_session_that_fails_is_told_with_its_log(small, capsys, monkeypatch):
    monkeypatch.setattr(plan, "RECIPE", SMALL | {"batch": 400})
    assert command.main(["--only", "nano:1"]) == 1
    assert "exit code 1, see" in capsys.readouterr().out
    assert "fill no step of 400" in (small / "cpu" / "nano-1.log").read_text()


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
