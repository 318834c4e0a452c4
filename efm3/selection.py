# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Which files below a folder are checked: not what git ignores, not what a user excludes.

A file that is named is taken always, and so is all below a folder that git itself ignores: who
names it wants it.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator

from efm3.globs import Parts, Patterns, of_text, of_words
from efm3.source import Unreadable, opened
from efm3.validator import expand

LIMIT = 1 << 16
"""Bytes of the largest `.gitignore` that is followed; without a larger one, or one that cannot be
read, more is checked. A stranger's may take some seconds once, and a part of one for each file."""
GIT, EXCLUDE = "git", "exclude"
"""Why a file is left out."""


class Selection:
    """Iterates over the files of some paths, as `validator.expand` has them; afterwards `left_out`
    has how many were not taken, and why: GIT or EXCLUDE.

    `exclude` are patterns as in `.gitignore`, relative to the folder `base`, and to the folder that
    is walked where that is not below `base`.
    """

    def __init__(self, paths: Iterable[str], exclude: Iterable[str] = (), base: str = ".",
                 gitignore: bool = True) -> None:
        self._paths, self._gitignore = list(paths), gitignore
        self._exclude, self._base = of_words(exclude), base
        self.left_out: Counter[str] = Counter()

    def __iter__(self) -> Iterator[str]:
        for path in self._paths:
            if path == "-" or not os.path.isdir(path):
                yield path
                continue
            judges = self._judges(path)
            for file in expand([path]):
                inner = _parts(os.path.relpath(file, path))
                why = next((why for why, judge in judges.items() if judge.leaves_out(inner)), None)
                if why is None:
                    yield file
                else:
                    self.left_out[why] += 1

    def _judges(self, path: str) -> dict[str, _Judge]:
        start = os.path.realpath(path)
        judges: dict[str, _Judge] = {}
        if self._exclude:
            base = os.path.realpath(self._base)
            inside = os.path.join(start, "").startswith(os.path.join(base, ""))
            judges[EXCLUDE] = _Judge(base if inside else start, start, self._exclude)
        if self._gitignore and (top := _work_tree(start)) is not None:
            judge = _Judge(top, start, None)
            if not judge.leaves_out(()):
                judges[GIT] = judge
        return judges


class _Judge:
    """Patterns over what is below a folder `start`, which is `top` or below it.

    They are those of `top`, or without `patterns` those of each folder's own `.gitignore`.
    """

    def __init__(self, top: str, start: str, patterns: Patterns | None) -> None:
        self._top, self._patterns = top, patterns
        self._start = _parts(os.path.relpath(start, top)) if start != top else ()
        self._said: dict[Parts, bool] = {}
        self._read: dict[Parts, Patterns] = {}
        self._own = [] if patterns else [_file(os.path.join(top, ".git", "info", "exclude"))]

    def leaves_out(self, inner: Parts) -> bool:
        """True where this file below `start`, or one of the folders that lead to it, is left out;
        of () whether `start` is, or a folder above."""
        path = (*self._start, *inner)
        # `start` was named: what is said of it and of what is above is of no account.
        first = len(self._start) + 1 if inner else 1
        return any(self._judged(path[:end], not inner or end < len(path))
                   for end in range(first, len(path) + 1))

    def _judged(self, path: Parts, folder: bool) -> bool:
        if not folder:
            return self._verdict(path, folder)
        if path not in self._said:
            self._said[path] = self._verdict(path, folder)
        return self._said[path]

    def _verdict(self, path: Parts, folder: bool) -> bool:
        if self._patterns:
            return bool(self._patterns.says(path, folder))
        if path[-1] == b".git":  # what git keeps for itself
            return True
        for depth in range(len(path) - 1, -1, -1):  # the nearest file's word counts
            said = self._of(path[:depth]).says(path[depth:], folder)
            if said is not None:
                return said
        return any(own.says(path, folder) for own in self._own)

    def _of(self, folder: Parts) -> Patterns:
        if folder not in self._read:
            where = os.path.join(os.fsencode(self._top), *folder, b".gitignore")
            self._read[folder] = _file(os.fsdecode(where))
        return self._read[folder]


def _parts(relative: str) -> tuple[bytes, ...]:
    return tuple(os.fsencode(part) for part in relative.split(os.sep) if part not in ("", "."))


def _file(path: str) -> Patterns:
    if not os.path.isfile(path):
        return of_text(b"")
    try:
        with opened(path) as file:
            return of_text(file.start(LIMIT) if file.size <= LIMIT else b"")
    except Unreadable:
        return of_text(b"")


def _work_tree(folder: str) -> str | None:
    """The nearest folder above, or this one, that holds `.git`; None outside of a work tree."""
    while not os.path.lexists(os.path.join(folder, ".git")):
        folder, last = os.path.dirname(folder), folder
        if folder == last:
            return None
    return folder
