# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A large file is checked before it is read: one of any length takes no disk where it is sparse,
but seconds to read, and its first damaged byte may be near its start."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import BinaryIO, overload

from efm3.source import Unreadable, open_regular
from efm3.source import read as read_whole

LARGE = 1 << 26
"""Files up to this size are read at once."""
BLOCK = 1 << 12


class Unread:
    """A file's bytes, as `memoryview` gives them, read when they are asked for."""

    def __init__(self, file: BinaryIO, size: int, path: str) -> None:
        self._file, self._size, self._path = file, size, path
        self._block, self._start = b"", 0

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, at: int) -> int: ...

    @overload
    def __getitem__(self, at: slice) -> bytes: ...

    def __getitem__(self, at: int | slice) -> int | bytes:
        if isinstance(at, slice):
            start, stop, _ = at.indices(self._size)
            return self._read(start, max(stop - start, 0))
        if not 0 <= at - self._start < len(self._block):
            self._start = at
            self._block = self._read(at, min(BLOCK, self._size - at))
        return self._block[at - self._start]

    def _read(self, start: int, count: int) -> bytes:
        self._file.seek(start)
        data = self._file.read(count)
        if len(data) != count:
            raise Unreadable(f"{self._path}: changed while it was read")
        return data


Data = bytes | memoryview | Unread
"""What is read piece by piece."""


def read(path: str, check: Callable[[Unread], object]) -> memoryview:
    """All bytes of a file. Before a large one is read, `check` raises what is wrong with it.

    Raises Unreadable, and what `check` does.
    """
    with open_regular(path) as f:
        try:
            size = os.fstat(f.fileno()).st_size
            if size > LARGE:
                check(Unread(f, size, path))
        except Unreadable:
            raise
        except OSError as e:
            raise Unreadable(f"{path}: {e.strerror or e}") from None
    return memoryview(read_whole(path))
