# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The folder of a run's parts: what may stand in it, who may write in it, and its rows."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from efm3.bulk import _manifest
from efm3.bulk._manifest import Counts, Manifest
from efm3.bulk._table import ROWS, Table
from efm3.findings import Efm3Error, printable, refuse

MANIFEST = "_manifest.json"
"""A folder's manifest. Readers of Parquet folders pass over names that begin so."""
LOCK = ".lock"
TEMPORARY = r"\.{}\.[0-9a-f]{{16}}\.tmp"
"""How efm3.source.write_atomic names what is not whole yet."""

_held: set[tuple[int, int]] = set()
"""Locks of this process: the system's do not keep a process from itself."""


class Store:
    """A folder of parts, `part-000000.npz` and on; `end` is theirs, `open_part` opens one.

    The parts are a run's rows as soon as the manifest is there, and only then.
    """

    def __init__(self, folder: str, open_part: Callable[[str], Table], end: str) -> None:
        self.folder, self.end, self._open = folder, end, open_part
        self._part = re.compile(r"part-([0-9]{6,12})" + re.escape(end))
        self._temp = re.compile(TEMPORARY.format(
            rf"(?:{self._part.pattern}|{re.escape(MANIFEST)})"))
        self._lock = -1

    def at(self, name: str) -> str:
        """The path of a name in the folder."""
        return os.path.join(self.folder, name)

    def part(self, number: int) -> str:
        """The path of a part."""
        return self.at(f"part-{number:06}{self.end}")

    def numbers(self) -> list[int]:
        """The numbers of the parts that are there, in order."""
        found = (self._part.fullmatch(name) for name in self._names())
        return sorted(int(match[1]) for match in found if match)

    def parts(self) -> list[str]:
        """The paths of the parts that are there, in order."""
        return [self.part(n) for n in self.numbers()]

    def manifest(self) -> Manifest | None:
        """The folder's manifest, if it has one. Raises Efm3Error B008, Unreadable."""
        path = self.at(MANIFEST)
        return _manifest.load(path) if os.path.lexists(path) else None

    def foreign(self) -> list[str]:
        """Names in the folder that no run gives."""
        return [name for name in self._names()
                if name not in (MANIFEST, LOCK) and not self._part.fullmatch(name)
                and not self._temp.fullmatch(name)]

    def _names(self) -> list[str]:
        return os.listdir(self.folder)

    def open(self, path: str) -> Table:
        """A part. Raises Efm3Error B007."""
        with damage(path):
            return self._open(path)

    def lock(self) -> bool:
        """Take the folder for this run, until unlock() or the end of the process.

        False where another run has it. Raises OSError.
        """
        path = self.at(LOCK)
        while True:
            with contextlib.suppress(FileNotFoundError):
                if _id(os.stat(path)) in _held:
                    return False
            fd = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
                         | getattr(os, "O_NOFOLLOW", 0), 0o666)
            try:
                if not _locked(fd):
                    os.close(fd)
                    return False
                # A run that ended meanwhile took its file away, and this lock with it.
                with contextlib.suppress(FileNotFoundError):
                    if _id(os.stat(path)) == _id(os.fstat(fd)):
                        _held.add(_id(os.fstat(fd)))
                        self._lock = fd
                        return True
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)

    def unlock(self) -> None:
        """Give the folder back."""
        if self._lock >= 0:
            with contextlib.suppress(OSError):
                os.unlink(self.at(LOCK))
            _held.discard(_id(os.fstat(self._lock)))
            os.close(self._lock)
            self._lock = -1
            if sys.platform == "win32":  # which removes no open file, nor one that another run has
                with contextlib.suppress(OSError):
                    os.unlink(self.at(LOCK))

    def sweep(self) -> None:
        """Remove what a killed run was writing."""
        sweep(self.folder, self._temp)

    def clear(self) -> None:
        """Remove the manifest, then the parts: half a folder must not look like a whole one."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.at(MANIFEST))
        self.sync()
        for path in self.parts():
            os.unlink(path)
        self.sweep()

    def sync(self) -> None:
        """Make the removal of names durable, where the system can."""
        with contextlib.suppress(OSError):
            fd = os.open(self.folder, os.O_RDONLY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)


def _id(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _locked(fd: int) -> bool:
    """Lock the file, unless another process has; a child does not inherit it. Raises OSError."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def sweep(folder: str, names: re.Pattern[str]) -> None:
    """Remove the files of these names from a folder."""
    with os.scandir(folder) as found:
        lost = [e.path for e in found if names.fullmatch(e.name)]
    for path in lost:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


@contextlib.contextmanager
def damage(path: str) -> Iterator[None]:
    """What is wrong with a part is told as that: B008 becomes B007."""
    try:
        yield
    except Efm3Error as e:
        if e.code != "B008":
            raise
        refuse("B007", e.finding.message, path)
    except OSError as e:
        refuse("B007", f"cannot be read: {printable(str(e.strerror or e))}", path)


class PartsTable(Table):
    """The parts as one table; one of them is open at a time."""

    def __init__(self, path: str, manifest: Manifest, parts: Iterable[str],
                 open_part: Callable[[str], Table]) -> None:
        super().__init__(path, manifest)
        self._parts, self._open = list(parts), open_part

    def columns(self, names: Sequence[str], rows: int = ROWS) -> Iterator[dict[str, Any]]:
        """The columns of these names, block after block."""
        count = 0
        for path in self._parts:
            with self._open(path) as part, damage(path):
                _manifest.same_job(part.manifest.job, self.manifest.job, path)
                count += part.count
                yield from part.columns(names, rows)
        self.counted(count)


def counted(parts: Iterable[str], open_part: Callable[[str], Table], manifest: Manifest) -> Counts:
    """What is in the parts, as they state it. Raises Efm3Error B004 and B007."""
    counts = Counts()
    for path in parts:
        with open_part(path) as part:
            _manifest.same_job(part.manifest.job, manifest.job, path)
            counts += part.manifest.counts
    return counts
