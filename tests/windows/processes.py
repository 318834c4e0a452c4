# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Processes as Windows has them: none is forked, none gets a signal, and who ends one ends it at
once. Python children get the simulation too, those that leave out PYTHONPATH as well."""

from __future__ import annotations

import multiprocessing.connection
import multiprocessing.context
import multiprocessing.popen_spawn_posix
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.windows.callers import is_ours, ours, said
from tests.windows.files import CODE_PAGE

HERE = Path(__file__).resolve().parent
ENDED = 1
"""Exit code of a process that another one ended."""

CRASHED = {11: 0xC0000005, 4: 0xC000001D, 8: 0xC0000094, 6: 3, 2: 0xC000013A}
"""Exit codes for what would be a signal: an access violation, an abort, Ctrl-C and their like."""

REFUSED = ("preexec_fn", "pass_fds", "user", "group", "extra_groups")
IGNORED = ("start_new_session", "restore_signals", "creationflags", "startupinfo", "umask",
           "process_group")
real_init = subprocess.Popen.__init__
real_kill, real_signal = os.kill, subprocess.Popen.send_signal


def simulated(args: Any, env: Any) -> tuple[Any, Any]:
    """A command and its environment, with the simulation in a child that runs our Python."""
    if not isinstance(args, (list, tuple)) or not args or os.fspath(args[0]) != sys.executable:
        return args, env
    env = dict(os.environ if env is None else env)
    if env.get("EFM3_TEST_SYSTEM", "windows") != "windows":
        return args, env
    env["EFM3_TEST_SYSTEM"] = "windows"
    folders = [p for p in env.get("PYTHONPATH", "").split(os.pathsep) if p]
    if str(HERE) not in folders:
        env["PYTHONPATH"] = os.pathsep.join([str(HERE), *folders])
    words = list(args)
    if any(w in ("-I", "-E", "-IS", "-S") for w in words) and "-c" in words:
        at = words.index("-c") + 1
        words[at] = (f"import runpy; runpy.run_path({str(HERE / 'sitecustomize.py')!r}, "
                     f"run_name='sitecustomize')\n{words[at]}")
    return words, env


def start(self: Any, args: Any, *rest: Any, **more: Any) -> None:
    """subprocess.Popen: what is for POSIX is refused or ignored."""
    if ours_through_subprocess():
        for name in REFUSED:
            if more.get(name):
                raise ValueError(f"{name} is not supported on Windows platforms")
        for name in IGNORED:
            more.pop(name, None)
    args, more["env"] = simulated(args, more.get("env"))
    text = more.get("text") or more.get("universal_newlines") or more.get("errors")
    if text and not more.get("encoding"):
        said("encoding")
        more["encoding"] = CODE_PAGE
    real_init(self, args, *rest, **more)


def ours_through_subprocess() -> bool:
    """Whether the project's code starts the process, be it by subprocess.run."""
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__") in (
            "subprocess", "tests.windows.processes"):
        frame = frame.f_back
    return frame is not None and is_ours(frame.f_globals)


def end(self: Any) -> None:
    """Popen.kill and Popen.terminate."""
    if self.poll() is None:
        self._ended_here = True
        real_signal(self, 9)


def send(self: Any, number: int) -> None:
    """Popen.send_signal: SIGTERM ends it, and no other is known."""
    if number != 15:
        raise ValueError(f"Unsupported signal: {number}")
    end(self)


def kill(pid: int, number: int) -> None:
    """os.kill: ends a process at once, with the number as its exit code."""
    if pid == os.getpid():
        raise OSError(22, "os.kill would end this process: use signal.raise_signal")
    real_kill(pid, 9 if ours() else number)


def exit_code(found: Any) -> Any:
    """Popen._handle_exitstatus, of which no code is negative."""
    def handle(self: Any, *args: Any, **more: Any) -> None:
        found(self, *args, **more)
        if self.returncode is not None and self.returncode < 0:
            ended = self.__dict__.get("_ended_here", False) or self.returncode == -9
            self.returncode = ENDED if ended else CRASHED.get(-self.returncode, ENDED)
    return handle


def install() -> None:
    """Change this process."""
    process: Any = subprocess.Popen
    process.__init__, process.send_signal = start, send
    process.kill = process.terminate = end
    process._handle_exitstatus = exit_code(process._handle_exitstatus)
    subprocess.CREATE_NEW_PROCESS_GROUP = 0x200  # type: ignore[attr-defined]
    os.kill = kill
    context: Any = multiprocessing.context
    spawn = context._concrete_contexts["spawn"]
    context._concrete_contexts.clear()
    context._concrete_contexts["spawn"] = spawn
    context._default_context._default_context = spawn
    context._default_context._actual_context = None
