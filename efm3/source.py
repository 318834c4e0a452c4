# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Reading a source whole and safely, and saving bytes atomically and durably."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

Source = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO


class Unreadable(OSError):
    """The source cannot be read at all: missing, a directory, a FIFO, no permission."""


def name_of(source: object) -> str:
    """What to call a source in a report."""
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return "<bytes>"
    name = getattr(source, "name", "<stream>")
    return name if isinstance(name, str) else "<stream>"


def path_of(source: object) -> str:
    """Where a source is, "" for bytes and for a stream."""
    return os.fspath(source) if isinstance(source, (str, os.PathLike)) else ""


def read(source: Source) -> bytes | bytearray | memoryview:
    """All bytes of the source; a path must be a regular file (it is read, never mapped).

    Raises Unreadable, for a stream of more than STREAM bytes too.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        return source
    if isinstance(source, (str, os.PathLike)):
        with opened(os.fspath(source)) as file:
            return file.start(file.size)
    data = start_of(source, STREAM + 1)
    if len(data) > STREAM:
        raise Unreadable(f"{name_of(source)}: longer than {STREAM} bytes")
    return data


def start_of(stream: BinaryIO, count: int, known: bytes = b"") -> bytes:
    """The first `count` bytes of a stream, fewer where it ends; `known` ones were read before.

    Never asks for more at once than was read or PIECE: the number may be a stranger's.
    Raises Unreadable.
    """
    parts, have = [known], len(known)
    while have < count:
        piece = bytes(_piece(stream, min(max(PIECE, have), count - have)))
        if not piece:
            break
        parts.append(piece)
        have += len(piece)
    return b"".join(parts)


POSIX = hasattr(os, "O_DIRECTORY")
"""A folder can be opened and synced, an open file replaced, and a file has an owner and a mode."""
PATIENCE = 2.0
"""Seconds for which a save waits, on Windows, until nobody else has the old file open: readers and
virus scanners have it for less."""
PIECE = 1 << 16
STREAM = 1 << 30
"""Most bytes of a stream that `read` takes: what is longer is read from a file."""


def _piece(stream: BinaryIO, count: int) -> bytes | bytearray | memoryview:
    try:
        data = stream.read(count)
    except OSError as e:
        raise Unreadable(f"{name_of(stream)}: {e.strerror or e}") from None
    if data is None:
        raise Unreadable(f"{name_of(stream)}: has nothing to read yet")
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise Unreadable(f"{name_of(stream)}: opened in text mode; open it in binary mode")
    return data


class RegularFile:
    """A regular file that is open for reading; `size` is what the system says of it."""

    def __init__(self, f: BinaryIO, path: str) -> None:
        self._fd, self._path = f.fileno(), path
        self.size = os.fstat(self._fd).st_size

    def start(self, count: int) -> bytes:
        """The first `count` bytes, all where there are no more.

        Raises Unreadable where memory does not hold them, and where they are not as many as
        `size` says.
        """
        least = min(count, self.size)
        # A sparse file of any length takes no disk space: compare before allocating.
        if least > _memory():
            raise Unreadable(f"{self._path}: larger than memory ({self.size} bytes)")
        data = self._from(0, least + (least == self.size))  # one more shows a file that has grown
        if len(data) != least:
            raise Unreadable(f"{self._path}: changed while it was read")
        return data

    def end(self, count: int) -> bytes:
        """The last `count` bytes, all where there are no more."""
        return self._from(max(self.size - count, 0), count)

    def _from(self, offset: int, count: int) -> bytes:
        """Read without a buffer, which would read on behind what was asked for."""
        os.lseek(self._fd, offset, os.SEEK_SET)
        parts: list[bytes] = []
        while count > 0 and (piece := os.read(self._fd, count)):
            parts.append(piece)
            count -= len(piece)
        return parts[0] if len(parts) == 1 else b"".join(parts)


_seeking = threading.Lock()


def read_at(file: BinaryIO, offset: int, count: int) -> bytes:
    """So many bytes of an open file from there on, fewer where it ends; threads may ask at once.
    Raises OSError."""
    if hasattr(os, "pread"):
        return os.pread(file.fileno(), count, offset)
    with _seeking:
        file.seek(offset)
        return file.read(count)


@contextlib.contextmanager
def opened(path: str) -> Iterator[RegularFile]:
    """The regular file at `path`. Raises Unreadable, for what goes wrong inside as well."""
    try:
        f = open_regular(path)
        try:
            yield RegularFile(f, path)
        finally:
            with contextlib.suppress(OSError):
                f.close()
    except MemoryError:
        raise Unreadable(f"{path}: larger than memory") from None
    except Unreadable:
        raise
    except OSError as e:
        raise Unreadable(f"{path}: {e.strerror or e}") from None


def _memory() -> int:
    """Bytes of this machine's memory; no limit where the system does not report it."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return sys.maxsize


def open_regular(path: str) -> BinaryIO:
    """The regular file at `path`, open for reading. Raises Unreadable."""
    # O_NONBLOCK: opening a FIFO without a writer must not wait for one.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        fd = os.open(path, flags | getattr(os, "O_CLOEXEC", 0))
    except ValueError:
        raise Unreadable(f"{path!r}: a path cannot hold a NUL") from None
    except OSError as e:
        if not POSIX and os.path.isdir(path):  # which Windows does not open
            raise Unreadable(f"{path}: is a directory") from None
        raise Unreadable(f"{path}: {e.strerror}") from None
    try:
        status = os.fstat(fd)
        if stat.S_ISDIR(status.st_mode):
            raise Unreadable(f"{path}: is a directory")
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable(f"{path}: not a regular file")
        return open(fd, "rb")
    except BaseException:
        os.close(fd)
        raise


def apart(sources: Iterable[Source | None], targets: Iterable[str | os.PathLike[str] | None]
          ) -> None:
    """Raises Efm3Error X019 where a file that would be written is one that is read: by a path,
    whatever its links and letters, or as an open file. None, and bytes, are no file."""
    read: set[object] = set()
    for s in sources:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            path = path_of(s)
            if path:
                read.add(os.path.realpath(path))
            status = os.stat(path) if path else os.fstat(s.fileno())  # type: ignore[union-attr]
            # Of several names for one file each keeps the old bytes when another is written.
            if stat.S_ISREG(status.st_mode) and (status.st_nlink == 1 or not path):
                read.add((status.st_dev, status.st_ino))
    for target in targets:
        if not target:
            continue
        found: set[object] = {os.path.realpath(target)}
        with contextlib.suppress(OSError, ValueError):
            status = os.stat(target)
            found.add((status.st_dev, status.st_ino))
        if found & read:
            from efm3.findings import refuse

            refuse("X019", f"{os.fspath(target)} is what is read from", os.fspath(target))


def write_atomic(path: str | os.PathLike[str], parts: Iterable[bytes | memoryview],
                 check: Callable[[str], None] | None = None) -> None:
    """Write `parts` to `path` atomically: it then holds all of them, durably, or its old bytes.

    `check` gets the path of the whole new file before it takes its place; if it raises,
    the target stays as it was.

    A new file beside the target (O_EXCL, never through a link) is written, synced
    and renamed; then the folder is synced. A symbolic link is followed to its target; a folder,
    device or FIFO is refused. Of a file that was there its mode is kept, and as far as the system
    allows its owner, ACL and extended attributes; its other hard links keep the old bytes. Setuid
    and setgid go where the owner or the group changes. Raises OSError; nothing is left behind,
    and the target keeps its bytes but where the folder's sync alone failed: then it holds the new
    ones, perhaps not durably.

    On Windows there is no folder to sync, no mode and no owner; a file that another program has
    open, or that is marked as read-only, cannot be replaced: PermissionError, for the former after
    PATIENCE seconds.
    """
    target = os.path.realpath(os.fspath(path))
    folder, base = os.path.split(target)
    # A name has at most 255 bytes, of which a character takes up to four.
    short = os.fsencode(base)[:200].decode("utf-8", "ignore")
    temp = os.path.join(folder, f".{short}.{os.urandom(8).hex()}.tmp")
    old = _regular(target)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    if not POSIX:
        _write_beside(temp, target, flags, None, parts, check)
        return
    folder_fd = os.open(folder, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    try:
        _write_beside(temp, target, flags, old, parts, check)
        os.fsync(folder_fd)
    finally:
        with contextlib.suppress(OSError):
            os.close(folder_fd)


def replace(temp: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """Rename a file over another one; on Windows, where nobody may have that one open, wait for
    PATIENCE seconds. Raises OSError."""
    last = time.monotonic() + PATIENCE
    pause = 0.001
    while True:
        try:
            os.replace(temp, target)
            return
        except PermissionError:
            # Windows says the same of a sharing violation and of a file without permission.
            if POSIX or time.monotonic() + pause > last:
                raise
        time.sleep(pause)
        pause = min(2 * pause, 0.1)


def _regular(target: str) -> os.stat_result | None:
    """What the system says of the existing file, if any. Raises OSError for a non-regular file."""
    try:
        status = os.stat(target)
    except FileNotFoundError:
        return None
    mode = status.st_mode
    # A rename would replace a device such as /dev/null by a file.
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), target)
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "not a regular file", target)
    return status


def _keep(fd: int, target: str, old: os.stat_result) -> None:
    """Give the open new file what the old one has. Raises OSError where its mode cannot be set."""
    def owner() -> tuple[int, int]:
        now = os.fstat(fd)
        return now.st_uid, now.st_gid

    kept = old.st_uid, old.st_gid
    # Only root may give a file away; its owner may give it to another of his groups.
    for uid, gid in (kept, (-1, old.st_gid)):
        if owner() != kept:
            with contextlib.suppress(OSError):
                os.fchown(fd, uid, gid)
    # Before the mode, which may forbid to set them; the ACL's own rights are in the mode too.
    if hasattr(os, "listxattr"):
        with contextlib.suppress(OSError):
            for name in os.listxattr(target):
                if name != "security.capability":  # that belongs to the bytes that it was given to
                    with contextlib.suppress(OSError):
                        os.setxattr(fd, name, os.getxattr(target, name))
    mode = stat.S_IMODE(old.st_mode)
    if owner() != kept:
        mode &= ~(stat.S_ISUID | stat.S_ISGID)
    os.fchmod(fd, mode)


def _write_beside(temp: str, target: str, flags: int, old: os.stat_result | None,
                  parts: Iterable[bytes | memoryview],
                  check: Callable[[str], None] | None) -> None:
    try:
        fd = os.open(temp, flags | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0), 0o666)
    except OSError as e:
        # The temporary file's name says nothing to anybody.
        raise OSError(e.errno, e.strerror, target) from None
    try:
        try:
            if old is not None:
                _keep(fd, target, old)
            for part in parts:
                rest = memoryview(part).cast("B")
                while rest:
                    rest = rest[os.write(fd, rest):]
            os.fsync(fd)
        finally:
            os.close(fd)
        if check is not None:
            check(temp)
        replace(temp, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temp)
        raise
