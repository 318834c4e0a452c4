# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the project's modules import: the standard library of Windows. Its modules there lack names,
some are missing as a whole, and `msvcrt` is there.

The standard library and other packages keep the real modules. What the project sets or deletes in
a module, a test's monkeypatch for one, is set in the real one.
"""

from __future__ import annotations

import builtins
import enum
import errno
import importlib
import selectors
import signal
import stat
import types
from typing import Any

from tests.windows.callers import is_ours
from tests.windows.lacks import GONE, MISSING

SIGNALS = {"SIGABRT": 6, "SIGFPE": 8, "SIGILL": 4, "SIGINT": 2, "SIGSEGV": 11, "SIGTERM": 15,
           "SIGBREAK": 21, "CTRL_C_EVENT": 0, "CTRL_BREAK_EVENT": 1}
Signals = enum.IntEnum("Signals", SIGNALS)  # type: ignore[misc]

class Seen(types.ModuleType):
    """A module as the project sees it. What a test puts into it is there, and in the real one."""

    def __init__(self, real: types.ModuleType, gone: set[str], new: dict[str, Any]) -> None:
        super().__init__(real.__name__)
        state = object.__getattribute__(self, "__dict__")
        state.clear()
        state["seen"] = (real, gone, new)

    def __getattribute__(self, name: str) -> Any:
        real, gone, new = object.__getattribute__(self, "__dict__")["seen"]
        if name == "__dict__":
            return {k: v for k, v in {**vars(real), **new}.items() if k not in gone}
        if name in new:
            return new[name]
        if name in gone:
            raise AttributeError(f"module {real.__name__!r} has no attribute {name!r}")
        return getattr(real, name)

    def __setattr__(self, name: str, value: Any) -> None:
        real, gone, new = object.__getattribute__(self, "__dict__")["seen"]
        if name in new or name in gone:
            new[name] = value
        else:
            setattr(real, name, value)

    def __delattr__(self, name: str) -> None:
        real, gone, new = object.__getattribute__(self, "__dict__")["seen"]
        if name in new:
            del new[name]
            gone.add(name)
        else:
            delattr(real, name)

    def __dir__(self) -> list[str]:
        real, gone, new = object.__getattribute__(self, "__dict__")["seen"]
        return sorted({*dir(real), *new} - gone)


class Sockets(selectors.SelectSelector):
    """Waits for sockets alone."""

    def register(self, fileobj: Any, events: int, data: Any = None) -> Any:
        """See the base class."""
        _socket(fileobj)
        return super().register(fileobj, events, data)


def _socket(file: Any) -> None:
    import os

    fd = file if isinstance(file, int) else file.fileno()
    if not stat.S_ISSOCK(os.fstat(fd).st_mode):
        raise OSError(errno.ENOTSOCK, "It is not a socket")


def _select(real: Any) -> Any:
    def select(reads: Any, writes: Any, wrong: Any, timeout: Any = None) -> Any:
        for file in (*reads, *writes, *wrong):
            _socket(file)
        return real(reads, writes, wrong, timeout)
    return select


def _handle(number: Any, handler: Any) -> Any:
    if number not in set(SIGNALS.values()) - {0, 1}:
        raise ValueError("invalid signal value")
    # Its number means something else here.
    return signal.SIG_DFL if number == 21 else signal.signal(number, handler)


def _msvcrt() -> types.ModuleType:
    import fcntl

    module = types.ModuleType("msvcrt")

    def locking(fd: int, mode: int, nbytes: int) -> None:
        """Lock or free bytes of a file from where it stands."""
        how = {0: fcntl.LOCK_UN, 1: fcntl.LOCK_EX, 2: fcntl.LOCK_EX | fcntl.LOCK_NB}[mode]
        try:
            fcntl.lockf(fd, how, nbytes, 0, 1)
        except OSError:
            raise PermissionError(errno.EACCES, "Permission denied") from None

    module.__dict__.update(locking=locking, LK_UNLCK=0, LK_LOCK=1, LK_NBLCK=2,
                           get_osfhandle=int, setmode=lambda fd, flags: 0)
    return module


def install() -> None:
    """Change what `import` gives to the project's modules in this process."""
    real = builtins.__import__
    new: dict[str, dict[str, Any]] = {
        "sys": {"platform": "win32"},
        "os": {"name": "nt", "O_BINARY": 0, "supports_dir_fd": set(), "supports_fd": set(),
               "supports_follow_symlinks": set()},
        "signal": {"Signals": Signals, "signal": _handle,
                   **{name: Signals(value) for name, value in SIGNALS.items()}},
        "selectors": {"DefaultSelector": Sockets},
    }
    gone = {name: set(names.split()) for name, names in GONE.items()}
    gone["signal"] |= {n for n in dir(signal) if n.startswith("SIG") and n not in SIGNALS
                       and n not in ("SIG_DFL", "SIG_IGN")} | {"SIG_BLOCK", "SIG_UNBLOCK"}
    seen: dict[str, types.ModuleType] = {}

    def there(name: str) -> types.ModuleType:
        if name not in seen:
            module = importlib.import_module(name)
            if name == "select":
                new["select"] = {"select": _select(module.select)}
            seen[name] = Seen(module, gone.get(name, set()), new.get(name, {}))
        return seen[name]

    def imported(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (),
                 level: int = 0) -> Any:
        if level == 0 and globals is not None and is_ours(globals):
            top = name.split(".")[0]
            if top in MISSING:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
            if name == "msvcrt":
                return seen.setdefault(name, _msvcrt())
            if (top in gone or top in new) and (name == top or not fromlist):
                if name != top:
                    real(name, globals, locals, fromlist, level)
                return there(top)
        return real(name, globals, locals, fromlist, level)

    builtins.__import__ = imported
