# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The process in which onnxruntime runs a model.

Standard input: questions, each a line of JSON and the bytes that it announces: a model with the
constants that it is lent, or a batch. Standard output: for each question a line of JSON, with the
`shape` of the float32 numbers behind it, or an `error`.
"""

from __future__ import annotations

import json
import os
import select
import sys
from typing import Any, BinaryIO

import numpy as np

from efm3.extras import need

IDLE = 60.0
"""Seconds without a question after which the process ends."""
MOST_MEMORY = 16 << 30
"""Bytes of address space."""


def session(model: bytes, lent: dict[str, Any]) -> Any:
    """The model, ready to run: nothing is computed, fused or copied when it is loaded."""
    engine = need("onnxruntime", "onnx")
    options = engine.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = engine.GraphOptimizationLevel.ORT_DISABLE_ALL
    if lent:
        options.add_external_initializers([*lent], [
            engine.OrtValue.ortvalue_from_numpy(a) for a in lent.values()])
    return engine.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def serve(given: BinaryIO, answers: BinaryIO) -> None:
    """Answer until there are no questions."""
    ready: Any = None
    while (line := _line(given)) is not None:
        head = json.loads(line)
        data = [given.read(size) for size in head["sizes"]]
        y = np.empty(0, np.float32)
        try:
            if "lent" in head:
                ready = None
                lent = {name: np.frombuffer(d, kind).reshape(shape) for (name, kind, shape), d
                        in zip(head["lent"], data[1:], strict=True)}
                ready = session(data[0], lent), lent
            else:
                x = np.frombuffer(data[0], head["kind"]).reshape(head["shape"])
                y = np.asarray(ready[0].run(None, {head["name"]: x})[0])
            words: dict[str, Any] = {"shape": y.shape}
        except Exception as e:
            # Its exceptions have no common class that it documents.
            y, words = np.empty(0, np.float32), {"shape": [0], "error": str(e)[:2000]}
        answers.write(json.dumps(words).encode() + b"\n" + y.astype("<f4").tobytes())
        answers.flush()


def _line(given: BinaryIO) -> bytes | None:
    """The next question, None where there is none for long, or never again."""
    try:
        if not select.select([given], [], [], IDLE)[0]:
            return None
    except (OSError, ValueError):
        # Windows cannot wait so.
        pass
    return given.readline() or None


def main() -> None:
    """Serve the parent. What the runtime itself prints must not get among the answers."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    except (ImportError, ValueError, OSError):
        pass
    serve(sys.stdin.buffer, answers)
