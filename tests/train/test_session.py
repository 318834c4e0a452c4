# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A session of `efm3 train`: refusals, messages, the run folder; hostile data end in one line."""


import os

import pytest
import torch

from efm3.train import checkpoint, loop, session
from efm3.train.data import Corrupt, Source
from tests.train.standin import Patterns

NEEDS = ("torch",)

SMALL = ("--batch", 4, "--steps", 4, "--augment", "none", "--log-every", 1)


def test_a_folder_with_a_run_is_not_overwritten(run, tmp_path, capfd):
    assert run(*SMALL) == 0
    before = (tmp_path / "run" / "last.pt").read_bytes()
    assert run(*SMALL) == 1
    assert "resume with --resume" in capfd.readouterr().err
    assert run("--resume", "--lr", "0.5") == 1
    assert "--lr is 0.5, the checkpoint was made with 0.001" in capfd.readouterr().err
    assert (tmp_path / "run" / "last.pt").read_bytes() == before


@pytest.mark.parametrize("call", ["write", "replace"])
def test_a_full_disk_ends_in_one_line_and_a_whole_checkpoint(run, tmp_path, monkeypatch, capfd,
                                                             call):
    assert run("--batch", 4, "--epochs", 2, "--augment", "none", "--max-minutes", "1e-9") == 75
    path = tmp_path / "run" / "last.pt"
    before = path.read_bytes()
    capfd.readouterr()
    real = loop.checkpoint.save

    def save(value, *paths):
        """As it is, on a disk that has filled up since the run began."""
        def full(*args):
            raise OSError(28, "No space left on device")
        with monkeypatch.context() as m:
            m.setattr(os, call, full)
            real(value, *paths)
    with monkeypatch.context() as m:
        m.setattr(loop.checkpoint, "save", save)
        assert run("--resume", "--max-minutes", 0) == 3
    said = [line for line in capfd.readouterr().err.splitlines() if line.startswith("efm3")]
    assert len(said) == 1 and "No space left on device" in said[0]
    assert path.read_bytes() == before
    assert sorted(p.name for p in path.parent.iterdir()) == ["config.json", "last.pt"]
    assert run("--resume", "--max-minutes", 0) == 0
    assert checkpoint.load(path)["step"] == 8


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
    (("--device", "cuda:7"), "no such GPU"), (("--device", "abacus"), "not one of cpu"),
    (("--sync-bn",), "GPUs only"), (("--shard-head",), "start it with torchrun"),
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


def test_what_compiling_says_is_cut_to_its_first_line(run, monkeypatch, capfd):
    from torch._dynamo.exc import InternalTorchDynamoError

    def fail(self):
        raise InternalTorchDynamoError("no C++ compiler\n\nSet TORCHDYNAMO_VERBOSE=1")
    monkeypatch.setattr(loop.Trainer, "run", fail)
    assert run(*SMALL) == 1
    assert capfd.readouterr().err.splitlines()[-1] == "Error: --compile: no C++ compiler"


def test_a_mistake_of_the_program_is_not_hidden():
    assert session.reason(KeyError("x")) is None and session.reason(RuntimeError("x")) is None
    assert session.reason(MemoryError()) == "not enough memory"
