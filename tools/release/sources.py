# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The files that belong to the project, a clean copy of them, and their time."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

EARLIEST = 315532800
"""1980-01-01, in seconds: the first time that a zip archive can state."""

INFO = "efm3.egg-info"
MADE = ("PKG-INFO", "setup.cfg", f"{INFO}/")
"""What an sdist holds besides the project's files."""


def git(root: Path, *words: str) -> str:
    """What `git WORDS` prints in `root`. Raises CalledProcessError, FileNotFoundError."""
    return subprocess.run(["git", *words], cwd=root, capture_output=True, text=True,
                          check=True).stdout


def names(root: Path) -> list[str]:
    """The project's files, sorted, relative to `root`: those that git tracks in a checkout, in an
    unpacked sdist those that its own list names."""
    if (root / ".git").exists():
        found = git(root, "ls-files", "-z").split("\0")
    else:
        text = (root / INFO / "SOURCES.txt").read_text(encoding="utf-8")
        found = [name for name in text.splitlines() if not name.startswith(MADE)]
    return sorted(name for name in found if name and (root / name).is_file())


def epoch(root: Path) -> int:
    """The time that all that is built states, in seconds since 1970: SOURCE_DATE_EPOCH, else that
    of the last commit, else that which the sdist states."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    if given:
        value = int(given)
    elif (root / ".git").exists():
        value = int(git(root, "log", "-1", "--format=%ct"))
    else:
        value = int((root / "PKG-INFO").stat().st_mtime)
    return max(value, EARLIEST)


def copy(root: Path, target: Path, listed: list[str] | None = None) -> None:
    """Copy the project's files to the folder `target`, in the order of `listed` where given: what
    else lies in `root`, such as builds, stays behind."""
    for name in names(root) if listed is None else listed:
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / name, path)
