# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Runs a TFLite file in LiteRT, in a process of its own.

The process is given the file without what the reader has not judged: without the operators that
the output does not depend on, other subgraphs and signatures.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import struct
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np

from efm3.arrays import Array
from efm3.convert._tflite_file import File, Operator
from efm3.convert.graph.run import MOST
from efm3.extras import need
from efm3.findings import printable, refuse

MODULES = ("ai_edge_litert", "tflite_runtime", "tensorflow.lite.python")
"""Packages whose module `interpreter` has the runtime, the smallest first."""
CALLS = ("CALL", "CALL_ONCE", "DELEGATE", "IF", "WHILE", "STABLEHLO_CASE",
         "STABLEHLO_COMPOSITE", "STABLEHLO_CUSTOM_CALL", "STABLEHLO_WHILE")
"""Operators that run others, which nobody has judged; as custom ones they are not run."""
MOST_VALUES = 1 << 30
"""Values of all maps together that are run."""
LIMIT = 120.0
"""Seconds for one batch, or for loading."""
CHILD = ("import sys; sys.path[:] = sys.argv[1:]; "
         "from efm3.convert._tflite_child import main; main()")


class Run(NamedTuple):
    """What is run: the file's operators `live`, from tensor `picture` to tensor `output`."""

    file: File
    live: list[int]
    picture: int
    output: int
    shape: tuple[int, ...]
    values: int

    def operators(self) -> list[Operator]:
        """The operators that are run."""
        return [self.file.operators[i] for i in self.live]

    def changes(self) -> list[tuple[int, str]]:
        """What is written into the file's bytes: places, and bytes as hexadecimal digits."""
        main, model = self.file.main, self.file.model
        operators = main.tables(3)
        out = [_words(self.file.subgraphs.start - 4, 1)]
        for field, tensor in ((1, self.picture), (2, self.output)):
            out.append(_words(main.vector(field), 1, tensor))
        # An offset counts from where it stands.
        offsets = [operators.at(i) - operators.start - 4 * j for j, i in enumerate(self.live)]
        out.append(_words(operators.start - 4, len(offsets), *offsets))
        if model.where(7):
            out.append(_words(model.vector(7), 0))
        return out


def _words(at: int, *words: int) -> tuple[int, str]:
    return at, struct.pack(f"<{len(words)}I", *words).hex()


def start(run: Run) -> Callable[[Array], Array]:
    """The function from a batch to the output. Raises X002, X013."""
    path = run.file.path
    module = next((m for m in MODULES if find_spec(m.partition(".")[0])), None)
    if module is None:
        need(MODULES[0], "litert")
    odd = next((op.name for op in run.operators() if op.custom or op.name in CALLS), "")
    if odd or run.values > MOST_VALUES:
        why = f"{odd} may do anything" if odd else f"its maps have {run.values:,} values"
        refuse("X008", f"LiteRT is not started: {why}", path)
    head = {"module": f"{module}.interpreter", "size": len(run.file.bytes.data),
            "changes": run.changes(), "shape": run.shape}
    child = _Child(path)
    child.ask(json.dumps(head).encode() + b"\n", run.file.bytes.data)

    def forward(u: Array) -> Array:
        if u.shape != run.shape:
            raise ValueError(f"a batch of shape {u.shape}, not {run.shape}")
        return child.ask(np.ascontiguousarray(u, "<f4").data)
    return forward


class _Child:
    """The process, and one question after the other."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._late = False
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", CHILD, *(p or os.getcwd() for p in sys.path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        weakref.finalize(self, _stop, self._process)

    def ask(self, *pieces: bytes | memoryview) -> Array:
        """The answer to some bytes. Raises X013."""
        given, answers = self._process.stdin, self._process.stdout
        assert given is not None and answers is not None
        timer = threading.Timer(LIMIT, self._give_up)
        timer.start()
        try:
            for piece in pieces:
                given.write(piece)
            given.flush()
            words = json.loads(answers.readline(1 << 16))
            shape = tuple(words.get("shape", (0,)))
            if "error" not in words and math.prod(shape) <= MOST:
                found = np.frombuffer(answers.read(4 * math.prod(shape)), "<f4")
                return found.reshape(shape)
            why = str(words.get("error", f"its output is {[*shape]}"))
        except (OSError, ValueError):
            # It has ended: there is no line, or half an answer.
            self._process.wait()
            why = self._end()
        finally:
            timer.cancel()
            # Its thread holds this object, and so the process.
            timer.join()
        refuse("X013", f"LiteRT cannot run it: {printable(why)[:300]}", self._path)

    def _give_up(self) -> None:
        self._late = True
        self._process.kill()

    def _end(self) -> str:
        code = self._process.returncode
        if self._late:
            return f"no answer in {LIMIT:g} s"
        return f"it ended with {code}" if code >= 0 else (
            f"it was ended by {signal.Signals(-code).name}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    process.wait()
