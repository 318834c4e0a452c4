# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Runs a graph of a PyTorch network by PyTorch's own functions, in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from efm3.arrays import Array
from efm3.convert._base import Runtime
from efm3.convert.graph import Graph, Node
from efm3.convert.graph.nodes import CONST, INPUT
from efm3.extras import need
from efm3.findings import refuse


def runtime(graph: Graph) -> Runtime:
    """PyTorch, with the graph's own tensors."""
    return Runtime("PyTorch", lambda: _started(graph))


def _started(graph: Graph) -> Callable[[Array], Array]:
    torch = need("torch", "torch")
    known = {id(n): torch.from_numpy(np.array(n.value, np.float64))
             for n in graph.nodes if n.op == CONST and n.value is not None}

    def run(u: Array) -> Array:
        with torch.inference_mode():
            have = {**known, id(graph.input): torch.from_numpy(np.array(u, np.float64))}
            for n in graph.nodes:
                if id(n) not in have:
                    have[id(n)] = _one(torch.nn.functional, n, [have[id(i)] for i in n.inputs])
            return np.asarray(have[id(graph.output)].numpy())
    return run


def _one(f: Any, n: Node, args: list[Any]) -> Any:
    """A node's value. The graphs of `_state_dict` have these operations."""
    match n.op, args:
        case "Conv", [x, w, *b]:
            pad = n.attrs["pads"][:2]
            return f.conv2d(x, w, b[0] if b else None, n.attrs["strides"], pad,
                            groups=n.attrs["group"])
        case "BatchNorm", [x, w, b, mean, var]:
            return f.batch_norm(x, mean, var, w, b, eps=n.attrs["eps"])
        case "PRelu", [x, slope]:
            return f.prelu(x, slope.reshape(-1))
        case "Add", [a, b]:
            return a + b
        case "Reshape", [x]:
            return x.reshape(n.attrs["shape"])
    refuse("X008", f"{n.place} is not run in PyTorch here: {n.op}", n.place, n.op, INPUT)
