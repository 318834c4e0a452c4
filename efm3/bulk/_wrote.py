# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The length and the digest of a finished table: its manifest states them, --resume compares."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from efm3.findings import refuse
from efm3.source import open_regular

TABLE, ROWS = "table", "rows_table"
"""The manifest's keys for the table, and for the rows beside a bare matrix."""


class Wrote:
    """The bytes that pass through, counted and digested."""

    def __init__(self) -> None:
        self._size, self._digest = 0, hashlib.sha256()

    def through(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The same pieces."""
        for piece in pieces:
            self._size += len(piece)
            self._digest.update(piece)
            yield piece

    def to_json(self) -> dict[str, Any]:
        """As a manifest states it."""
        return {"bytes": self._size, "sha256": self._digest.hexdigest()}


def pieces(path: str) -> Iterator[bytes]:
    """A file's bytes. Raises OSError, Unreadable."""
    with open_regular(path) as f:
        while piece := f.read(1 << 20):
            yield piece


def same_length(path: str, stated: Any) -> bool:
    """Whether the file is as long as a manifest states, which may state nothing or nonsense."""
    return stated is None or (isinstance(stated, Mapping)
                              and stated.get("bytes") == os.stat(path).st_size)


def unchanged(path: str, stated: Any) -> None:
    """Refuse a file that is not the one of a manifest. Raises Efm3Error B008, OSError."""
    if stated is None:
        return
    found = Wrote()
    if same_length(path, stated):
        deque(found.through(pieces(path)), 0)
    if found.to_json() != stated:
        refuse("B008", "it was changed since it was written: it is not the file whose SHA-256 its "
               "manifest states; take a copy of it, or write it anew", path)
