# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""onnxruntime on the part of a model that is converted, in a process of its own.

The runtime gets a model of its own: the live nodes, the constants that they use, the one output.
Nothing that could loop, or make a map whose size is not known and bounded, is run. Large
constants stand beside the model, not in it, so they are copied once.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from typing import Any

import numpy as np

from efm3.arrays import Array
from efm3.convert._base import Runtime
from efm3.convert._onnx_graph import FED, READ, Read
from efm3.convert._onnx_live import Item
from efm3.convert._onnx_tensors import BFLOAT, EXTERNAL, FLOAT, HALF, INT64
from efm3.convert._onnx_write import field, number, word
from efm3.convert._worker import Worker
from efm3.convert.graph.nodes import Node
from efm3.convert.graph.run import MOST
from efm3.extras import need
from efm3.findings import refuse

WORKER = Worker("efm3.convert._onnx_child", "onnxruntime")

MOST_LIVE, MOST_VALUES = 1 << 28, 1 << 31
"""Most values of all maps at one time, and of all that are made."""
MOST_WORK = 1 << 40
"""Most multiplications of one batch."""
IR = (4, 10)
"""Versions of the message: from the first in which constants need not be inputs, to one that
every runtime of today knows. The operations' own version is not changed."""
SMALL = 1 << 10
"""Values of a constant that is put into the model itself: shapes among them."""


def runtime(read: Read) -> Runtime:
    """What runs the model as it stands."""
    def start() -> Callable[[Array], Array]:
        why = _unsafe(read)
        if why:
            refuse("X008", f"onnxruntime is not started: {why[0]}", why[1])
        if find_spec("onnxruntime") is None:
            need("onnxruntime", "onnx")
        return _Session(*_pruned(read), read.graph.input.place, FED[read.fed_kind])
    return Runtime("onnxruntime", start)


def _unsafe(read: Read) -> tuple[str, str] | None:
    """Why the model is not to be run, and the place; None where nothing speaks against it."""
    total, work, held = 0, 0, 0
    last = {name: n for n, item in enumerate(read.live.items) for name in item.inputs}
    ends: dict[int, int] = {}
    for n, item in enumerate(read.live.items):
        if item.op not in READ:
            return f"{item.place} is not an operation that is known to end", item.place
        for name in filter(None, item.outputs):
            shape = read.values[name].shape
            if shape is None or None in shape:
                if name not in last and name != read.output:
                    continue
                return f"{item.place} makes a map of unknown size", item.place
            size = math.prod(s or 0 for s in shape)
            total += size
            held += size
            ends[last.get(name, n)] = ends.get(last.get(name, n), 0) + size
            if size > MOST or total > MOST_VALUES or held > MOST_LIVE:
                return f"{item.place} makes maps of {held:,} values", item.place
        held -= ends.pop(n, 0)
    for node in read.graph.nodes:
        work += _work(node)
        if work > MOST_WORK:
            return f"{node.place} and what precedes it take {work:,} multiplications", node.place
    return None


def _work(node: Node) -> int:
    if node.op not in ("Conv", "Dense") or node.inputs[1].shape is None:
        return 0
    return math.prod(s or 0 for s in (*(node.shape or ()), *node.inputs[1].shape[1:]))


def _pruned(read: Read) -> tuple[bytes, dict[str, Array]]:
    """The model to run, and the constants that are lent to it."""
    nodes, constants, lent = [], [], {}
    for item in read.live.items:
        if id(item) in read.mended:
            constant, *more = _mended(item)
            constants.append(constant)
            nodes += more
        elif item.op != "Constant":
            nodes.append(field(1, read.file.bytes(item.span)))
    for name, kind in read.kinds.items():
        array = _as_stored(read.values[name], kind)
        if array.size <= SMALL or kind == BFLOAT:
            constants.append(_tensor(name, kind, array.shape, field(9, array.tobytes())))
            continue
        lent[name] = array
        # It takes what is lent in the place of a file that does not exist.
        where = {"location": "lent", "offset": "0", "length": str(array.nbytes)}
        constants.append(_tensor(name, kind, array.shape, number(14, EXTERNAL), *(
            field(13, word(1, k) + word(2, v)) for k, v in where.items())))
    graph = b"".join([*nodes, word(2, "live"), *constants,
                      _picture(read), field(12, word(1, read.output))])
    version = min(max(read.file.model.whole("ir_version", 0), IR[0]), IR[1])
    return b"".join([number(1, version), field(7, graph), *(
        field(8, read.file.bytes(s)) for s in read.file.model.spans("opset_import"))]), lent


def _picture(read: Read) -> bytes:
    """The input, of the sizes that were taken for it."""
    dims = b"".join(field(1, number(1, s or 0)) for s in read.graph.input.shape or ())
    kind = field(1, number(1, read.fed_kind or FLOAT) + field(2, dims))
    return field(11, word(1, read.graph.input.place) + field(2, kind))


def _tensor(name: str, kind: int, dims: Iterable[int], *data: bytes) -> bytes:
    return field(5, b"".join([*(number(1, d) for d in dims), number(2, kind), word(8, name),
                              *data]))


def _mended(item: Item) -> tuple[bytes, bytes, bytes]:
    """A PRelu with a slope of shape [C, 1, 1], where its file has one of [C]: the constant shape,
    a Reshape, and itself."""
    x, slope = item.inputs[:2]
    shape, shaped = f"{item.outputs[0]}/shape", f"{item.outputs[0]}/slope"
    return (_tensor(shape, INT64, [3], field(9, np.array([-1, 1, 1], "<i8").tobytes())),
            _node("Reshape", [slope, shape], shaped), _node("PRelu", [x, shaped], item.outputs[0]))


def _node(op: str, inputs: Iterable[str], output: str) -> bytes:
    return field(1, b"".join([*(word(1, i) for i in inputs), word(2, output), word(4, op)]))


def _as_stored(node: Node, kind: int) -> Array:
    """A constant's values in the type that its file has."""
    a = np.asarray(node.value)
    if kind == BFLOAT:
        return (np.ascontiguousarray(a, "<f4").view("<u4") >> 16).astype("<u2")
    return a.astype("<f2") if kind == HALF else a


class _Session:
    """A model in the runtime's process."""

    def __init__(self, model: bytes, lent: dict[str, Array], name: str, kind: str) -> None:
        head = {"sizes": [len(model), *(a.nbytes for a in lent.values())],
                "lent": [(n, a.dtype.str, a.shape) for n, a in lent.items()]}
        self._load: list[bytes | memoryview] = [
            _line(head), model, *(np.ascontiguousarray(a).data for a in lent.values())]
        self._name, self._kind = name, kind
        WORKER.ask(self, self._load)

    def __call__(self, x: Array) -> Array:
        """One batch to the output."""
        whole = np.dtype(self._kind).kind in "iu"
        fed = np.ascontiguousarray(np.rint(x) if whole else x, self._kind)
        head = {"sizes": [fed.nbytes], "name": self._name, "kind": self._kind, "shape": fed.shape}
        return WORKER.ask(self, self._load, [_line(head), fed.tobytes()])


def _line(words: dict[str, Any]) -> bytes:
    return json.dumps(words).encode() + b"\n"
