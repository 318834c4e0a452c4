# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Files below a folder, sorted; links to folders are not followed, so there is no circle."""

from __future__ import annotations

import fnmatch
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

_MAGIC = re.compile(r"[*?\[]")
Parts = tuple[str, ...]
"""The names on the way from the top to a file."""


def is_pattern(path: str) -> bool:
    """True where the path has a character of patterns."""
    return _MAGIC.search(path) is not None


def below(top: str, skipped: Counter[str]) -> Iterator[str | OSError]:
    """Every file below `top` that is not hidden; the error of a folder that cannot be listed."""
    yield from _below(top, skipped, lambda parts: True)


def matches(pattern: str, skipped: Counter[str]) -> Iterator[str | OSError]:
    """The files that a pattern means: `**` stands for any folders, and for none.

    Each comes once, for the pattern is laid on a walk from its last folder without a sign.
    """
    plain = _MAGIC.split(pattern, maxsplit=1)[0]
    top = plain[:plain.rfind("/") + 1]
    parts = [p for p in pattern[len(top):].split("/") if p]
    tests: Tests = [None if p == "**" else re.compile(fnmatch.translate(p)).match
                    for p in parts]
    for found in _below(top, skipped, lambda names: _reaches(names, tests)):
        if isinstance(found, OSError) or _fits(tuple(found[len(top):].split("/")), tests):
            yield found


Tests = list[Callable[[str], Any] | None]
"""What each name of a path is held to; None for `**`."""


def _states(names: Parts, tests: Tests) -> set[int]:
    """How many of the tests may be met by the names: one step a name, so no pattern is slow."""
    states = _past({0}, tests)
    for name in names:
        after = set()
        for k in states:
            if k < len(tests):
                test = tests[k]
                if test is None:
                    after.add(k)
                elif test(name):
                    after.add(k + 1)
        states = _past(after, tests)
    return states


def _past(states: set[int], tests: Tests) -> set[int]:
    """The states, and those that are reached where `**` stands for nothing."""
    out = set()
    for k in states:
        out.add(k)
        while k < len(tests) and tests[k] is None:
            k += 1
            out.add(k)
    return out


def _fits(names: Parts, tests: Tests) -> bool:
    return len(tests) in _states(names, tests)


def _reaches(names: Parts, tests: Tests) -> bool:
    """True where something in a folder of these names may fit."""
    return any(k < len(tests) for k in _states(names, tests))


def _below(top: str, skipped: Counter[str], wanted: Callable[[Parts], bool]) \
        -> Iterator[str | OSError]:
    """The walk, with the sorted names of the folders on the way; `wanted` are the folders."""
    stack: list[tuple[str, Parts, Iterator[str]]] = []
    prefix, parts = top if top.endswith("/") or not top else top + "/", Parts(())
    while True:
        found, fault = _listed(prefix or ".", skipped)
        if fault:
            yield OSError(fault.errno, fault.strerror, prefix or ".")
        stack.append((prefix, parts, iter(found)))
        while stack:
            prefix, parts, names = stack[-1]
            name = next(names, "")
            if not name:
                stack.pop()
            elif not name.endswith("/"):
                yield prefix + name
            elif wanted((*parts, name[:-1])):
                prefix, parts = prefix + name, (*parts, name[:-1])
                break
        else:
            return


def _listed(folder: str, skipped: Counter[str]) -> tuple[list[str], OSError | None]:
    """The sorted names in a folder, those of folders with a stroke behind them; and why there are
    no more of them, where it cannot be listed to its end."""
    found: list[str] = []
    fault = None
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                kind = _kind(entry)
                if entry.name.startswith("."):
                    skipped["hidden"] += 1
                elif kind == "link":
                    skipped["linked folders"] += 1
                else:
                    found.append(entry.name + "/" * (kind == "folder"))
    except OSError as e:
        fault = e
    found.sort()
    return found, fault


def _kind(entry: os.DirEntry[str]) -> str:
    """A folder, a link to one, or a file; what cannot be told is a file, which is then unreadable.
    """
    try:
        if entry.is_dir(follow_symlinks=False):
            return "folder"
        return "link" if entry.is_symlink() and entry.is_dir() else "file"
    except OSError:
        return "file"
