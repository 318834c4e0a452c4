# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Rows for the tests of tables and outputs: small embeddings that their path and face decide."""

from __future__ import annotations

import contextlib
import os
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from efm3 import Efm3Error
from efm3.bulk import Job, Row, _parts
from efm3.bulk.output import open_output
from efm3.bulk.tables import FORMS, open_table

DIM = 4
JOB = Job("0123456789abcdef" * 4, DIM, {"align": True, "face": "all", "detector": None})
ENDS = (*FORMS, "/")
NAMES = ["a.jpg", "b 2.jpg", "bad.png", "c3.jpg", "a.jpg", "a.jpg", 'd"2,\n.jpg', "e\r.jpg",
         "bad \N{GRINNING FACE}", "\\xff3.jpg", "y" * 4096, ""]
SOME = ["a.jpg", "b2.jpg", "bad.png", "c3.jpg", "d.jpg", "a.jpg", "a.jpg"]


def picture(name: str) -> list[Row]:
    """The rows of a picture: an error if it is bad, else as many faces as the digit in its name."""
    if "bad" in name:
        return [Row(name, error="F010", reason=f'{name} is "broken",\nhere')]
    seed = zlib.crc32(name.encode("utf-8", "surrogateescape"))
    rng = np.random.default_rng(seed)
    count = max([int(c) for c in name if c in "23"], default=1)
    return [Row(name, face, rng.standard_normal(DIM, dtype=np.float32),
                (0.5, 1, 20, 30.25) if face else None,
                tuple(range(10)) if face else None, 0.25 if face else None)
            for face in range(count)]


def written(path: str, names: list[str], **kw: Any) -> dict[str, Any]:
    """Write the table of these pictures, those that are done left out; its manifest."""
    with open_output(path, JOB, **kw) as out:
        for name in names:
            if not out.done.take(name):
                out.add(picture(name))
        return out.finish({"skipped": 3})


def told(row: Row) -> tuple[object, ...]:
    """A row as a value that can be compared."""
    return tuple(tuple(np.array(v, np.float32).tolist())
                 if isinstance(v, (tuple, np.ndarray)) else v for v in row)


def rows_in(path: str, rows: int = 65536) -> list[tuple[object, ...]]:
    """All rows of a table."""
    from efm3.bulk._table import rows_of

    with open_table(path) as table:
        return [told(row) for block in table.blocks(rows) for row in rows_of(block)]


def expected(names: list[str]) -> list[tuple[object, ...]]:
    """What rows_in() gives for these pictures."""
    return [told(row) for name in names for row in picture(name)]


class Killed(BaseException):
    """The process is gone: from here on no call of it has an effect."""


CALLS = ("open", "write", "replace", "unlink", "link", "mkdir", "rmdir", "fsync")


def killed_at(monkeypatch: pytest.MonkeyPatch, call: Callable[[], object], after: int) -> bool:
    """Run `call`, and let none of its system calls after so many happen; whether it ended."""
    left = after
    opened: list[int] = []

    def wrap(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kw: Any) -> Any:
            nonlocal left
            if left <= 0:
                raise Killed
            left -= 1
            out = real(*args, **kw)
            if name == "open":
                opened.append(out)
            return out
        return wrapped

    with monkeypatch.context() as m:
        for name in CALLS:
            m.setattr(os, name, wrap(name, getattr(os, name)))
        try:
            call()
            ended = True
        except (Killed, Efm3Error):
            ended = False
    # As the system does with a process that is gone.
    _parts._held.clear()
    for fd in opened:
        with contextlib.suppress(OSError):
            os.close(fd)
    return ended


def refused(code: str, call: Callable[..., object], *args: Any, **kw: Any) -> str:
    """The text of the error that a call ends in."""
    with pytest.raises(Efm3Error) as caught:
        call(*args, **kw)
    assert caught.value.code == code, caught.value
    return str(caught.value)


def cut(path: str, names: list[str], after: int, **kw: Any) -> None:
    """A run that an exception ends after so many pictures."""
    with pytest.raises(KeyboardInterrupt), open_output(path, JOB, **kw) as out:
        for name in [n for n in names if not out.done.take(n)][:after]:
            out.add(picture(name))
        raise KeyboardInterrupt
