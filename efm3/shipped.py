# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The weight file and the pictures that every installation holds, to try things with."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import NamedTuple

from efm3.source import Unreadable, read, write_atomic

FILES = ("weights/facex_nano.bin", "examples/a_1.png", "examples/a_2.png", "examples/b_1.png",
         "examples/b_2.png", "examples/c_1.png", "examples/c_2.png")
"""Their names in a checkout, which are those of the copies: commands work in both places."""

_PACKAGE = Path(__file__).resolve().parent
HOME = next((p for p in (_PACKAGE, _PACKAGE.parent) if (p / FILES[0]).is_file()), _PACKAGE)
"""The folder that they are in: the package where it is installed, the checkout around it."""


class Differs(FileExistsError):
    """A file of that name is there already, and is another; or it lies behind a link."""


class Copied(NamedTuple):
    """A file; `written` is false where the same bytes were there already."""

    path: Path
    size: int
    written: bool


def copy(folder: str | os.PathLike[str], *, force: bool = False) -> list[Copied]:
    """Copy the files into a folder, which is made if it is not there.

    Raises Differs, before anything is written, where one would be overwritten and `force` is false,
    and where one would be written through a link below the folder; Unreadable where the
    installation lacks its files; OSError.
    """
    wanted = {Path(folder, name): bytes(read(HOME / name)) for name in FILES}
    same = {path: _is(path, data) for path, data in wanted.items()}
    for path in (path for path in wanted if not same[path]):
        if _behind_link(path, folder):
            raise Differs(errno.EEXIST, "is or lies behind a link, and nothing is written through "
                          "one; take it away", str(path))
        if not force and os.path.lexists(path):
            raise Differs(errno.EEXIST, "is there already, and is another; --force overwrites it",
                          str(path))
    out = []
    for path, data in wanted.items():
        if not same[path]:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, [data])
        out.append(Copied(path, len(data), not same[path]))
    return out


def _behind_link(path: Path, folder: str | os.PathLike[str]) -> bool:
    """True where a link, or a junction of Windows, is on the way from the folder to the path."""
    straight = os.path.join(os.path.realpath(folder), path.relative_to(folder))
    return os.path.normcase(os.path.realpath(path)) != os.path.normcase(straight)


def _is(path: Path, data: bytes) -> bool:
    """True where a file holds these bytes."""
    try:
        return path.stat().st_size == len(data) and read(path) == data
    except (OSError, Unreadable):
        return False
