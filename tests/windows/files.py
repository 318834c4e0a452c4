# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Files as Windows has them: folders cannot be opened, open and read-only files can be neither
replaced nor removed, names are limited, links need a privilege, there is no mode but read-only,
and text that is written without a word about newlines gets CR LF."""

from __future__ import annotations

import builtins
import errno
import fcntl
import io
import os
import shutil
import stat
import tempfile
from typing import Any

from tests.windows.callers import ours, said

RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"{d}{i}" for d in ("COM", "LPT") for i in range(1, 10))}
FORBIDDEN = frozenset('<>:"|?*\\') | {chr(i) for i in range(32)}
SAID = {5: "Access is denied", 32: "The process cannot access the file because it is being used by "
        "another process", 123: "The filename, directory name, or volume label syntax is incorrect",
        183: "Cannot create a file when that file already exists",
        1314: "A required privilege is not held by the client"}
DENIED, SHARING, NAME, EXISTS, PRIVILEGE = SAID
NUMBERS = {DENIED: errno.EACCES, SHARING: errno.EACCES, EXISTS: errno.EEXIST}
"""Of Windows' errors that are not EINVAL to Python."""

CODE_PAGE = "cp1252"
"""In which text is written and read that states no encoding."""

real = {name: getattr(os, name) for name in (
    "open", "replace", "rename", "unlink", "fsync", "symlink", "chmod", "stat", "mkdir")}
real_open = builtins.open


def error(number: int, path: Any) -> OSError:
    """What Python makes of an error of Windows."""
    wrong = OSError(NUMBERS.get(number, errno.EINVAL), SAID[number], os.fspath(path))
    wrong.winerror = number  # type: ignore[attr-defined]
    return wrong


def crt(number: int, path: Any) -> OSError:
    """What Python makes of an error of the C library."""
    return OSError(number, os.strerror(number), os.fspath(path))


def checked(path: Any) -> bool:
    """Whether a file can have this name; what is not on a disk is not looked at."""
    whole = os.fsdecode(path)
    if whole.startswith(("/proc/", "/dev/", "/sys/")) or "\0" in whole:  # that Python refuses
        return True
    name = os.path.basename(whole)
    return name in (".", "..") or not (
        FORBIDDEN & set(name) or name.endswith((" ", "."))
        or name.split(".")[0].rstrip().upper() in RESERVED)


def held(path: Any) -> bool:
    """Whether this process has the file open, or mapped into its memory."""
    try:
        status = real["stat"](path, follow_symlinks=False)
    except (OSError, ValueError):
        return False
    for fd in os.listdir("/proc/self/fd"):
        try:
            other = os.fstat(int(fd))
        except OSError:
            continue
        if (other.st_dev, other.st_ino) == (status.st_dev, status.st_ino):
            return True
    with real_open("/proc/self/maps", "rb") as maps:
        return any(os.fsencode(os.path.abspath(path)) + b"\n" in line for line in maps)


def taken(path: Any) -> OSError | None:
    """Why a file cannot be removed."""
    try:
        status = real["stat"](path, follow_symlinks=False)
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    if not status.st_mode & stat.S_IWUSR:
        return error(DENIED, path)
    return error(SHARING, path) if held(path) else None


def is_path(file: Any) -> bool:
    """Whether it names a file and is none."""
    return isinstance(file, (str, bytes, os.PathLike))


def refuse(path: Any, writes: bool) -> None:
    """Raises OSError where Windows opens no such file."""
    if os.path.isdir(path):
        raise crt(errno.EACCES, path)
    if not checked(path):
        raise crt(errno.EINVAL, path)
    try:
        status = real["stat"](path)
    except (OSError, ValueError):
        return
    if writes and stat.S_ISREG(status.st_mode) and not status.st_mode & stat.S_IWUSR:
        raise crt(errno.EACCES, path)


def opening(path: Any, flags: int, mode: int = 0o777, *, dir_fd: Any = None) -> int:
    """os.open."""
    if dir_fd is not None and ours():
        raise NotImplementedError("dir_fd unavailable on this platform")
    if dir_fd is None and is_path(path):
        refuse(path, bool(flags & (os.O_WRONLY | os.O_RDWR)))
        mode = mode | 0o600
    number: int = real["open"](path, flags, mode, dir_fd=dir_fd)
    return number


def open_file(file: Any, mode: str = "r", *args: Any, **more: Any) -> Any:
    """open. Code of ours must state the encoding, and what newlines become."""
    writes = bool(set(mode) & set("wax+"))
    names = ("buffering", "encoding", "errors", "newline", "closefd", "opener")
    more = dict(zip(names, args, strict=False)) | more
    if is_path(file) and not (more.get("opener") and os.path.isdir(file)):  # tempfile's
        refuse(file, writes)
    if "b" not in mode:
        if more.get("encoding") in (None, "locale"):
            said("encoding")
            more["encoding"] = CODE_PAGE
        if writes and more.get("newline") is None:
            said("newline")
            more["newline"] = "\r\n"
    return real_open(file, mode, **more)


def moved(which: str) -> Any:
    """os.replace or os.rename."""
    def move(src: Any, dst: Any, **more: Any) -> None:
        if more and ours():
            raise NotImplementedError("src_dir_fd unavailable on this platform")
        if not more:
            if not checked(dst):
                raise error(NAME, dst)
            if os.path.isfile(src) and held(src):
                raise error(SHARING, src)
            same = os.path.exists(dst) and os.path.exists(src) and os.path.samefile(src, dst)
            if os.path.lexists(dst) and not same:
                if which == "rename":
                    raise error(EXISTS, dst)
                if os.path.isdir(dst):
                    raise error(DENIED, dst)
                wrong = taken(dst)
                if wrong:
                    # Of a replacement's target Windows says that access is denied.
                    raise error(DENIED, dst)
        real[which](src, dst, **more)
    return move


def unlink(path: Any, **more: Any) -> None:
    """os.unlink and os.remove."""
    if not more:
        if os.path.isdir(path) and not os.path.islink(path):
            raise error(DENIED, path)
        wrong = taken(path)
        if wrong:
            raise wrong
    real["unlink"](path, **more)


def fsync(fd: Any) -> None:
    """os.fsync: of what may be written alone."""
    number = fd if isinstance(fd, int) else fd.fileno()
    if fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        raise OSError(errno.EBADF, "Bad file descriptor")
    real["fsync"](fd)


def symlink(src: Any, dst: Any, *_: Any, **more: Any) -> None:
    """os.symlink: for those who have the privilege, whom we are not."""
    raise error(PRIVILEGE, dst)


def chmod(path: Any, mode: int, **more: Any) -> None:
    """os.chmod: a file is read-only or it is not; of a folder that says nothing."""
    if not is_path(path):
        raise TypeError("chmod: path should be string, bytes or os.PathLike, not int")
    if not os.path.isdir(path):
        real["chmod"](path, 0o666 if mode & stat.S_IWUSR else 0o444)


def status_of(path: Any, **more: Any) -> os.stat_result:
    """os.stat: of a name that no file can have it says so."""
    if is_path(path) and not more.get("dir_fd") and not checked(path):
        raise error(NAME, path)
    status: os.stat_result = real["stat"](path, **more)
    return status


def mkdir(path: Any, mode: int = 0o777, **more: Any) -> None:
    """os.mkdir: the mode says nothing."""
    if not checked(path):
        raise error(NAME, path)
    real["mkdir"](path, **more)


def install() -> None:
    """Change this process."""
    shutil._use_fd_functions = False  # type: ignore[attr-defined]
    shutil._USE_CP_SENDFILE = False  # type: ignore[attr-defined]
    tempfile._bin_openflags = os.O_RDWR | os.O_CREAT | os.O_EXCL  # type: ignore[attr-defined]
    tempfile.TemporaryFile = tempfile.NamedTemporaryFile  # type: ignore[assignment]
    os.open, os.fsync, os.symlink = opening, fsync, symlink
    os.chmod, os.stat, os.mkdir = chmod, status_of, mkdir
    os.replace, os.rename = moved("replace"), moved("rename")
    os.unlink = os.remove = unlink
    builtins.open = io.open = open_file
