# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Failing calls, kills, rival writers, memory that runs out."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tools import ROOT
from tools.evidence import _engine
from tools.evidence._book import Measure, NotHere, figure

DRIVER = "tests.faults.syscalls"
NO_MEMORY = "tests.faults.nomemory"
SEED = 6
# Syncing costs nothing there, so that kills fall between and within the other calls.
MEMORY = Path("/dev/shm")


def drive(*words: object, driver: str = DRIVER) -> dict[str, Any]:
    """A verb of the driver as a figure; raises where anything was torn or lost."""
    shown = " ".join(map(str, ("python", "-m", driver, *words)))
    done = subprocess.run([sys.executable, "-m", driver, *map(str, words)], capture_output=True,
                          text=True, check=False, cwd=ROOT)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{shown}: {done.stderr}")
    numbers = json.loads(done.stdout)
    bad = numbers.pop("bad")
    if bad:
        raise RuntimeError(f"{shown}: {len(bad)} wrong, first: {bad[0]}")
    return figure(shown, numbers | {"torn or lost": 0}, SEED if "--seed" in words else None)


def special() -> dict[str, Any]:
    """What the readers and the writer say to odd files."""
    found = json.loads(_engine.run(sys.executable, "-m", "tests.faults.special"))
    return figure("python -m tests.faults.special", {
        "load": {k: " / ".join(v) for k, v in found["load"].items()}, "save": found["save"]},
        long=True)


def no_memory() -> dict[str, Any]:
    """Every allocation and new thread of an engine's life fails, under ASan and UBSan."""
    # Load from memory and from a file, forward, batches of floats and of pixels with a pool.
    program, command = _engine.check("asan")
    said = _engine.run(program, "nomem", ROOT / "spec/vectors/odd_b.bin")
    # Two lines for each precision.
    counts = [int(line.split("each of ")[1].split()[0]) for line in said.splitlines()]
    once, ever = sum(counts[::2]), sum(counts[1::2])
    return figure(f"{command} && check-asan nomem spec/vectors/odd_b.bin",
                  {"in": "load, forward, batch, trace, profile, in each precision",
                   "failed once": once, "failed from there on": ever, "leaks or crashes": 0},
                  long=True)


def _without_memory(step: int) -> dict[str, Any]:
    try:
        able = hasattr(importlib.import_module("_testcapi"), "set_nomemory")
    except ModuleNotFoundError:
        able = False
    if not able:
        raise NotHere("this interpreter cannot make its allocations fail")
    return drive("--step", step, driver=NO_MEMORY)


def _in_memory(*storm: object) -> dict[str, Any]:
    if not MEMORY.is_dir():
        raise NotHere(f"there is no {MEMORY}")
    return drive(*storm, "--folder", MEMORY)


def run(long: bool) -> Iterator[tuple[str, Measure]]:
    """The figures; the long form of all takes most of an hour."""
    step = ("--step", 1 if long else 10)
    storm = ("storm", "--seed", SEED, "--count", 20000 if long else 1000)
    yield "no memory", no_memory
    yield "no memory, in Python", partial(_without_memory, 1 if long else 41)
    yield "special files", special
    yield "calls that fail", partial(drive, "sweep", *step)
    yield "killed at each call", partial(drive, "kills", *step)
    yield "two writers", partial(drive, "writers", "--count", 5000 if long else 500)
    yield "kill -9 storm", partial(drive, *storm)
    yield "kill -9 storm, files in memory", partial(_in_memory, *storm)
