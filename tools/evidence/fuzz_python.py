# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Part A in Python: tests/fuzz/fuzz_python.py without feedback, and under atheris where it is.

A slice that ends in a finding counts as one, keeps its input under build/fuzz and fails the part.
Every slice has a seed of its own, so that a later run continues where the last one stopped.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial

from tools import ROOT
from tools.evidence import _book, _sources

PROGRAM = "tests.fuzz.fuzz_python"
WORK = ROOT / "build" / "fuzz"
FAST = {"mirror": 80_000, "scan": 10_000, "answer": 30_000}
"""Targets that run thousands of times a second under atheris: executions in a short round. A long
one is fifty times as much, more than five million, and every other target's share is of time."""
LONGEST = 1800
DRIVEN, SLICE = 5, 10_000
"""Slices of the driver in a long round, and what each target runs in one at most."""


class Finding(Exception):
    """A fuzz target gave up; the message says which and where its output is."""


def _run(name: str, *words: object) -> tuple[int, str]:
    WORK.mkdir(parents=True, exist_ok=True)
    done = subprocess.run([sys.executable, "-m", PROGRAM, *map(str, words)], capture_output=True,
                          text=True, check=False, cwd=ROOT)
    if done.returncode:
        (WORK / f"finding-{name}.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    return done.returncode, done.stdout + done.stderr


def drive(rounds: int) -> None:
    """The driver, each target counted. Raises Finding."""
    seed = _book.total("fuzz_python") + 1
    start = time.monotonic()
    code, out = _run(f"python-{seed}", "run", rounds, seed)
    rows = re.findall(r"^(\w+) (\d+) ([\d.]+)$", out, re.MULTILINE)
    total = 0
    for target, executions, seconds in rows:
        total += int(executions)
        _book.count(f"fuzz_python.{target}", "none", int(executions), float(seconds),
                    _sources.PYTHON)
    if code:
        _book.count("fuzz_python.unfinished", "none", 0, time.monotonic() - start,
                    _sources.PYTHON, 1)
        raise Finding(f"build/fuzz/finding-python-{seed}.txt")
    rate = total / (time.monotonic() - start)
    print(f"fuzz_python: {total} executions, {rate:.0f}/s", file=sys.stderr, flush=True)


def atheris(target: str, seconds: int, runs: int = -1) -> None:
    """atheris on one target, on its grown corpus, for some seconds or executions. Raises Finding,
    RuntimeError where it does not say how many it made."""
    start = time.monotonic()
    code, out = _run(f"atheris-{target}", "atheris", target, f"-max_total_time={seconds}",
                     f"-runs={runs}", "-print_final_stats=1", "-timeout=20", "-rss_limit_mb=4096",
                     f"-artifact_prefix={WORK}/finding-{target}-")
    units = re.search(r"number_of_executed_units:\s*(\d+)", out)
    covered = re.findall(r"cov: (\d+)", out) or ["0"]
    took = time.monotonic() - start
    executions = int(units[1]) if units else 0
    if not code and not executions:
        raise RuntimeError(f"atheris {target} does not say how many executions it made: "
                           f"{out[-2000:]}")
    _book.count(f"fuzz_python.{target}", "none", executions, took,
                _sources.ATHERIS, int(code != 0))
    if code:
        raise Finding(f"build/fuzz/finding-atheris-{target}.txt")
    print(f"atheris {target}: {executions} executions, {executions / took:.0f}/s, "
          f"coverage {covered[0]} to {covered[-1]}", file=sys.stderr, flush=True)


def run(long: bool) -> Iterator[_book.Step]:
    """The steps of a round: the driver, then atheris on each target in turn. They raise Finding;
    the end raises NotHere where atheris is missing."""
    rounds = range(DRIVEN if long else 1)
    for k in rounds:
        yield f"driver, {k + 1} of {len(rounds)}", partial(drive, SLICE if long else 3000)
    if importlib.util.find_spec("atheris") is None:
        raise _book.NotHere("not installed: atheris (tools/evidence/install_fuzz.sh)")
    from tests.fuzz import targets

    for target in targets.available():
        runs = FAST.get(target, 0) * (50 if long else 1)
        yield f"atheris, {target}", partial(
            atheris, target, LONGEST if runs else 60 if long else 3, runs or -1)
