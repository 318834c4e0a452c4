# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What an earlier run wrote, asked picture by picture.

The new run mostly names the same pictures in the same order: the rows are walked beside it. From
the first difference on, the rest is held as 16 bytes a picture.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from hashlib import blake2b

import numpy as np

from efm3.bulk._manifest import Counts
from efm3.bulk._table import Table, rows_of
from efm3.bulk.row import Row


def clean(text: str) -> str:
    """The text as every form can hold it."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


class Done:
    """The pictures of `table`, each to be taken once; None where there was no earlier run."""

    def __init__(self, table: Table | None = None, counts: Counts | None = None) -> None:
        counts = counts or Counts()
        self.pictures, self.faces, self.errors = counts.pictures, counts.faces, counts.errors
        self._rows = counts.rows
        self._walk = _pictures(table)
        self._next = next(self._walk, None)
        self._rest: _Digests | None = None

    def take(self, path_text: str) -> bool:
        """True once for each time that the picture is in the earlier rows: skip it.

        Raises Efm3Error B007 or B008 where these turn out to be damaged.
        """
        path = clean(path_text)
        if self._rest is None:
            if self._next is None:
                return False
            if path == self._next:
                self._next = next(self._walk, None)
                return True
            self._rest = _Digests(self._left(), self._rows)
        return self._rest.take(path)

    def close(self) -> None:
        """Read no more of the table, and give its files back."""
        self._walk.close()

    def _left(self) -> Iterator[str]:
        while self._next is not None:
            yield self._next
            self._next = next(self._walk, None)


def _begins(last: tuple[str, int] | None, path: str, face: int) -> bool:
    """Whether a row is another picture's: the faces of one ascend, so a path may stand twice."""
    return last is None or path != last[0] or face <= last[1]


def _pictures(table: Table | None) -> Generator[str, None, None]:
    """The path of each picture."""
    if table is None:
        return
    last: tuple[str, int] | None = None
    for found in table.columns(("path", "face")):
        for path, face in zip(found["path"], found["face"].tolist(), strict=True):
            if _begins(last, path, face):
                yield path
            last = path, face


def portions(table: Table, most: int) -> Iterator[tuple[list[Row], int]]:
    """The rows of whole pictures, about this many at a time, and how many pictures they are."""
    rows: list[Row] = []
    pictures, last = 0, None
    for block in table.blocks(most):
        for row in rows_of(block):
            if _begins(last, row.path, row.face):
                if len(rows) >= most:
                    yield rows, pictures
                    rows, pictures = [], 0
                pictures += 1
            rows.append(row)
            last = row.path, row.face
    if rows:
        yield rows, pictures


class _Digests:
    """A bag of texts, 20 bytes each."""

    def __init__(self, texts: Iterator[str], most: int) -> None:
        self._key = os.urandom(16)  # nobody can choose two names of one digest
        self._all = np.empty(most, "S16")
        n = 0
        for text in texts:
            self._all[n] = self._digest(text)
            n += 1
        self._all = self._all[:n]
        self._all.sort()
        self._taken = np.zeros(n, np.uint32)

    def _digest(self, text: str) -> bytes:
        # numpy takes zeros off the end of what it gives back; all are of one length.
        return blake2b(text.encode(), digest_size=16, key=self._key).digest().rstrip(b"\0")

    def take(self, text: str) -> bool:
        """Whether it was there, and was not taken as many times yet."""
        digest = self._digest(text)
        first = int(np.searchsorted(self._all, np.bytes_(digest)))
        at = first + int(self._taken[first]) if first < len(self._all) else first
        if at >= len(self._all) or self._all[at] != digest:
            return False
        self._taken[first] += 1
        return True
