# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A process of its own for a runtime: what a damaged network does to it ends with it.

A process holds one network at a time. It is kept for the next one, for starting it takes longer
than most networks run, and ends when nobody asks for a while.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from efm3.arrays import Array
from efm3.convert.graph.run import MOST
from efm3.findings import printable, refuse

LIMIT = 120.0
"""Seconds for one answer."""
# The child gets our import path: isolated (-I), it looks for modules nowhere else, and not in the
# current folder, which may be the source's, with a module of any name.
PROGRAM = "import sys; sys.path[:] = sys.argv[1:]; from {0} import main; main()"
Pieces = Sequence["bytes | memoryview"]


class Worker:
    """A runtime's process: `module` has a `main` that answers, `title` names it in refusals."""

    def __init__(self, module: str, title: str) -> None:
        self._module, self._title = module, title
        self._process: subprocess.Popen[bytes] | None = None
        self._end: Callable[[], object] = int
        self._loaded: Callable[[], object] = _nothing
        self._lock = threading.Lock()

    def ask(self, network: Any, load: Pieces, question: Pieces = ()) -> Array:
        """The answer to a question about a network; `load` is said first where it is not there.
        Raises X013."""
        with self._lock:
            answer = np.empty(0, np.float32)
            if self._process is None or self._process.poll() is not None:
                self._start()
            if self._loaded() is not network:
                self._loaded = _nothing
                answer = self._exchange(load)
                self._loaded = weakref.ref(network)
            return self._exchange(question) if question else answer

    def _start(self) -> None:
        self._forget()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", PROGRAM.format(self._module),
             *(p or os.getcwd() for p in sys.path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self._end = weakref.finalize(self, _stop, self._process, os.getpid())

    def _forget(self) -> None:
        self._loaded = _nothing
        self._end()

    def _exchange(self, pieces: Pieces) -> Array:
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        late = threading.Event()

        def give_up() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(LIMIT, give_up)
        timer.start()
        try:
            for piece in pieces:
                process.stdin.write(piece)
            process.stdin.flush()
            words = json.loads(process.stdout.readline(1 << 16))
            shape = tuple(words["shape"])
            if math.prod(shape) > MOST:
                raise ValueError(f"an output of {[*shape]}")
            found = np.frombuffer(process.stdout.read(4 * math.prod(shape)), "<f4").reshape(shape)
        except (OSError, ValueError, KeyError, TypeError):
            # There is no answer, or half of one: it has ended, or is not worth waiting for.
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
            self._forget()
            words = {"error": _why(process.returncode, late.is_set())}
        except BaseException:
            # The two are out of step.
            self._forget()
            raise
        finally:
            timer.cancel()
            timer.join()
        if "error" in words:
            self._loaded = _nothing
            why = printable(str(words["error"]))[:300]
            refuse("X013", f"{self._title} cannot run it: {why}", self._title)
        return found


def _nothing() -> None:
    """In the place of a reference to a network."""


def _why(code: int, late: bool) -> str:
    if late:
        return f"no answer in {LIMIT:g} s"
    return f"it ended with {code}" if code >= 0 else (
        f"it was ended by {signal.Signals(-code).name}")


def _stop(process: subprocess.Popen[bytes], owner: int) -> None:
    """End the process, unless this one is a fork of the one that started it."""
    if os.getpid() != owner:
        return
    if process.poll() is None:
        process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    process.wait()
