# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""ncnn: a graph, `.param` (text) or `.param.bin` (binary), and its weights, `.bin`, beside it.

Either file may be given. No library is needed to read or write them. Written is BatchNorm as it
is, or folded, and the norm at the end; the picture is EFM3's own input, (p - 127.5) / 128, red
first. ncnn's files have no place for other data, so arch, name and meta are not kept: the arch is
found again in the layers.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import numpy as np

from efm3 import format as fmt
from efm3.convert import _ncnn_param as graphs
from efm3.convert import _ncnn_write
from efm3.convert._base import Runtime, Source, Wanted
from efm3.convert._ncnn_bin import Bin, Stored
from efm3.convert._ncnn_layers import Step
from efm3.convert._ncnn_param import Layer, Net
from efm3.convert._ncnn_run import starter
from efm3.convert._ncnn_shapes import built
from efm3.convert.graph.build import Builder
from efm3.convert.graph.nodes import Graph, Node
from efm3.findings import printable, refuse
from efm3.model import Model
from efm3.source import open_regular
from efm3.source import read as read_source

GRAPH, BINARY, WEIGHTS = ".param", ".param.bin", ".bin"
HEAD = 64
HINTS = 30
"""The parameter that states the shapes of a layer's outputs: [3, w, h, c] for one map."""


def read(path: str, wanted: Wanted, weights: str = "") -> Source:
    """The network of a pair. `path` is either file, and the other is found by its name; or it is
    the graph, where `weights` names the other. Raises Efm3Error, Unreadable."""
    param, named = (path, weights) if weights else _graph_of(path)
    net = graphs.parse(_text(param), param)
    weights = named or _weights_of(param)
    # Weights may be no numbers, or beyond all.
    with open_regular(weights) as f, np.errstate(all="ignore"):
        file = Bin(f, weights)
        stored = [file.load(layer) for layer in net.layers]
        file.end()
        output = _output(net, wanted.output, param)
        graph, first, small = _built(net, stored, output, file.size, param)
    start = starter(graph, param, weights, net.binary, first, output)
    approximate = f"{small} layers have weights of 8 bits" if small else ""
    other = weights if path == param else param
    return Source(graph, runtime=Runtime("ncnn", start), approximate=approximate, files=(other,))


def _head(path: str) -> bytes:
    with open_regular(path) as f:
        return f.read(HEAD) or b""


def _graph_of(path: str) -> tuple[str, str]:
    """The path of the graph, and of the weights where these were given. Raises X005."""
    head = _head(path)
    if graphs.is_text(head) or graphs.is_binary(head) or path.lower().endswith((GRAPH, BINARY)):
        return path, ""
    stem = path[:-len(WEIGHTS)] if path.lower().endswith(WEIGHTS) else path
    names = [stem + GRAPH, stem + BINARY]
    for name in names:
        if os.path.isfile(name):
            return name, path
    refuse("X005", f"{path} has no mark of a graph. If it is ncnn's weights, their graph is "
                   f"missing: looked for {_listed(names)}", path, path, names[0])


def _weights_of(param: str) -> str:
    """The path of a graph's weights. Raises X005."""
    end = next((e for e in (BINARY, GRAPH) if param.lower().endswith(e)), "")
    stems = [param[:-len(end)]] if end else [os.path.splitext(param)[0], param]
    names = [n for s in stems if (n := s + WEIGHTS) != param]
    for name in names:
        if os.path.isfile(name):
            return name
    refuse("X005", f"{param} is ncnn's graph, and its weights are missing: looked for "
                   f"{_listed(names)}", param, param, names[0])


def _listed(paths: list[str]) -> str:
    return " and ".join(printable(os.path.basename(p)) for p in paths)


def _text(path: str) -> bytes:
    size = os.path.getsize(path)
    if size > graphs.MOST_BYTES:
        refuse("X003", f"{path} has {size:,} bytes; a graph of ncnn has a few thousand lines",
               path, size, f"at most {graphs.MOST_BYTES:,}")
    return bytes(read_source(path))


def _output(net: Net, wanted: str | None, path: str) -> int:
    """The blob that is the network's output. Raises X007, X018."""
    taken = {n for layer in net.layers for n in layer.inputs}
    leaves = [n for layer in net.layers for n in layer.outputs
              if n not in taken and layer.kind not in ("Input", "MemoryData")]
    names = [net.blobs[n] for n in leaves]
    if wanted is not None and wanted in net.blobs:
        return net.blobs.index(wanted)
    if not leaves:
        refuse("X007", f"{path} has no output", path)
    if wanted is not None or len(leaves) > 1:
        listed = ", ".join(printable(n) for n in names[:20])
        what = "no output of that name" if wanted is not None else f"{len(leaves)} outputs"
        refuse("X018", f"{path} has {what}; choose one with --output: {listed}", path,
               wanted or len(leaves), listed)
    return leaves[0]


def _live(net: Net, output: int) -> list[bool]:
    """Which layers the output depends on."""
    needed, out = {output}, [False] * len(net.layers)
    for i in reversed(range(len(net.layers))):
        layer = net.layers[i]
        if not needed.isdisjoint(layer.outputs):
            out[i] = True
            needed.update(layer.inputs)
    return out


def _built(net: Net, stored: list[Stored], output: int, size: int,
           path: str) -> tuple[Graph, int, int]:
    """The graph, the input's blob, and how many of its layers have weights of 8 bits."""
    builder = Builder(size)
    values: dict[int, Node] = {}
    inputs: list[int] = []
    small = 0
    for layer, kept, live in zip(net.layers, stored, _live(net, output), strict=True):
        if not live:
            continue
        if layer.kind == "Input":
            inputs += layer.outputs
            values.update((n, _picture(builder, layer)) for n in layer.outputs)
            continue
        made = built(Step(builder, layer, kept.arrays), [values[n] for n in layer.inputs])
        values.update(zip(layer.outputs, made, strict=True))
        small += kept.rounded
    if len(inputs) != 1:
        names = ", ".join(printable(net.blobs[n]) for n in inputs[:20])
        refuse("X008", f"{path} takes {len(inputs)} inputs, not one picture: {names}", path,
               len(inputs), 1)
    return builder.graph(values[inputs[0]], values[output]), inputs[0], small


def _picture(builder: Builder, layer: Layer) -> Node:
    """The input. Where no size is stated it is EFM3's own: the file's layers take any."""
    p = layer.params
    sizes = [p.whole(i) for i in (2, 1, 0)]
    hints = p.wholes(HINTS)
    if not any(sizes) and len(hints) == 4 and hints[0] == 3:
        sizes = hints[:0:-1]
    shape = [s for s in sizes if s] or [fmt.INPUT_CHANNELS, fmt.INPUT_SIDE, fmt.INPUT_SIDE]
    if min(shape) < 0 or p.whole(11):
        refuse("X006", f"{layer.place} states the input {[*sizes]}", layer.place)
    return builder.input((1, *shape), layer.place)


def parts(model: Model, path: str, fold: bool) -> Iterable[bytes]:
    """The graph's text; its weights are `weights`, for the file `beside`."""
    return [_ncnn_write.graph(model, fold).encode()]


def beside(path: str) -> str:
    """Where the weights of a graph that is written to `path` go. Raises X001, also where an EFM3
    file would be lost."""
    if not path.lower().endswith(GRAPH):
        refuse("X001", f"{path}: a graph of ncnn ends in {GRAPH}; its weights go beside it, with "
                       f"{WEIGHTS} in place of it", path, path, f"NAME{GRAPH}")
    other = path[:-len(GRAPH)] + WEIGHTS
    if os.path.isfile(other) and _head(other).startswith(fmt.MAGIC):
        better = f"{path[:-len(GRAPH)]}.ncnn{GRAPH}"
        refuse("X001", f"the weights would take the place of {other}, which is an EFM3 file; write "
                       f"to {better}", path, other, better)
    return other


def weights(model: Model, path: str, fold: bool) -> Iterable[bytes]:
    """The bytes of the weights beside the graph, in pieces."""
    return _ncnn_write.weights(model, fold)
