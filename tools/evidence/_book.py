# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""docs/evidence.json: the figures of each part, and counters that only grow.

A figure says when, on which commit, with which seed and command it was measured, and its numbers.
A counter has a row for each commit and sanitizer; runs of the same add up.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from tools import ROOT

PATH = ROOT / "docs" / "evidence.json"


def today() -> str:
    """The date in UTC, YYYY-MM-DD."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%d")


def commit(*paths: str) -> str:
    """The short name of HEAD, or of the last commit that changed one of `paths`.

    It ends with + where a tracked source under efm3/ or engine/ was changed since.
    """
    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True,
                              check=False)
        return done.stdout.strip()
    changed = git("status", "--porcelain", "--untracked-files=no", "efm3", "engine")
    name = git("log", "-1", "--abbrev=10", "--format=%h", "--", *paths)
    return (name or "unknown") + ("+" if changed else "")


def figure(command: str, numbers: dict[str, Any], seed: int | None = None) -> dict[str, Any]:
    """A figure of now."""
    return {"date": today(), "commit": commit(), "seed": seed, "command": command,
            "numbers": numbers}


def read() -> dict[str, Any]:
    """The book: {"figures": {part: {name: figure}}, "counters": {target: [row]}}."""
    if not PATH.exists():
        return {"figures": {}, "counters": {}}
    book: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
    return book


def _change(change: Callable[[dict[str, Any]], None]) -> None:
    # Several parts may run at once: read, change and replace are one step.
    (ROOT / "build").mkdir(exist_ok=True)
    with open(ROOT / "build" / "evidence.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        book = read()
        change(book)
        part = PATH.with_suffix(".part")
        part.write_text(json.dumps(book, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        os.replace(part, PATH)


def record(part: str, figures: dict[str, dict[str, Any]]) -> None:
    """Put a part's figures in the place of its older ones of the same names."""
    _change(lambda book: book["figures"].setdefault(part, {}).update(figures))


def count(target: str, sanitizer: str, executions: int, seconds: float, command: str,
          findings: int = 0) -> None:
    """Add a run of `target` (such as "fuzz.load") to the row of this commit and sanitizer."""
    # A change of a page or a tool does not make a new target: rows are for what was under test.
    key = {"commit": commit("efm3", "engine", "tests/fuzz"), "sanitizer": sanitizer,
           "command": command}

    def add(book: dict[str, Any]) -> None:
        rows = book["counters"].setdefault(target, [])
        row = next((r for r in rows if all(r[k] == v for k, v in key.items())), None)
        if row is None:
            row = {**key, "executions": 0, "seconds": 0, "findings": 0}
            rows.append(row)
        row["date"] = today()
        row["executions"] += executions
        row["seconds"] = round(row["seconds"] + seconds, 1)
        row["findings"] += findings
    _change(add)


def total(prefix: str, sanitizer: str = "") -> int:
    """Executions of all counters whose target starts so (and of one sanitizer)."""
    return sum(r["executions"] for name, rows in read()["counters"].items()
               if name.startswith(prefix) for r in rows
               if not sanitizer or r["sanitizer"] == sanitizer)
