# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Reading a source whole and safely, and saving bytes atomically and durably."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Callable, Iterable
from typing import BinaryIO

Source = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO


class Unreadable(OSError):
    """The source cannot be read at all: missing, a directory, a FIFO, no permission."""


def name_of(source: Source) -> str:
    """What to call the source in a report."""
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return "<bytes>"
    name = getattr(source, "name", "<stream>")
    return name if isinstance(name, str) else "<stream>"


def path_of(source: Source) -> str:
    """Where the source is, "" for bytes and for a stream."""
    return os.fspath(source) if isinstance(source, (str, os.PathLike)) else ""


def read(source: Source) -> bytes | bytearray | memoryview:
    """All bytes of the source; a path must be a regular file (it is read, never mapped).

    Raises Unreadable.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        return source
    if isinstance(source, (str, os.PathLike)):
        return _read_path(os.fspath(source))
    data = source.read()
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise Unreadable(f"{name_of(source)}: opened in text mode; open it in binary mode")
    return data


def _read_path(path: str) -> bytes:
    try:
        f = open_regular(path)
        try:
            size = os.fstat(f.fileno()).st_size
            # A sparse file of any length takes no disk space: compare before allocating.
            if size > _memory():
                raise Unreadable(f"{path}: larger than memory ({size} bytes)")
            data = f.read(size + 1) or b""
        finally:
            with contextlib.suppress(OSError):
                f.close()
    except MemoryError:
        raise Unreadable(f"{path}: larger than memory") from None
    except Unreadable:
        raise
    except OSError as e:
        raise Unreadable(f"{path}: {e.strerror or e}") from None
    if len(data) != size:
        raise Unreadable(f"{path}: changed while it was read")
    return data


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


def write_atomic(path: str | os.PathLike[str], parts: Iterable[bytes | memoryview],
                 check: Callable[[str], None] | None = None) -> None:
    """Write `parts` to `path` atomically: it then holds all of them, durably, or its old bytes.

    `check` gets the path of the whole new file before it takes its place; if it raises,
    the target stays as it was.

    A new file beside the target (O_EXCL, never through a link) is written, synced
    and renamed; then the folder is synced. A symbolic link is followed to its target,
    whose mode is kept; a folder, device or FIFO is refused. Raises OSError; nothing is left
    behind, and the target keeps its bytes but where the folder's sync alone failed: then it
    holds the new ones, perhaps not durably.
    """
    target = os.path.realpath(os.fspath(path))
    folder, base = os.path.split(target)
    temp = os.path.join(folder, f".{base[:200]}.{os.urandom(8).hex()}.tmp")
    mode = _mode_to_keep(target)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    folder_fd = os.open(folder, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    try:
        _write_beside(temp, target, flags, mode, parts, check)
        os.fsync(folder_fd)
    finally:
        with contextlib.suppress(OSError):
            os.close(folder_fd)


def _mode_to_keep(target: str) -> int | None:
    """Permissions of the existing file, if any. Raises OSError for a non-regular file."""
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        return None
    # A rename would replace a device such as /dev/null by a file.
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), target)
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "not a regular file", target)
    return stat.S_IMODE(mode)


def _write_beside(temp: str, target: str, flags: int, mode: int | None,
                  parts: Iterable[bytes | memoryview],
                  check: Callable[[str], None] | None) -> None:
    try:
        fd = os.open(temp, flags | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0), 0o666)
    except OSError as e:
        # The temporary file's name says nothing to anybody.
        raise OSError(e.errno, e.strerror, target) from None
    try:
        try:
            if mode is not None:
                os.fchmod(fd, mode)
            for part in parts:
                rest = memoryview(part).cast("B")
                while rest:
                    rest = rest[os.write(fd, rest):]
            os.fsync(fd)
        finally:
            os.close(fd)
        if check is not None:
            check(temp)
        os.replace(temp, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temp)
        raise
