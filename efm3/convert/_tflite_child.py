# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The process in which LiteRT runs a file: what a damaged file does to it ends with it.

Standard input: a line of JSON, the file, then one batch after the other, each as the bytes of
float32. Standard output: for each batch, and first for the file, a line of JSON; `error` says what
went wrong, `shape` what the float32 numbers behind the line are.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from typing import Any, BinaryIO

import numpy as np

MOST_MEMORY = 8 << 30
"""Bytes of address space; the libraries' own are a fourth of them."""


def whole(a: Any, kind: Any, scale: float, zero: int) -> Any:
    """Real numbers as the whole ones that stand for them; as they are where scale is 0."""
    kind = np.dtype(kind)
    if kind.kind not in "iu":
        return a.astype(kind)
    limits = np.iinfo(kind)
    return np.clip(np.rint(a / scale + zero if scale else a), limits.min, limits.max).astype(kind)


def real(a: Any, scale: float, zero: int) -> Any:
    """The real numbers that whole ones stand for."""
    return (np.float32(scale) * (a.astype(np.float32) - zero) if scale else a).astype(np.float32)


def loaded(library: Any, data: bytes, shape: list[int]) -> Any:
    """The interpreter, ready for batches of this shape."""
    def ready(**more: Any) -> Any:
        interpreter = library.Interpreter(model_content=data, num_threads=1, **more)
        entry, = interpreter.get_input_details()
        if [*entry["shape"]] != shape:
            interpreter.resize_tensor_input(entry["index"], shape)
        interpreter.allocate_tensors()
        return interpreter

    try:
        return ready()
    except (ValueError, RuntimeError):
        # The delegate that runs by default refuses some networks that the runtime itself takes.
        kind = getattr(library, "OpResolverType", None)
        if kind is None:
            raise
        return ready(experimental_op_resolver_type=kind.BUILTIN_WITHOUT_DEFAULT_DELEGATES)


def serve(given: BinaryIO, answers: BinaryIO) -> None:
    """Loads the file, and runs batches until there are none."""
    def say(**words: Any) -> None:
        answers.write(json.dumps(words).encode() + b"\n")

    head = json.loads(given.readline())
    data = bytearray(given.read(head["size"]))
    for at, piece in head["changes"]:
        data[at:at + len(piece) // 2] = bytes.fromhex(piece)
    interpreter = loaded(import_module(head["module"]), bytes(data), head["shape"])
    del data
    entry, = interpreter.get_input_details()
    end, = interpreter.get_output_details()
    size = 4 * int(np.prod(head["shape"]))
    say()
    answers.flush()
    while piece := given.read(size):
        batch = np.frombuffer(piece, "<f4").reshape(head["shape"])
        interpreter.set_tensor(entry["index"], whole(batch, entry["dtype"],
                                                     *entry["quantization"]))
        interpreter.invoke()
        y = real(interpreter.get_tensor(end["index"]), *end["quantization"])
        say(shape=y.shape)
        answers.write(y.astype("<f4").tobytes())
        answers.flush()


def main() -> None:
    """Serves the parent. What the runtime itself prints must not get among the answers."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    except (ImportError, ValueError, OSError):
        pass
    try:
        serve(sys.stdin.buffer, answers)
    except Exception as e:
        answers.write(json.dumps({"error": f"{type(e).__name__}: {e}"[:2000]}).encode() + b"\n")
        answers.flush()
