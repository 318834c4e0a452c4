# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Runs ncnn on a graph, in a process of its own: it may crash on a file, and must not take us
with it."""

from __future__ import annotations

import contextlib
import json
import math
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from efm3.arrays import Array
from efm3.convert.graph import Graph
from efm3.convert.graph.run import MOST
from efm3.extras import need
from efm3.findings import refuse

SECONDS = 60.0
"""Longest time of one picture, or of loading."""
# The child gets our import path: isolated (-I), it looks for modules nowhere else, and not in the
# current folder, which may be the source's, with a module of any name.
PROGRAM = """\
import json, sys
words = json.loads(sys.argv[1])
sys.path[:] = words["path"]
from efm3.convert._ncnn_run import serve
serve(**words["net"])
"""
MOST_VALUES = 1 << 28
"""Values of all maps together that are run: sixty times those of the largest published size."""
COUNT = 4
"""Bytes of a number between the two: how many values follow, or a negative one for a failure."""


def starter(graph: Graph, param: str, weights: str, binary: bool, first: int,
            last: int) -> Callable[[], Callable[[Array], Array]]:
    """A function that loads the two files, of which `graph` was read, in ncnn, and gives what runs
    one picture from blob `first` to blob `last`."""
    shape = tuple(s or 0 for s in graph.input.shape or ())

    def start() -> Callable[[Array], Array]:
        values = sum(math.prod(s or 0 for s in n.shape or ()) for n in graph.nodes)
        if values > MOST_VALUES:
            refuse("X013", f"{param} is not run: its maps have {values:,} values", param, values,
                   f"at most {MOST_VALUES:,}")
        need("ncnn", "ncnn")
        child = _Child(param, {"param": param, "weights": weights, "binary": binary,
                               "shape": shape[1:], "first": first, "last": last})

        def forward(u: Array) -> Array:
            if u.shape != shape:
                refuse("X013", f"{param} takes an input of shape {[*shape]}, not {[*u.shape]}",
                       param, [*u.shape], [*shape])
            return child.ask(np.ascontiguousarray(u, "<f4").tobytes())
        return forward
    return start


class _Child:
    """The other process, and one picture after the other. Raises X013."""

    def __init__(self, place: str, net: dict[str, Any]) -> None:
        self._place = place
        words = json.dumps({"path": [p or os.getcwd() for p in sys.path], "net": net})
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", PROGRAM, words], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        weakref.finalize(self, _end, self._process)
        self.ask(b"")

    def ask(self, picture: bytes) -> Array:
        """The output of one picture; of none, whether the files could be loaded."""
        given, answers = self._process.stdin, self._process.stdout
        assert given is not None and answers is not None
        watch = threading.Timer(SECONDS, self._process.kill)
        watch.start()
        try:
            # Where it has ended there is nobody to write to, and no answer.
            with contextlib.suppress(OSError):
                given.write(picture)
                given.flush()
            head = answers.read(COUNT)
            count = int.from_bytes(head, "little", signed=True)
            data = answers.read(4 * count) if len(head) == COUNT and 0 <= count <= MOST else b""
        finally:
            watch.cancel()
        if len(head) < COUNT or len(data) != 4 * count:
            why = "refuses it" if len(head) == COUNT else (
                f"ended on it with code {self._process.wait()}")
            refuse("X013", f"{self._place}: ncnn {why}", self._place)
        return np.frombuffer(data, "<f4")


def _end(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    process.kill()
    process.wait()


def serve(param: str, weights: str, binary: bool, shape: list[int], first: int,
          last: int) -> None:
    """What the other process does: pictures on stdin, outputs on stdout, until stdin ends."""
    import ncnn

    net = ncnn.Net()
    for name in ("use_vulkan_compute", "use_fp16_packed", "use_fp16_storage",
                 "use_fp16_arithmetic", "use_bf16_storage", "use_winograd_convolution"):
        setattr(net.opt, name, False)
    net.opt.num_threads = 1
    failed = (net.load_param_bin if binary else net.load_param)(param) or net.load_model(weights)
    _say(-1 if failed else 0)
    size = 4 * int(np.prod(shape))
    while not failed and len(data := sys.stdin.buffer.read(size)) == size:
        picture = np.frombuffer(data, "<f4").reshape(shape)
        extractor = net.create_extractor()
        failed = extractor.input(first, ncnn.Mat(picture).clone())
        code, out = extractor.extract(last) if not failed else (failed, None)
        failed = failed or code
        values = np.ascontiguousarray(out, "<f4") if not failed else np.empty(0)
        _say(-1 if failed else values.size, values.tobytes())


def _say(count: int, data: bytes = b"") -> None:
    sys.stdout.buffer.write(count.to_bytes(COUNT, "little", signed=True) + data)
    sys.stdout.buffer.flush()
