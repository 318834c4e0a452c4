# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""ONNX models of a few nodes, and what the reader owes for each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

import efm3
from efm3.convert import onnx as reader
from efm3.convert._base import Source, Wanted
from efm3.convert.graph import run

SHAPE = (2, 3, 6, 5)
F = np.float32
Values = NDArray[Any]


def numbers(seed: int) -> Callable[..., Values]:
    """normal(*shape): other numbers at each call."""
    rng = np.random.default_rng(seed)
    return lambda *shape: rng.standard_normal(shape).astype(F)


def i64(*values: int) -> Values:
    return np.array(values, np.int64)


def tiny(*nodes: Any, opset: int = 17, shape: Any = SHAPE, kind: int = TensorProto.FLOAT,
         outputs: list[str] | None = None) -> onnx.ModelProto:
    """A model of nodes (op, inputs, attributes): an input is a name, "" for none, None for what
    the node before made, or an array. The n-th node makes v<n>; the picture is x."""
    made: list[Any] = []
    constants: list[Any] = []
    for n, (op, inputs, own) in enumerate(nodes):
        names = []
        for i in inputs:
            if isinstance(i, str):
                names.append(i)
            elif i is None:
                names.append(f"v{n - 1}")
            else:
                tensor = i if isinstance(i, TensorProto) else numpy_helper.from_array(np.asarray(i))
                tensor.name = f"c{len(constants)}"
                constants.append(tensor)
                names.append(tensor.name)
        more = [f"v{n}.{k}" for k in range(1, own.get("outputs", 1))]
        domain, _, name = op.rpartition(".")
        made.append(helper.make_node(name, names, [f"v{n}", *more], f"n{n}", domain=domain,
                                     **{k: v for k, v in own.items() if k != "outputs"}))
    graph = helper.make_graph(
        made, "g", [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(n, TensorProto.UNDEFINED, None)
         for n in outputs or [f"v{len(nodes) - 1}"]], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset),
                                                   helper.make_opsetid("com.microsoft", 1)],
                             ir_version=8)


def source(folder: Path, model: onnx.ModelProto | bytes, output: str | None = None) -> Source:
    """What the reader makes of a model."""
    path = folder / "m.onnx"
    path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
    return reader.read(str(path), Wanted(output=output))


def refused(folder: Path, model: onnx.ModelProto | bytes, code: str, *words: str,
            output: str | None = None) -> None:
    """The reader raises that."""
    try:
        source(folder, model, output)
    except efm3.Efm3Error as e:
        assert e.code == code, e
        for word in words:
            assert word in str(e), e
    else:
        raise AssertionError("it was read")


def picture(found: Source, seed: int = 1) -> Values:
    assert found.graph is not None and found.graph.input.shape is not None
    shape = [s or 0 for s in found.graph.input.shape]
    return np.random.default_rng(seed).standard_normal(shape).astype(F)


def both(found: Source, tolerance: float = 1e-5, x: Values | None = None) -> Values:
    """The graph's value, which has its shape, and is the runtime's."""
    assert found.graph is not None and found.runtime is not None
    x = picture(found) if x is None else x
    want: Values = found.runtime.start()(x)
    have = run.forward(found.graph, x)
    assert have.shape == want.shape == found.graph.output.shape
    assert np.abs(have - want).max() <= tolerance
    return want
