# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: written atomically, readable by other programs, and refusals in one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import efm3
from efm3.convert.checked import convert
from efm3.train import checkpoint, loop, parallel
from efm3.train.config import Config
from tests.train.standin import Patterns

NEEDS = ("torch",)

ROOT = Path(__file__).resolve().parents[2]


def trainer(tmp_path, classes=4):
    config = Config(data="", out=str(tmp_path), batch=4, steps=1, augment="none")
    return loop.Trainer(config, Patterns(classes, 4), parallel.World(0, 1, torch.device("cpu")))


@pytest.fixture
def last(tmp_path):
    t = trainer(tmp_path)
    t.run()
    return tmp_path / "last.pt"


def test_the_converter_reads_it(last, tmp_path):
    done = convert(last, tmp_path / "n.bin")
    assert done.check.max_error < 1e-12
    assert efm3.load(tmp_path / "n.bin").arch.header() == efm3.ARCHS["nano"].header()


KILLED = """
import os, signal, sys
from pathlib import Path
from efm3.train import checkpoint
path = Path(sys.argv[2])
value = checkpoint.load(path)
for call, after in [("write", 0), ("fsync", 0), ("replace", 0), ("fsync", 1), ("none", 0)]:
    checkpoint.save(value | {"step": 1}, path)
    child = os.fork()
    if not child:
        real, calls = getattr(os, call, None), []
        def die(*a, **k):
            calls.append(a)
            if len(calls) > after:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*a, **k)
        setattr(os, call, die)
        checkpoint.save(value | {"step": 77}, path)
        os._exit(0)
    print(call, after, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]),
          checkpoint.load(path)["step"])
"""


def test_killed_while_writing_leaves_a_loadable_one(last):
    """Before the first byte, before the sync, before the rename, after it; and not at all."""

    done = subprocess.run([sys.executable, "-c", KILLED, ROOT, last], capture_output=True,
                          text=True, check=True)
    assert done.stdout.splitlines() == ["write 0 -9 1", "fsync 0 -9 1", "replace 0 -9 1",
                                        "fsync 1 -9 77", "none 0 0 77"]


def test_a_full_disk_leaves_the_old_one(last, monkeypatch):
    def full(fd, data):
        raise OSError(28, "No space left on device")
    value = checkpoint.load(last)
    before = sorted(p.name for p in last.parent.iterdir())
    with monkeypatch.context() as m:
        m.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space"):
            checkpoint.save(value | {"step": 9}, last)
    assert checkpoint.load(last)["step"] == 1
    assert sorted(p.name for p in last.parent.iterdir()) == before


@pytest.mark.parametrize("spoil,word", [
    (lambda p, v: p.write_bytes(b""), "not a checkpoint"),
    (lambda p, v: p.write_bytes(b"PK" + bytes(500)), "not a checkpoint"),
    (lambda p, v: p.write_bytes(p.read_bytes()[:-400]), "checkpoint"),
    (lambda p, v: torch.save({"model": v["model"]}, p), "it lacks version"),
    (lambda p, v: torch.save([1], p), "it lacks version"),
    (lambda p, v: torch.save(v | {"version": 9}, p), "version 9, expected 1"),
])
def test_what_is_no_checkpoint_is_refused(last, spoil, word):
    spoil(last, checkpoint.load(last))
    with pytest.raises(checkpoint.BadCheckpoint, match=word):
        checkpoint.load(last)
