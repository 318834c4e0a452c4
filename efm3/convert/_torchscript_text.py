# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The text of a TorchScript archive, line by line: which lines belong together is noted, and a
line is parsed only when it is reached."""

from __future__ import annotations

import re
from array import array
from typing import NoReturn

from efm3.convert._checkpoint import Checkpoint
from efm3.findings import printable, refuse

MOST_TOKENS, EACH, ALL_TOKENS = 150_000, 8, 600_000
"""Words and signs of all text that is read, one more for so many bytes of the file, and the most.
"""
MOST_BYTES, MOST_LINE, MOST_STATEMENT = 1 << 20, 1 << 16, 4_000
"""Bytes of one text and of one line, and words and signs of a line with those it goes on in."""
_TOKEN = re.compile(rb'"(?:[^"\\\n]|\\.)*"|#[^\n]*|\w+|[^\s\w]|\n')
_NAMED = re.compile(rb" *(class|def) (\w{1,200})")
_NEWLINE, _COMMENT = ord("\n"), ord("#")


class Text:
    """A file: `ends` has, for each line, where the lines below it end; `functions` the line of
    each function by the names of its class ("" for none) and its own."""

    def __init__(self, path: str, data: bytes, starts: array[int]) -> None:
        self.path, self._data, self._starts = path, data, starts
        self.functions: dict[tuple[str, str], int] = {}
        self._classes: dict[str, int] = {}
        count = len(starts) - 1
        self.ends = array("L", [count]) * count
        open_: list[tuple[int, int]] = []
        owner = ""
        for at in range(count):
            line = data[starts[at]:starts[at + 1]]
            deep = len(line) - len(line.lstrip(b" "))
            while open_ and open_[-1][0] >= deep:
                self.ends[open_.pop()[1]] = at
            open_.append((deep, at))
            named = _NAMED.match(line)
            if named is None:
                continue
            name = named[2].decode("ascii", "replace")
            if named[1] == b"def":
                self.functions.setdefault((owner if deep else "", name), at)
            elif not deep:
                owner = name
                self._classes.setdefault(name, at)

    def line(self, at: int) -> str:
        """A line with those that it goes on in, without the spaces around it."""
        return self._data[self._starts[at]:self._starts[at + 1]].decode("utf-8", "replace").strip()

    def number(self, at: int) -> int:
        """The number of a line in the file, from 1 on."""
        return self._data.count(b"\n", 0, self._starts[at]) + 1

    def body(self, name: str) -> range:
        """The lines of a class."""
        at = self._classes.get(name)
        return range(0) if at is None else range(at + 1, self.ends[at])


class Texts:
    """The texts of an archive, each read when it is asked for."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._known: dict[str, Text] = {}
        self._left = min(MOST_TOKENS + checkpoint.size // EACH, ALL_TOKENS)

    def get(self, name: str) -> Text | None:
        """The text of `__torch__.a.b`, which is code/__torch__/a/b.py. Raises X003, X008."""
        path = f"{self._checkpoint.folder}code/{name.replace('.', '/')}.py"
        archive = self._checkpoint.archive
        if path not in self._known:
            if archive is None or path not in archive:
                return None
            data = archive.read(path)
            self._known[path] = Text(path, data, self._lines(path, data))
        return self._known[path]

    def _lines(self, path: str, data: bytes) -> array[int]:
        """Where each line begins, and where the last one ends; no empty ones."""
        starts = array("L")
        at = -1
        while at < len(data):
            end = data.find(b"\n", at + 1)
            end = len(data) if end < 0 else end
            if end - at > MOST_LINE or len(data) > MOST_BYTES:
                self._long(path)
            at = end
        depth = length = line = 0
        for m in _TOKEN.finditer(data):
            sign = data[m.start()]
            if sign == _NEWLINE:
                line = line if depth > 0 else m.end()
                length = length if depth > 0 else 0
                continue
            if sign == _COMMENT:
                continue
            if length == 0:
                starts.append(line)
            depth = max(depth + (sign in b"([{") - (sign in b")]}"), 0)
            length += 1
            self._left -= 1
            if self._left < 0 or length > MOST_STATEMENT or m.end() - line > MOST_LINE:
                self._long(path)
        starts.append(len(data))
        return starts

    def _long(self, path: str) -> NoReturn:
        refuse("X008", f"TorchScript in {printable(path[:120])}: it is more text than a network "
                       "has", path)
