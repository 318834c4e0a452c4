# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Many threads on one engine, forks, and how processes with engines end."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

from tools import ROOT
from tools.evidence import _engine
from tools.evidence._book import Measure, figure

SAMPLE = "spec/vectors/odd_b.bin"
SCENARIOS = "tests.processes.scenarios"


def crowd(kind: str, rounds: int) -> dict[str, Any]:
    """64 threads with batches of other sizes on one engine, for each set and precision."""
    program, command = _engine.check(kind)
    start = time.monotonic()
    said = _engine.run(program, "threads", ROOT / SAMPLE,
                       env=os.environ | {"ROUNDS": str(rounds)})
    rows = re.findall(r"threads: (\d+) on one engine, (\w+, precision \w+), (\d+) calls, "
                      r"(\d+) images", said)
    if not rows:
        raise RuntimeError(said)
    numbers: dict[str, Any] = {
        "threads": int(rows[0][0]), "seconds": round(time.monotonic() - start, 1),
        "calls": {isa: int(calls) for _, isa, calls, _ in rows},
        "images": {isa: int(images) for _, isa, _, images in rows},
        "results that differ from serial use": 0}
    if kind == "tsan":
        numbers["reports of ThreadSanitizer"] = 0
    return figure(f"{command} && ROUNDS={rounds} check-{kind} threads {SAMPLE}", numbers)


def forks() -> dict[str, Any]:
    """Parent, child and its child; forks while other threads are inside a batch."""
    program, command = _engine.check("plain")
    said = _engine.run(program, "fork", ROOT / SAMPLE)
    many = int(re.findall(r"(\d+) forks during batches", said)[0])
    return figure(f"{command} && check-plain fork {SAMPLE}", {
        "generations": 3, "forks during batches": many, "hangs, crashes, wrong results": 0},
        long=True)


def lives(times: int) -> dict[str, Any]:
    """Each scenario in a process of its own, `times` times; raises RuntimeError."""
    from tests.processes import scenarios

    ended, absent = {}, []
    for name in list(scenarios.SCENARIOS):
        for i in range(times):
            done = subprocess.run([sys.executable, "-m", SCENARIOS, name], cwd=ROOT, timeout=600,
                                  capture_output=True, text=True, check=False)
            if done.returncode == 77:
                absent.append(name)
                break
            if done.returncode or done.stderr:
                raise RuntimeError(f"{name}: exit {done.returncode}: {done.stderr}")
            ended[name] = i + 1
    return figure(f"python -m {SCENARIOS} NAME", {
        "ended well": ended, "not possible here": absent, "hangs, crashes, words on stderr": 0})


def run(long: bool) -> Iterator[tuple[str, Measure]]:
    """The figures."""
    yield "threads under ThreadSanitizer", partial(crowd, "tsan", 10 if long else 3)
    yield "threads, bit for bit", partial(crowd, "plain", 100 if long else 20)
    yield "fork", forks
    yield "ends of a process", partial(lives, 5 if long else 1)
