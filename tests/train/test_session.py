# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A session of `efm3 train`: refusals, messages, the run folder; hostile data end in one line."""


import json
import subprocess
import sys

import pytest
import torch

import efm3
from efm3.train import checkpoint, export, logs, memory, runs
from efm3.train.data import Corrupt, Source
from tests.train.standin import Patterns

NEEDS = ("torch",)

SMALL = ("--batch", 4, "--steps", 4, "--no-augment", "--log-every", 1)


def test_a_file_with_its_story_comes_out(run, tmp_path, capfd):
    assert run(*SMALL, "--note", "Coloured patterns, for a test", "--licence", "CC0-1.0") == 0
    path = tmp_path / "run" / "facex_nano.bin"
    model = efm3.load(path)
    meta = model.mirror["meta"]
    assert meta["trained"] is True
    assert meta["training_data"] == "patterns: 16 images of 4 identities"
    assert meta["description"] == "Coloured patterns, for a test"
    assert meta["licence"] == "CC0-1.0" and meta["steps"] == 4 and meta["identities"] == 4
    assert 0 <= meta["scores"]["train_acc"] <= 1 and meta["recipe"]["head"] == "arcface"
    assert efm3.validate(path).ok and meta["sha256"]
    assert "verified against last.pt, max_err = " in capfd.readouterr().err


def test_a_file_that_computes_something_else_is_not_verified(run, monkeypatch, capfd,
                                                            tmp_path):
    real = export.tensors

    def wrong(model):
        out = real(model)
        out["embed_proj.bn.b"] = out["embed_proj.bn.b"] + 0.01
        return out
    monkeypatch.setattr(export, "tensors", wrong)
    assert run(*SMALL) == 1
    assert "differs from" in capfd.readouterr().err
    assert not (tmp_path / "run" / "facex_nano.bin").exists()


def test_without_the_engine_nothing_is_verified_and_it_can_be_later(run, monkeypatch, capfd,
                                                                    tmp_path):
    with monkeypatch.context() as m:
        m.setitem(sys.modules, "efm3._engine", None)
        assert run(*SMALL) == 1
    assert "the C engine was not built" in capfd.readouterr().err.splitlines()[-1]
    assert run("--resume") == 0
    assert "verified against last.pt" in capfd.readouterr().err
    assert (tmp_path / "run" / "facex_nano.bin").is_file()


def test_a_folder_with_a_run_is_not_overwritten(run, tmp_path, capfd):
    assert run(*SMALL) == 0
    before = (tmp_path / "run" / "last.pt").read_bytes()
    assert run(*SMALL) == 1
    assert "continue with --resume" in capfd.readouterr().err
    assert run("--resume", "--lr", "0.5") == 1
    assert "--lr is 0.5, the checkpoint was made with 0.001" in capfd.readouterr().err
    assert (tmp_path / "run" / "last.pt").read_bytes() == before


def test_resume_without_a_checkpoint_begins(run, tmp_path):
    """One command line serves a chain of short sessions."""
    assert run("--data", "patterns", *SMALL, "--resume") == 0
    assert run("--data", "patterns", *SMALL, "--resume") == 0
    assert checkpoint.load(tmp_path / "run" / "last.pt")["step"] == 4


def test_a_damaged_checkpoint_is_refused_in_one_line(run, tmp_path, capfd):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "last.pt").write_bytes(b"PK\x03\x04" + bytes(90))
    assert run("--resume") == 1
    err = capfd.readouterr().err
    assert len(err.splitlines()) == 1 and "last.pt" in err


class WrongLabels(Patterns):
    def __getitem__(self, i):
        return super().__getitem__(i)[0], 99


class Broken(Patterns):
    def __getitem__(self, i):
        raise OSError(5, "Input/output error")


class Shaped(Patterns):
    def __getitem__(self, i):
        return torch.zeros(3, 56, 56, dtype=torch.uint8), 0


@pytest.mark.parametrize("options,word", [
    (("--device", "cuda:7"), "no such GPU"), (("--device", "abacus"), "none of cpu"),
    (("--sync-bn",), "GPUs only"), (("--shard-head",), "start it by torchrun"),
])
def test_what_this_machine_cannot_do_is_refused(run, capfd, options, word):
    assert run(*SMALL, *options) == 1
    err = capfd.readouterr().err
    assert word in err and len(err.splitlines()) == 1


def test_an_error_in_a_worker_ends_in_one_line(run, capfd):
    assert run(*SMALL, "--workers", 1, source=Broken(4, 4)) == 1
    err = capfd.readouterr().err
    assert "Input/output error" in err.splitlines()[-1] and "Traceback" not in err


def test_workers_give_the_same_run(run, tmp_path):
    for n in (0, 2):
        assert run(*SMALL, "--workers", n, out=tmp_path / str(n)) == 0
    a, b = (checkpoint.load(tmp_path / n / "last.pt")["model"] for n in "02")
    assert all(torch.equal(v, b[k]) for k, v in a.items())


class Undecodable(Source):
    """A refusal that is raised in a worker arrives as text."""

    def __len__(self):
        return 4

    def load(self, index):
        raise Corrupt("no picture")


def test_a_refusal_in_a_worker_ends_in_one_line(run, capfd):
    assert run(*SMALL, "--workers", 1, source=Undecodable("junk", 2)) == 1
    err = capfd.readouterr().err
    assert "Error: F025 junk: " in err.splitlines()[-1] and "Traceback" not in err


@pytest.mark.parametrize("source,word", [
    (WrongLabels(4, 4), "labels reach from 99 to 99, it states 4 classes"),
    (Patterns(1, 2), "2 images fill no step of 4"),
    (Shaped(4, 4), "3, 56, 56"),
])
def test_hostile_data_ends_in_one_line(run, capfd, source, word):
    assert run(*SMALL, source=source) == 1
    err = capfd.readouterr().err
    assert word in err.splitlines()[-1] and "Traceback" not in err


def test_data_that_cannot_be_read(run, capfd):
    assert run(*SMALL, source=Broken(4, 4)) == 3
    assert capfd.readouterr().err.splitlines()[-1] == "efm3: Input/output error"


def test_missing_data_is_refused(train, tmp_path, capfd):
    assert train("--data", tmp_path / "no\x1bne", "--out", tmp_path / "o") == 1
    err = capfd.readouterr().err
    assert err.startswith("efm3: F020 ") and "no\\x1bne" in err and len(err.splitlines()) == 1


def test_the_log_survives_without_tensorboard(tmp_path, monkeypatch, capsys):
    import builtins
    real = builtins.__import__

    def no(name, *a, **k):
        if "tensorboard" in name:
            raise ImportError(name)
        return real(name, *a, **k)
    log = logs.Log(tmp_path, True, 4)
    row = {"epoch": 1, "step": 2, "loss": 1.5, "train_acc": 0.25, "lr": 1e-3, "margin": 0.5,
           "images_per_s": 10.0, "epoch_s": 2.0, "data_share": 0.1, "val_acc": None}
    with monkeypatch.context() as m:
        m.setattr(builtins, "__import__", no)
        log.epoch([row])
        log.epoch([row, row | {"epoch": 2}])
    log.close()
    assert capsys.readouterr().err.count("no TensorBoard log") == 1
    text = (tmp_path / "log.csv").read_text().splitlines()
    assert text[0].split(",") == list(logs.COLUMNS) and len(text) == 3
    assert text[1] == "1,2,1.5,0.25,0.001,0.5,10,2,0.1,"


def test_a_silent_log_writes_nothing(tmp_path, capsys):
    log = logs.Log(tmp_path, False, 4)
    log.epoch([{"epoch": 1, "step": 2, "loss": 1.0}])
    log.step(1, "x", True)
    log.curves()
    assert not list(tmp_path.iterdir()) and capsys.readouterr().err == ""


def test_runs_and_memory():
    said = runs.describe({"a": 1}, Patterns(2, 2), 1, "cpu")
    assert json.loads(json.dumps(said)) == said and said["images"] == 4
    assert isinstance(memory.keep(), bool)


def git(folder, *words):
    subprocess.run(["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", *words],
                   check=True, capture_output=True)


def test_the_commit_is_of_the_packages_own_checkout(tmp_path):
    """Not of a repository that surrounds an installed package, nor of one around a copy."""
    git(tmp_path, "init")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "efm3"\n')
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-m", "one")
    found = runs.commit(tmp_path)
    assert len(found) == 40
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "efm3"\n\n')
    assert runs.commit(tmp_path) == found + "+"
    inner = tmp_path / "site-packages"
    inner.mkdir()
    assert runs.commit(inner) == ""
    (inner / "pyproject.toml").write_text('[project]\nname = "efm3"\n')
    assert runs.commit(inner) == ""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "other"\n')
    assert runs.commit(tmp_path) == ""
