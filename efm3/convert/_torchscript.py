# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""TorchScript archives, traced, scripted or frozen: the graph that their program makes.

The program is read, not run (see `_torchscript_code`). It states strides, padding and epsilon, so
that nothing has to be assumed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from efm3 import format as fmt
from efm3.arrays import Array
from efm3.convert._base import Runtime, Source, Wanted
from efm3.convert._checkpoint import Checkpoint
from efm3.convert._torchscript_code import Program
from efm3.convert._torchscript_ops import Operations
from efm3.convert._unpickle import Thing
from efm3.convert.graph import Graph, Node
from efm3.extras import need
from efm3.findings import Efm3Error, refuse

SIDE = fmt.INPUT_SIDE
FIRST, LAST = (1, fmt.INPUT_CHANNELS, SIDE, SIDE), (1, SIDE, SIDE, fmt.INPUT_CHANNELS)
"""The shapes of a picture that are tried: its channels first, or last."""


def source_of(checkpoint: Checkpoint, wanted: Wanted) -> Source:
    """The network of a program. Raises Efm3Error."""
    try:
        graph, output = _graph(checkpoint, wanted, FIRST)
    except Efm3Error as first:
        if first.code != "X006":
            raise
        try:
            graph, output = _graph(checkpoint, wanted, LAST)
        except Efm3Error:
            raise first from None
    path = checkpoint.path
    return Source(graph, runtime=Runtime("PyTorch", lambda: _started(path, wanted.key, output)))


def _graph(checkpoint: Checkpoint, wanted: Wanted, shape: tuple[int, ...]) -> tuple[Graph, Any]:
    """The graph, and the key or the index of its output, None for the only one."""
    operations = Operations(checkpoint)
    program = Program(checkpoint, operations)
    module = checkpoint.root
    for part in wanted.key.split(".")[:64] if wanted.key else ():
        module = program.attribute(module, part)
    if not isinstance(module, Thing):
        refuse("X004", f"{checkpoint.path} holds a {type(module).__name__}, no module",
               checkpoint.path)
    names = program.parameters(module, "forward")
    if len(names) != 1:
        refuse("X008", f"its forward takes {len(names)} values, not one picture", checkpoint.path)
    picture = operations.b.input(shape, names[0])
    try:
        result = program.method(module, "forward", [picture], {})
    except RecursionError:
        refuse("X008", "TorchScript: its calls are nested too deep", checkpoint.path)
    output = _output(result, wanted.output)
    node = operations.node(result if output is None else result[output])
    return operations.b.graph(picture, node), output


def _output(result: Any, name: str | None) -> int | str | None:
    """Where the chosen output is; the only one where none is chosen. Raises X018."""
    if isinstance(result, Node) and name is None:
        return None
    every: Any = enumerate(result) if isinstance(result, (list, tuple)) else (
        result.items() if isinstance(result, dict) else ())
    nodes = {k: v for k, v in every if isinstance(v, Node)}
    chosen = [k for k in nodes if name in (None, str(k))]
    if len(chosen) != 1:
        shown = ", ".join(f"{k} {[*(v.shape or ())]}" for k, v in [*nodes.items()][:8])
        refuse("X018", f"its outputs are {shown or 'not named'}: choose one with --output NAME",
               name or "", len(nodes), 1)
    found: int | str = chosen[0]
    return found


def _started(path: str, key: str | None, output: Any) -> Callable[[Array], Array]:
    """The archive in PyTorch itself, after all of it that runs was read here."""
    torch = need("torch", "torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            module = torch.jit.load(path, map_location="cpu").eval()
            for part in key.split(".") if key else ():
                module = getattr(module, part)
        except (RuntimeError, ValueError, AttributeError, OSError) as e:
            refuse("X003", f"PyTorch does not load it: {str(e)[:160]}", path)

    def run(u: Array) -> Array:
        with torch.inference_mode():
            try:
                y = module(torch.from_numpy(np.array(u, np.float32)))
            except RuntimeError as e:
                refuse("X008", f"PyTorch does not run it: {str(e)[-160:]}", path)
            return np.asarray((y if output is None else y[output]).double().numpy())
    return run
