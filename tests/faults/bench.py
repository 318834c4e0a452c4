# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A file that is saved and loaded in children whose calls are spoilt."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path

FAIL, SHORT, END, KILL, KILL_HALF = range(5)
EVER = 1 << 40


def shim() -> ctypes.CDLL:
    """The preloaded library's own functions."""
    lib = ctypes.CDLL(None)
    lib.fault_arm.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]
    lib.fault_watch.argtypes = [ctypes.c_void_p]
    lib.fault_name.restype = ctypes.c_char_p
    for name in ("fault_count", "fault_hits"):
        getattr(lib, name).restype = ctypes.c_long
    return lib


ATTRIBUTE = "user.kept"
OWNER = 4321
MODE = 0o4640
"""Of the file that is saved over: setuid may not survive where the owner does not."""


class Bench:
    """A folder with one file, and the two contents that it may have."""

    def __init__(self, folder: Path, plant: str | None) -> None:
        import efm3
        from efm3.conformance import sample

        self.path = folder / "w.bin"
        self.folder = folder
        self.old = sample.base()
        self.models = [efm3.load(self.old), efm3.load(sample.with_mirror(
            lambda m: m | {"meta": {"note": "n" * 999}})(self.old))]
        self.contents: list[bytes] = []
        self.tensors = efm3.dumps(self.models[0].arch, self.models[0].tensors)
        for m in self.models:
            m.save(self.path)
            assert efm3.validate(self.path).ok
            self.contents.append(self.path.read_bytes())
        assert self.contents[0] == self.old != self.contents[1]
        self.save: Callable[[int], None] = {
            None: self._save, "in-place": self._in_place, "no-unlink": self._no_unlink,
            "setuid": self._setuid,
        }[plant]

    def _save(self, which: int) -> None:
        self.models[which].save(self.path)

    def _in_place(self, which: int) -> None:
        fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            os.write(fd, self.contents[which])
        finally:
            os.close(fd)

    def _setuid(self, which: int) -> None:
        self._save(which)
        self.path.chmod(MODE)

    def _no_unlink(self, which: int) -> None:
        temp = f"{self.path}.tmp"
        fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            rest = memoryview(self.contents[which])
            while rest:
                rest = rest[os.write(fd, rest):]
        finally:
            os.close(fd)
        os.replace(temp, self.path)

    def reset(self) -> None:
        """The old file alone, with what a save keeps: an attribute, its mode, another owner."""
        for name in os.listdir(self.folder):
            os.unlink(self.folder / name)
        self.path.write_bytes(self.old)
        with contextlib.suppress(OSError):  # a file system without them
            os.setxattr(self.path, ATTRIBUTE, b"kept")
        if os.geteuid() == 0:  # nobody else may give a file away
            os.chown(self.path, OWNER, OWNER)
        self.path.chmod(MODE)
        self.kept = self.path.stat()

    def unkept(self) -> str:
        """What is wrong with owner and mode of the file now, or ""."""
        now = self.path.stat()
        same = (now.st_uid, now.st_gid) == (self.kept.st_uid, self.kept.st_gid)
        mode = MODE if same else MODE & ~(stat.S_ISUID | stat.S_ISGID)
        if stat.S_IMODE(now.st_mode) != mode:
            return f"mode {oct(now.st_mode)} of {'its' if same else 'another'} owner"
        return ""

    def strays(self) -> list[str]:
        """Names in the folder beside the target's."""
        return [n for n in os.listdir(self.folder) if n != self.path.name]

    def state(self) -> str:
        """`old` or `new`, byte for byte (both were validated), or what is wrong."""
        try:
            data = self.path.read_bytes()
        except OSError as e:
            return f"gone: {e}"
        if data not in self.contents:
            return f"torn: {len(data)} bytes"
        return ("old", "new")[self.contents.index(data)]


def attempt(act: Callable[[], None], mode: int, number: int, first: int,
            last: int) -> dict[str, object] | None:
    """`act` in a child whose calls first..last are spoilt: what came of it, None if killed."""
    from efm3 import Efm3Error

    lib = shim()
    here, there = os.pipe()
    pid = os.fork()
    if pid == 0:
        said = "ok"
        signal.alarm(200)
        lib.fault_arm(mode, number, first, last)
        try:
            act()
        except Efm3Error as e:
            said = f"refused {e.code}"
        except OSError as e:
            said = f"raised {e.strerror}"
        except BaseException as e:  # what else is the failure we look for
            said = f"BROKE {type(e).__name__}: {e}"
        lib.fault_disarm()
        os.write(there, json.dumps({
            "said": said, "calls": lib.fault_count(), "hits": lib.fault_hits(),
            "name": lib.fault_name().decode(), "unlink": lib.fault_unlink_hit(),
            "folder": lib.fault_folder_sync_hit()}).encode())
        os._exit(0)
    os.close(there)
    with os.fdopen(here, "rb") as f:
        text = f.read()
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        if os.WTERMSIG(status) == signal.SIGKILL:
            return None
        return {"said": f"BROKE signal {os.WTERMSIG(status)}", "hits": 1, "calls": 0, "name": "?",
                "unlink": 0, "folder": 0}
    return dict(json.loads(text))


def points(calls: int, step: int) -> list[int]:
    """The first and last calls, which are all of the kinds there are, and each step-th between."""
    return [k for k in range(1, calls + 1) if k <= 20 or k > calls - 12 or k % step == 0]
