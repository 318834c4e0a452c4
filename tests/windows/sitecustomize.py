# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""On PYTHONPATH: every Python process meets files and processes as Windows has them.

What is simulated is what Python's documentation says of that system: calls that it lacks are gone,
folders cannot be opened, open and read-only files cannot be replaced or removed, names are limited,
links need a privilege, text that is written without a word about newlines gets CR LF, and one
waits for sockets alone. Paths keep their slashes, and processes their signals.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import shutil
import signal
import stat
import subprocess  # noqa: F401 - the standard library's own modules are to find what they need
import sys
import tempfile
from typing import Any

import fcntl
import multiprocessing.util  # noqa: F401
import selectors

GONE = {
    os: ("O_CLOEXEC O_DIRECTORY O_NOCTTY O_NOFOLLOW O_NONBLOCK O_SYNC O_DSYNC O_DIRECT "
         "chown lchown fchown fchmod pread preadv pwrite pwritev sysconf sched_getaffinity "
         "sched_setaffinity fork forkpty register_at_fork killpg getpgid getpgrp setsid "
         "geteuid getgid getegid getgroups mkfifo mknod statvfs fstatvfs listxattr getxattr "
         "setxattr removexattr memfd_create nice getpriority sync getloadavg posix_spawn "
         "posix_spawnp wait3 wait4 chroot lockf sendfile copy_file_range splice").split(),
    signal: ("SIGALRM SIGHUP SIGPIPE SIGUSR1 SIGUSR2 SIGXFSZ alarm setitimer pthread_sigmask "
             "sigwait pause").split(),
    selectors: "EpollSelector PollSelector".split(),
}
MODULES = "fcntl resource pwd grp termios tty pty syslog".split()
RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"{d}{i}" for d in ("COM", "LPT") for i in range(1, 10))}
FORBIDDEN = frozenset('<>:"|?*\\') | {chr(i) for i in range(32)}
SHARING, DENIED, PRIVILEGE = 32, 5, 1314

real = {name: getattr(os, name) for name in (
    "open", "replace", "rename", "unlink", "rmdir", "fsync", "symlink", "access")}
real_open = builtins.open


def denied(path: Any, winerror: int) -> PermissionError:
    """What Python makes of two of the system's errors."""
    wrong = PermissionError(errno.EACCES, "Permission denied", os.fspath(path))
    wrong.winerror = winerror  # type: ignore[attr-defined]
    return wrong


def ours(path: Any) -> bool:
    """Whether the path is a file's of the tests, or of the product's: not of the system's."""
    return not os.fsdecode(path).startswith(("/proc/", "/dev/", "/sys/"))


def checked(path: Any) -> None:
    """Raises OSError where no file can have this name."""
    name = os.path.basename(os.fsdecode(path))
    if ours(path) and (FORBIDDEN & set(name) or name.endswith((" ", "."))
                       or name.split(".")[0].upper() in RESERVED):
        raise OSError(errno.EINVAL, "Invalid argument", os.fspath(path))


def held(path: Any) -> bool:
    """Whether this process has the file open."""
    try:
        status = os.stat(path, follow_symlinks=False)
    except OSError:
        return False
    for fd in os.listdir("/proc/self/fd"):
        try:
            other = os.fstat(int(fd))
        except OSError:
            continue
        if (other.st_dev, other.st_ino) == (status.st_dev, status.st_ino):
            return True
    return False


def free(path: Any) -> None:
    """Raises PermissionError where the file cannot be removed."""
    try:
        status = os.stat(path, follow_symlinks=False)
    except OSError:
        return
    if stat.S_ISREG(status.st_mode):
        if not status.st_mode & stat.S_IWUSR:
            raise denied(path, DENIED)
        if held(path):
            raise denied(path, SHARING)


def opening(path: Any, flags: int, mode: int = 0o777, *, dir_fd: Any = None) -> int:
    """os.open: no folders, no odd names."""
    if dir_fd is None and isinstance(path, (str, bytes, os.PathLike)):
        if os.path.isdir(path):
            raise denied(path, DENIED)
        if flags & os.O_CREAT:
            checked(path)
    return real["open"](path, flags, mode, dir_fd=dir_fd)


def open_file(file: Any, mode: str = "r", *args: Any, **more: Any) -> Any:
    """open: no odd names, and CR LF for every newline that is written as text."""
    writes = bool(set(mode) & set("wax+"))
    if not isinstance(file, int):
        if os.path.isdir(file) and "opener" not in more:  # tempfile's, for a file in it
            raise denied(file, DENIED)
        if writes:
            checked(file)
    names = ("buffering", "encoding", "errors", "newline")
    more = dict(zip(names, args, strict=False)) | more
    rest = args[4:]
    if writes and "b" not in mode and more.get("newline") is None:
        more["newline"] = "\r\n"
    return real_open(file, mode, *rest, **more)


def moved(which: str) -> Any:
    """os.replace or os.rename."""
    def move(src: Any, dst: Any, **more: Any) -> None:
        if not more:
            checked(dst)
            if held(src) and os.path.isfile(src):
                raise denied(src, SHARING)
            free(dst)
            if which == "rename" and os.path.lexists(dst):
                raise FileExistsError(errno.EEXIST, "File exists", os.fspath(dst))
        real[which](src, dst, **more)
    return move


def unlink(path: Any, **more: Any) -> None:
    """os.unlink and os.remove."""
    if not more.get("dir_fd"):
        free(path)
    real["unlink"](path, **more)


def fsync(fd: Any) -> None:
    """os.fsync: of what may be written alone."""
    number = fd if isinstance(fd, int) else fd.fileno()
    if fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        raise OSError(errno.EBADF, "Bad file descriptor")
    real["fsync"](fd)


def symlink(src: Any, dst: Any, *_: Any, **more: Any) -> None:
    """os.symlink: for those who have the privilege, whom we are not."""
    raise denied(dst, PRIVILEGE)


class Sockets(selectors.SelectSelector):
    """Waits for sockets alone."""

    def register(self, fileobj: Any, events: int, data: Any = None) -> Any:
        """See the base class."""
        fd = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        if not stat.S_ISSOCK(os.fstat(fd).st_mode):
            raise OSError(errno.ENOTSOCK, "not a socket")
        return super().register(fileobj, events, data)


def install() -> None:
    """Change this process."""
    shutil._use_fd_functions = False  # type: ignore[attr-defined]
    shutil._USE_CP_SENDFILE = False  # type: ignore[attr-defined]
    tempfile._bin_openflags = os.O_RDWR | os.O_CREAT | os.O_EXCL  # type: ignore[attr-defined]
    tempfile.TemporaryFile = tempfile.NamedTemporaryFile  # as there
    for module, names in GONE.items():
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
    for name in MODULES:
        sys.modules[name] = None  # type: ignore[assignment]
    os.O_BINARY = 0  # type: ignore[attr-defined]
    os.open, os.fsync, os.symlink = opening, fsync, symlink
    os.replace, os.rename = moved("replace"), moved("rename")
    os.unlink = os.remove = unlink
    builtins.open = io.open = open_file
    selectors.DefaultSelector = Sockets  # type: ignore[misc,assignment]


if os.environ.get("EFM3_TEST_SYSTEM") == "windows":
    install()
