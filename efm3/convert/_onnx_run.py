# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""onnxruntime on the part of a model that is converted.

The runtime gets a model of its own: the live nodes, the constants that they use, the one output.
Nothing that could loop, or make a map whose size is not known and bounded, is run. Large
constants are lent to it, not copied.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from efm3.arrays import Array
from efm3.convert._base import Runtime
from efm3.convert._onnx_graph import FED, READ, Read
from efm3.convert._onnx_tensors import BFLOAT, HALF
from efm3.convert.graph.nodes import Node
from efm3.convert.graph.run import MOST
from efm3.extras import need
from efm3.findings import printable, refuse

MOST_LIVE, MOST_VALUES = 1 << 28, 1 << 31
"""Most values of all maps at one time, and of all that are made."""
MOST_WORK = 1 << 40
"""Most multiplications of one batch."""
IR = (4, 10)
"""Versions of the message: from the first in which constants need not be inputs, to one that
every runtime of today knows. The operations' own version is not changed."""
SMALL = 1 << 10
"""Values of a constant that is put into the model itself: shapes among them."""


def runtime(model: Any, read: Read) -> Runtime:
    """What runs the model as it stands. The model's nodes are copied, so it may go away."""
    library = need("onnx", "onnx")
    small, lent = _pruned(library, model, read)
    why = _unsafe(read)

    def start() -> Callable[[Array], Array]:
        if why:
            refuse("X008", f"onnxruntime is not started: {why[0]}", why[1])
        kind = FED[read.picture.type.tensor_type.elem_type]
        return _started(small, lent, read.picture.name, kind)
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


def _pruned(library: Any, model: Any, read: Read) -> tuple[bytes, dict[str, Array]]:
    """The model to run, and the constants that are lent to it."""
    out = library.ModelProto(ir_version=min(max(model.ir_version, IR[0]), IR[1]),
                             opset_import=model.opset_import)
    graph = out.graph
    graph.name = "live"
    graph.input.append(read.picture)
    graph.output.add().name = read.output
    for item in read.live.items:
        if item.op == "Constant":
            continue
        graph.node.append(item.proto)
        if id(item) in read.mended:
            _mend(graph, read, graph.node[-1])
    lent: dict[str, Array] = {}
    for name, kind in read.kinds.items():
        array = _as_stored(read.values[name], kind)
        t = graph.initializer.add(name=name, data_type=kind, dims=array.shape)
        if array.size <= SMALL or kind == BFLOAT:
            t.raw_data = array.tobytes()
            continue
        lent[name] = array
        t.data_location = library.TensorProto.EXTERNAL
        for key, value in (("location", "lent"), ("offset", "0"), ("length", str(array.nbytes))):
            entry = t.external_data.add()
            entry.key, entry.value = key, value
    return out.SerializeToString(), lent


def _mend(graph: Any, read: Read, node: Any) -> None:
    """Give a node a slope of shape [C, 1, 1], where it takes one of [C]."""
    name = f"{node.output[0]}/slope"
    shape = graph.initializer.add(name=f"{name}/shape", data_type=7, dims=[3])
    shape.int64_data.extend([-1, 1, 1])
    made = graph.node.add(op_type="Reshape", input=[node.input[1], shape.name], output=[name])
    node.input[1] = made.output[0]
    # The order of nodes is free but for what each one takes.
    last = len(graph.node) - 1
    graph.node.insert(last - 1, graph.node.pop(last))


def _as_stored(node: Node, kind: int) -> Array:
    """A constant's values in the type that its file has."""
    a = np.asarray(node.value)
    if kind == BFLOAT:
        return (np.ascontiguousarray(a, "<f4").view("<u4") >> 16).astype("<u2")
    return a.astype("<f2") if kind == HALF else a


def _started(model: bytes, lent: dict[str, Array], name: str, kind: str
             ) -> Callable[[Array], Array]:
    engine = need("onnxruntime", "onnx")
    options = engine.SessionOptions()
    options.log_severity_level = 4
    # As the file states it: nothing is computed, fused or copied when it is loaded.
    options.graph_optimization_level = engine.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        values = [engine.OrtValue.ortvalue_from_numpy(a) for a in lent.values()]
        if lent:
            options.add_external_initializers([*lent], values)
        session = engine.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as e:
        _failed(e)

    def run(x: Array) -> Array:
        fed = np.rint(x) if kind[-2:] in ("u1", "i1") else x
        try:
            return np.asarray(session.run(None, {name: fed.astype(kind)})[0])
        except Exception as e:
            _failed(e)
    return run


def _failed(e: Exception) -> Any:
    # Its exceptions have no common class that it documents.
    refuse("X013", f"onnxruntime cannot run it: {printable(str(e))[:300]}", "onnxruntime")
