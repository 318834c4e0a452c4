# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What load, the C loader and save say to odd files and full disks.

    python -m tests.faults.special

Prints {"load": {case: [code of efm3.load, status of the C loader]}, "save": {case: verdict}} as
JSON. A save's verdict is an errno or `saved`, and what the target is after it. A case that this
machine cannot show is `not possible here`. No device is ever a target: a wrong writer, run by
root, would replace it.
"""

from __future__ import annotations

import errno
import json
import mmap
import os
import pty
import resource
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import efm3
from efm3 import engine
from efm3.conformance import sample

OLD = sample.base()
NEW = sample.with_mirror(lambda m: m | {"meta": {"note": "new"}})(OLD)
ABSENT = "not possible here"
NOBODY = 65534


def python_load(path: str) -> str:
    """`loaded`, or the code."""
    try:
        efm3.load(path)
    except efm3.Efm3Error as e:
        return str(e.code)
    return "loaded"


def engine_load(path: str) -> str:
    """The status of the C loader's own reading."""
    ext = engine._extension()
    handle, error = ext.ffi.new("MfnEngine *"), ext.ffi.new("MfnError *")
    status = ext.lib.mfn_engine_init_file(os.fsencode(path), ext.ffi.NULL, handle, error)
    if status == 0:
        ext.lib.mfn_engine_free(handle)
    return str(ext.ffi.string(ext.lib.mfn_status_name(status)).decode())


def forked(act: Callable[[], str]) -> str:
    """What `act` gives in a child: it may lower limits and rights there."""
    here, there = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(there, act().encode())
        finally:
            os._exit(0)
    os.close(there)
    with os.fdopen(here, "rb") as f:
        said = f.read().decode()
    os.waitpid(pid, 0)
    return said or "died"


def as_nobody(act: Callable[[], str]) -> str:
    """`act` without root's rights."""
    def inner() -> str:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setegid(NOBODY)
            os.seteuid(NOBODY)
        return act()
    return forked(inner)


def loads(folder: Path) -> dict[str, list[str]]:
    """Each odd path, through both readers."""
    good = folder / "good"
    good.write_bytes(OLD)
    (folder / "empty").touch()
    (folder / "link").symlink_to(good)
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "dangling").symlink_to(folder / "none")
    os.mkfifo(folder / "fifo")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "socket"))
    main, terminal = pty.openpty()
    closed, locked = folder / "closed", folder / "locked"
    locked.mkdir()
    for path in (closed, locked / "good"):
        path.write_bytes(OLD)
    closed.chmod(0)
    locked.chmod(0)
    folder.chmod(0o755)
    paths = {
        "regular file": good, "symbolic link": folder / "link", "empty file": folder / "empty",
        "no such file": folder / "none", "folder": folder, "empty path": "",
        "path of 5,000 characters": "x" * 5000, "FIFO without a writer": folder / "fifo",
        "socket": folder / "socket", "terminal": os.ttyname(terminal), "/dev/zero": "/dev/zero",
        "/dev/full": "/dev/full", "/proc/self/mem": "/proc/self/mem",
        "link to itself": folder / "loop", "dangling link": folder / "dangling"}
    out = {name: [read(str(path)) for read in (python_load, engine_load)]
           for name, path in paths.items()}
    for name, path in (("no permission", closed), ("folder without permission", locked / "good")):
        out[name] = [as_nobody(lambda read=read, path=path: read(str(path)))  # type: ignore[misc]
                     for read in (python_load, engine_load)]
    tera = folder / "tera"
    tera.write_bytes(OLD)
    try:
        os.truncate(tera, 1 << 40)
        out["sparse terabyte"] = [python_load(str(tera)), engine_load(str(tera))]
    except OSError:
        out["sparse terabyte"] = [ABSENT, ABSENT]
    for fd in (main, terminal):
        os.close(fd)
    listener.close()
    return out


def save(path: Path) -> str:
    """Save the new model: how it ended, and what lies there and beside it."""
    names = set(os.listdir(path.parent)) if path.parent.is_dir() else set()
    try:
        efm3.load(NEW).save(path)
        said = "saved"
    except OSError as e:
        said = errno.errorcode[e.errno or 0]
    if not path.is_file():
        return f"{said}, no file" if not path.exists() else f"{said}, still no regular file"
    data = path.read_bytes()
    state = "old" if data == OLD else "new" if data == NEW else "torn"
    more = set(os.listdir(path.parent)) - names - {path.name}
    return f"{said}, {state}" + ", and left a file" * bool(more - {"none"})


def limited(path: Path) -> str:
    """With a limit of 5,000 bytes per file."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
    return save(path)


def mapped(path: Path) -> str:
    """Over the file that is mapped; the map stays whole."""
    with path.open("rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as m:
        return save(path) + (", map whole" if m[:] == OLD else ", map torn")


def deleted(folder: Path) -> str:
    """Into a folder that is gone."""
    folder.mkdir()
    folder.rmdir()
    return save(folder / "w.bin")


def mounted(kind: str, folder: Path) -> str:
    """In a namespace of its own: `full` or `read-only` file system of 28 KiB."""
    try:
        done = subprocess.run(["unshare", "-rm", sys.executable, __file__, kind, folder],
                              capture_output=True, text=True, check=False)
    except OSError:
        return ABSENT
    return done.stdout.strip() if done.returncode == 0 else ABSENT


def inside(kind: str, folder: Path) -> str:
    """The other end of `mounted`. Raises CalledProcessError where nothing may be mounted."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=28k", "none", folder], check=True)
    path = folder / "w.bin"
    path.write_bytes(OLD)
    if kind == "read-only":
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    return save(path)


def saves(folder: Path) -> dict[str, str]:
    """Each odd target."""
    def fresh(name: str) -> Path:
        own = folder / name
        own.mkdir()
        (own / "w.bin").write_bytes(OLD)
        return own / "w.bin"

    target = fresh("a")
    (target.parent / "link").symlink_to(target)
    (target.parent / "loop").symlink_to(target.parent / "loop")
    (target.parent / "dangling").symlink_to(target.parent / "none")
    os.mkfifo(target.parent / "fifo")
    locked = fresh("locked")
    locked.parent.chmod(0o555)
    out = {
        "over the mapped file": mapped(fresh("b")),
        "through a link": save(target.parent / "link"),
        "through a dangling link": save(target.parent / "dangling"),
        "link to itself": save(target.parent / "loop"), "folder": save(target.parent),
        "FIFO": save(target.parent / "fifo"), "folder that is gone": deleted(folder / "gone"),
        "folder without permission": as_nobody(lambda: save(locked)),
        "limit of a file's size": forked(lambda: limited(fresh("c"))),
        "full disk": mounted("full", fresh("d").parent),
        "read-only file system": mounted("read-only", fresh("e").parent)}
    return out


def main() -> int:
    """Run; see the module."""
    if len(sys.argv) == 3:
        print(inside(sys.argv[1], Path(sys.argv[2])))
        return 0
    with tempfile.TemporaryDirectory() as a, tempfile.TemporaryDirectory() as b:
        Path(b).chmod(0o755)
        print(json.dumps({"load": loads(Path(a)), "save": saves(Path(b))}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
