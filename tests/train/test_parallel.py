# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Two gloo processes beside one: the same steps, within what summation order leaves.

A step of two processes with 4 images each is a step of one with 8, the gradient being the mean
over 8 images, but for BatchNorm: in training each process normalises by its own 4 images. So
the one process here takes the same two halves one after the other and means their gradients.

All compute in float64: in float32 AdamW, which divides a gradient by its size, makes whole
steps out of rounding where a gradient is nearly 0, and a tolerance would have to be so wide
that mistakes pass.
"""

import os
import socket
import subprocess
import sys

import pytest
import torch

from efm3.train import checkpoint, feed, loop, parallel, schedule, state
from efm3.train.config import Config
from efm3.train.sampler import Batches
from tests.train import process
from tests.train.standin import Patterns

NEEDS = ("torch",)

CLASSES = 5


def torchrun(out, *options, processes=2):
    """What torchrun does for one machine, without its agent; the exit codes."""

    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    words = [sys.executable, "-m", "tests.train.process", "--out", out, "--threads", 1, *options]
    running = [subprocess.Popen(
        list(map(str, words)), stderr=subprocess.PIPE, text=True,
        env=os.environ | {"RANK": str(r), "LOCAL_RANK": str(r), "WORLD_SIZE": str(processes),
                          "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)})
        for r in range(processes)]
    said = [p.communicate(timeout=200)[1] for p in running]
    assert [p.returncode for p in running] == [0] * processes, said
    return said


OPTIONS = ("--data", CLASSES, "--batch", 4, "--steps", 2, "--augment", "none", "--warmup", 0,
           "--log-every", 1)


@pytest.fixture
def double(monkeypatch):
    monkeypatch.setattr(feed, "scale", feed.scale)
    process.double()
    yield
    torch.set_default_dtype(torch.float32)


def by_halves(out, halves):
    """One process that does the step of two: each half by itself, gradients meaned."""
    config = Config(data="", out=str(out), batch=4, steps=2, augment="none", warmup=0.0)
    source = Patterns(CLASSES, 4)
    t = loop.Trainer(config, source, parallel.World(0, 1, torch.device("cpu")))
    feeds = [Batches(len(source), 4, config.seed, r, halves) for r in range(halves)]
    per_epoch = feeds[0].steps
    for step in range(2):
        for f in feeds:
            f.start(step // per_epoch, step % per_epoch)
        stats = [b.clone() for b in t.model.buffers()]
        t.optimizer.zero_grad()
        for r in reversed(range(halves)):
            # Rank 0 comes last: its BatchNorm statistics are those that are stored.
            for b, kept in zip(t.model.buffers(), stats, strict=True):
                b.copy_(kept)
            images, labels = feed.collate([source[i] for i in next(iter(feeds[r]))])
            x = feed.scale(images, None).contiguous(memory_format=torch.channels_last)
            loss, _ = t.head(t.model.train()(x), labels)
            (loss / halves).backward()
        for group in t.optimizer.param_groups:
            group["lr"] = schedule.rate(step, 2, 0, config.lr)
        torch.nn.utils.clip_grad_norm_(list(t.names), config.clip)
        t.optimizer.step()
    return state.capture(t)


def close(a, b, tolerance=1e-9):
    """All of model, head and optimiser, each tensor as a part of its largest value."""
    pairs = [(k, v, b["model"][k]) for k, v in a["model"].items()]
    pairs += [("head", a["head"]["weight"], b["head"]["weight"])]
    pairs += [(f"{name} {key}", value, b["optimizer"][name][key])
              for name, own in a["optimizer"].items() for key, value in own.items()]
    assert a["optimizer"].keys() == b["optimizer"].keys() and len(pairs) > 800
    for name, have, want in pairs:
        # The gradient of what a BatchNorm takes away again is rounding alone: hence the floor.
        most = want.abs().max().clamp(min=0.1)
        assert (have - want).abs().max() <= tolerance * most, (name, float(most))


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    out = tmp_path_factory.mktemp("two")
    said = torchrun(out, *OPTIONS)
    return checkpoint.load(out / "last.pt"), said


def test_two_processes_equal_one_that_means_the_halves(two, double, tmp_path):
    close(two[0], by_halves(tmp_path, 2))


def test_the_sharded_head_equals_the_plain_one(two, tmp_path):
    """Five classes over two processes: unequal shares, one form of checkpoint. The average beside
    it changes no step."""
    torchrun(tmp_path, *OPTIONS, "--shard-head", "--ema", 0.9)
    sharded = checkpoint.load(tmp_path / "last.pt")
    close(sharded | {"model": state.raw(sharded)}, two[0])
    with pytest.raises(AssertionError, match="stem"):
        close(sharded, two[0])
    assert sharded["head"]["weight"].shape == (CLASSES, 256)
    have, want = sharded["history"][0], two[0]["history"][0]
    assert have["train_acc"] == want["train_acc"]
    assert abs(have["loss"] - want["loss"]) < 1e-12 * want["loss"]


def test_only_the_first_process_speaks(two):
    assert "verified" in two[1][0] and not two[1][1].strip()
