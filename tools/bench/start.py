# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Cold start: processor time of whole `efm3` commands, as a multiple of `python -c pass`.

    python -m tools.bench start
    python -m tools.bench start --against OTHER/bin/python     beside another version's efm3

Time is user plus system time of the child (wait4), on all its threads, with compiled modules in
the cache. Every round starts `python -c pass` and each command once, in an order that rotates;
a ratio is one median (or one minimum) over that of `python -c pass` with the same interpreter.
A target is reported, not asserted: it holds where the ratio of medians is at most the target.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from tools import ROOT

NANO = str(ROOT / "weights" / "facex_nano.bin")
PASS = "python -c pass"
COMMANDS: dict[str, tuple[list[str], float | None]] = {
    "version": (["--version"], 2.4),
    "inspect": (["inspect", NANO], 5),
    "validate": (["validate", NANO], 6),
    "explain": (["explain", "C001"], 4),
    "new": (["new", "nano", "-o", "new.bin"], 25),
    "verify": (["verify", NANO], 20),
    "convert": (["convert", NANO, "nano.npz"], 15),
    "spec": (["spec"], None),
    "layout": (["layout", "nano"], None),
}
"""Name to the words after `efm3` and the target ratio, if it has one."""

ENV = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def seconds(words: list[str], folder: str) -> float | None:
    """Processor seconds of a command run in `folder`, its output dropped; None if it failed."""
    pid = os.fork()
    if not pid:
        try:
            os.chdir(folder)
            null = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(null, stream)
            os.execve(words[0], words, ENV)
        finally:
            os._exit(127)
    _, status, usage = os.wait4(pid, 0)
    return None if status else usage.ru_utime + usage.ru_stime


def words_of(python: str) -> dict[str, list[str]]:
    """The command lines of one interpreter and the `efm3` that is installed beside it."""
    efm3 = str(Path(python).absolute().with_name("efm3"))
    if not os.access(efm3, os.X_OK):
        raise SystemExit(f"{efm3}: no such command; install efm3 for {python} first")
    return {PASS: [str(Path(python).absolute()), "-c", "pass"],
            **{name: [efm3, *words] for name, (words, _) in COMMANDS.items()}}


def measure(pythons: list[str], rounds: int) -> list[dict[str, dict[str, float]]]:
    """For each interpreter: name to the median, the minimum and both ratios."""
    runs = [(side, name, words) for side, python in enumerate(pythons)
            for name, words in words_of(python).items()]
    runs.sort(key=lambda r: list(COMMANDS).index(r[1]) if r[1] in COMMANDS else -1)
    times: dict[tuple[int, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        # The first run compiles modules and warms the page cache; what fails in it is left out.
        works = [r for r in runs if seconds(r[2], folder) is not None]
        for i in range(rounds):
            turn = i % len(works)
            for side, name, words in works[turn:] + works[:turn]:
                for old in Path(folder).iterdir():
                    old.unlink()
                took = seconds(words, folder)
                if took is None:
                    raise SystemExit(f"{' '.join(words)}: failed")
                times.setdefault((side, name), []).append(took)
    return [{name: row(t, times[side, PASS]) for (s, name), t in times.items() if s == side}
            for side in range(len(pythons))]


def row(times: list[float], base: list[float]) -> dict[str, float]:
    """What is reported of one command."""
    median, least = statistics.median(times), min(times)
    return {"median_ms": round(median * 1000, 1), "least_ms": round(least * 1000, 1),
            "ratio": round(median / statistics.median(base), 2),
            "ratio_of_minima": round(least / min(base), 2)}


def report(results: list[dict[str, dict[str, float]]]) -> str:
    """The table: a line a command, its target, and the other version's figures if measured."""
    head = f"{'':16}{'median ms':>10}{'least ms':>10}{'ratio':>8}{'of minima':>11}  target"
    if len(results) > 1:
        head += f"{'':9}{'other: ratio':>14}{'of minima':>11}{'ours/other, ms':>16}"
    lines = [head]
    for name in [PASS, *COMMANDS]:
        ours = results[0].get(name)
        if ours is None:
            lines.append(f"{name:16}failed")
            continue
        target = COMMANDS[name][1] if name in COMMANDS else None
        held = "" if target is None else (
            f"<= {target:g} " + ("holds" if ours["ratio"] <= target else "MISSED"))
        line = (f"{name:16}{ours['median_ms']:>10.1f}{ours['least_ms']:>10.1f}{ours['ratio']:>8.2f}"
                f"{ours['ratio_of_minima']:>11.2f}  {held:15}")
        if len(results) > 1:
            theirs = results[1].get(name)
            line += f"{'failed':>14}" if theirs is None else (
                f"{theirs['ratio']:>14.2f}{theirs['ratio_of_minima']:>11.2f}"
                f"{ours['median_ms'] / theirs['median_ms']:>16.2f}")
        lines.append(line.rstrip())
    return "\n".join(lines)


def main() -> None:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--against", metavar="PYTHON",
                        help="another interpreter, with another version of efm3 beside it")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = measure([sys.executable] + [options.against] * bool(options.against), options.rounds)
    if not options.json:
        print(report(results))
        return
    out: dict[str, Any] = {
        name: {**ours, **({"target": target, "holds": ours["ratio"] <= target} if target else {})}
        for name, ours in results[0].items()
        for target in [COMMANDS.get(name, ([], None))[1]]}
    print(json.dumps({"ours": out, "other": results[1]} if results[1:] else out, indent=2))


if __name__ == "__main__":
    main()
