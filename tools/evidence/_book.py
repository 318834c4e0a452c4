# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""docs/evidence.json: the figures of each part, and counters that only grow.

A figure says when, on which commit, with which seed and command it was measured, in the long form
or the short one, its numbers, and the digests of its sources (see `_sources`). A counter has a row
for each state of its sources, sanitizer and command; runs of the same add up.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from typing import Any

from tools import ROOT
from tools.evidence import _sources

PATH = ROOT / "docs" / "evidence.json"
Figure = dict[str, Any]
Measure = Callable[[], Figure]
Step = tuple[str, Callable[[], None]]
"""A step of a round: its name in the round, and what makes its runs."""


class Moved(RuntimeError):
    """A source was changed while it was measured: nothing can be said about either state."""


class NotHere(RuntimeError):
    """This machine cannot measure a figure; the message says why. The book keeps its old one."""


def today() -> str:
    """The date in UTC, YYYY-MM-DD."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%d")


def commit(key: str) -> str:
    """The short name of HEAD, with + where a source of the figure or counter `key` is another
    there, or is not there. Any file that is gone from a folder of its sources counts as one."""
    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True,
                              check=False)
        return done.stdout
    own = {name for group in (*_sources.of(key), _sources.tool(key))
           for name in _sources.files(group)}
    folders = {str(Path(name).parent) for name in own}
    status = git("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all")
    rows = [(row[:2], row[3:]) for row in status.split("\0") if row]
    changed = any(name in own or ("D" in state and str(Path(name).parent) in folders)
                  for state, name in rows)
    name = git("log", "-1", "--abbrev=10", "--format=%h").strip()
    return (name or "unknown") + ("+" if changed else "")


def figure(command: str, numbers: dict[str, Any], seed: int | None = None,
           long: bool | None = None) -> Figure:
    """A figure of now, without its commit and sources. `long` says that it is whole, whatever was
    asked."""
    own = {"date": today(), "seed": seed, "command": command, "numbers": numbers}
    return own if long is None else own | {"long": long}


def read(path: Path | None = None) -> dict[str, Any]:
    """The book: {"figures": {part: {name: figure}}, "counters": {target: [row]}}."""
    path = path or PATH
    if not path.exists():
        return {"figures": {}, "counters": {}}
    book: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return book


@lru_cache(maxsize=1)
def _begun() -> _sources.Tree:
    return _sources.Tree()


def sources(key: str) -> dict[str, str]:
    """Group to digest, as they were when a figure or counter was first asked for in this process.

    Programs are built and processes started after that. Raises Moved where they are others now.
    """
    then = _begun()(key)
    moved = _sources.changed(then, _sources.Tree()(key))
    if moved:
        raise Moved(f"{key}: {', '.join(moved)}")
    return then


def wanted(part: str, name: str, long: bool) -> bool:
    """Whether a figure is missing, stale, or measured in the short form alone while `long`."""
    old = read()["figures"].get(part, {}).get(name)
    now = sources(f"{part}.{name}")
    return not old or old.get("sources") != now or (long and not old.get("long"))


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


def record(part: str, name: str, found: Figure, long: bool) -> None:
    """Put a figure in the place of the older one; its own "long" goes before `long`."""
    key = f"{part}.{name}"
    whole = {"long": long} | found | {"commit": commit(key), "sources": sources(key)}
    _change(lambda book: book["figures"].setdefault(part, {}).update({name: whole}))


def keep(part: str, names: set[str]) -> None:
    """Drop the figures that a part no longer has."""
    def drop(book: dict[str, Any]) -> None:
        for name in set(book["figures"].get(part, {})) - names:
            del book["figures"][part][name]
        if not book["figures"].get(part, True):
            del book["figures"][part]
    _change(drop)


def _begin(part: str, now: dict[str, Any] | None) -> None:
    def change(book: dict[str, Any]) -> None:
        rounds = {k: v for k, v in {**book.pop("rounds", {}), part: now}.items() if v}
        book.update({"rounds": rounds} if rounds else {})
    _change(change)


def round_of(part: str, counter: str, steps: Iterable[Step], long: bool) -> int:
    """Run the steps of a round that were not run yet on today's sources; the round's executions.

    A round may take longer than a machine is at hand: which steps it has made is in the book
    until all are. Raises what a step raises.
    """
    key = {"sources": sources(f"{part}.a round"), "long": long}
    old = read().get("rounds", {}).get(part, {})
    done: dict[str, int] = old["done"] if {k: old.get(k) for k in key} == key else {}
    for name, step in steps:
        if name in done:
            continue
        before = total(counter)
        step()
        done[name] = total(counter) - before
        _begin(part, {**key, "done": done})
    _begin(part, None)
    return sum(done.values())


def count(target: str, sanitizer: str, executions: int, seconds: float, command: str,
          findings: int = 0) -> None:
    """Add a run of `target` (such as "fuzz_c.random") to the row of these sources."""
    key = {"sources": sources(target), "sanitizer": sanitizer, "command": command}
    made = {"date": today(), "commit": commit(target)}

    def add(book: dict[str, Any]) -> None:
        rows = book["counters"].setdefault(target, [])
        row = next((r for r in rows if all(r.get(k) == v for k, v in key.items())), None)
        if row is None:
            row = {**key, "executions": 0, "seconds": 0, "findings": 0}
            rows.append(row)
        row |= made
        row["executions"] += executions
        row["seconds"] = round(row["seconds"] + seconds, 1)
        row["findings"] += findings
    _change(add)


def total(prefix: str, sanitizer: str = "", fresh: bool = False) -> int:
    """Executions of all counters whose target starts so, of one sanitizer, on today's sources."""
    return sum(r["executions"] for name, rows in read()["counters"].items()
               if name.startswith(prefix) for r in rows
               if (not sanitizer or r["sanitizer"] == sanitizer)
               and (not fresh or r.get("sources") == sources(name)))
