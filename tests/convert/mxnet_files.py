# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Writes MXNet's two files from a list of layers, as any of its versions wrote them.

`write(folder, layers)` gives the path of NAME-symbol.json, with NAME-0000.params beside it;
`symbol` and `arrays` give the contents of one of them. `network` gives a model's layers.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import efm3
from efm3 import format as fmt
from efm3 import network as net

Array = NDArray[Any]
FLAGS = {"float32": 0, "float64": 1, "float16": 2, "uint8": 3, "int32": 4, "int8": 5, "int64": 6}
V1, V2, V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
STATISTICS = ("moving_mean", "moving_var", "running_mean", "running_var")


class Layer(NamedTuple):
    """An operation: what it takes ("data", the name of a layer before it, "NAME:1" for a layer's
    second output), its parameters in MXNet's order by the last word of their names (the array of
    "weight" in layer "c" is called "c_weight"), and its attributes, written as text."""

    op: str
    name: str
    inputs: tuple[str, ...] = ("data",)
    params: Mapping[str, Array] = {}
    attrs: Mapping[str, Any] = {}


def symbol(layers: Sequence[Layer], heads: Sequence[str] = (), *, key: str = "attrs",
           shape: tuple[int, ...] | None = None, data: str = "data") -> dict[str, Any]:
    """The symbol, to be written as JSON. `heads` names its outputs, the last layer otherwise;
    `key` is where attributes are; `shape` is stated for the picture, whose variable is `data`."""
    stated = {key: {"__shape__": str(shape)}} if shape else {}
    nodes: list[dict[str, Any]] = [{"op": "null", "name": data, "inputs": [], **stated}]
    at = {"data": 0}

    def ref(name: str) -> list[int]:
        bare, _, number = name.partition(":")
        return [at[bare], int(number or 0), 0]

    for layer in layers:
        inputs = [ref(i) for i in layer.inputs]
        for word in layer.params:
            variable = f"{layer.name}_{word}"
            if variable not in at:
                at[variable] = len(nodes)
                nodes.append({"op": "null", "name": variable, "inputs": []})
            inputs.append(ref(variable))
        node: dict[str, Any] = {"op": layer.op, "name": layer.name, "inputs": inputs}
        if layer.attrs:
            node[key] = {k: str(v) for k, v in layer.attrs.items()}
        at[layer.name] = len(nodes)
        nodes.append(node)
    return {"nodes": nodes, "arg_nodes": [i for i, n in enumerate(nodes) if n["op"] == "null"],
            "heads": [ref(h) for h in heads or [layers[-1].name]],
            "attrs": {"mxnet_version": ["int", 10901]}}


def named(layers: Sequence[Layer]) -> dict[str, Array]:
    """The layers' arrays, under the names that a checkpoint gives them."""
    return {f"{'aux' if word in STATISTICS else 'arg'}:{layer.name}_{word}": np.asarray(value)
            for layer in layers for word, value in layer.params.items()}


def arrays(values: Mapping[str, Array], magic: int = V2) -> bytes:
    """A file of arrays; `magic` is V1, V2, V3, or 0 for the oldest form."""
    out = struct.pack("<QQQ", 0x112, 0, len(values))
    for v in values.values():
        sizes = struct.pack(f"<I{v.ndim}{'q' if magic else 'I'}", v.ndim, *v.shape)
        head = struct.pack("<I", magic) if magic else b""
        storage = struct.pack("<i", 0) if magic in (V2, V3) else b""
        body = np.ascontiguousarray(v).astype(v.dtype.newbyteorder("<")).tobytes()
        out += head + storage + sizes + struct.pack("<iii", 1, 0, FLAGS[v.dtype.name]) + body
    out += struct.pack("<Q", len(values))
    return out + b"".join(struct.pack("<Q", len(n.encode())) + n.encode() for n in values)


def write(folder: Path, layers: Sequence[Layer], name: str = "net", *, epoch: int = 0,
          magic: int = V2, **options: Any) -> Path:
    """Both files; the path of the symbol. `options` are those of `symbol`."""
    path = folder / f"{name}-symbol.json"
    path.write_text(json.dumps(symbol(layers, **options), indent=2))
    (folder / f"{name}-{epoch:04}.params").write_bytes(arrays(named(layers), magic))
    return path


def network(model: efm3.Model) -> list[Layer]:
    """A model as InsightFace writes this network; its norm is left out."""
    out: list[Layer] = []
    last = "data"
    entries: dict[str, str] = {}
    t = model.tensors
    for layer in net.layers(model.arch):
        n = layer.name
        entries[n] = last
        out.append(Layer("Convolution", n, (last,), {"weight": t[f"{n}.conv.w"]}, {
            "kernel": (layer.kernel,) * 2, "stride": (layer.stride,) * 2,
            "pad": (layer.padding,) * 2, "num_filter": layer.out_channels,
            "num_group": layer.groups, "no_bias": True}))
        stats = ("gamma", "beta", "moving_mean", "moving_var")
        out.append(Layer("BatchNorm", f"{n}_bn", (n,), {
            word: t[f"{n}.{key}"] for word, key in zip(stats, net.BN_TENSORS, strict=True)},
            {"fix_gamma": False, "eps": fmt.BN_EPS}))
        last = f"{n}_bn"
        if layer.act:
            out.append(Layer("LeakyReLU", f"{n}_act", (last,), {"gamma": t[f"{n}.act.w"]},
                             {"act_type": "prelu"}))
            last = f"{n}_act"
        if layer.residual:
            out.append(Layer("elemwise_add", f"{n}_add", (last, entries[layer.residual])))
            last = f"{n}_add"
    return [*out, Layer("Flatten", "embedding", (last,))]
