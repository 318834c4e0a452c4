# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Writes Caffe's two files from a list of layers.

`write(folder, layers)` gives the path of NAME.prototxt, with NAME.caffemodel beside it; `text` and
`model` give the contents of one of them. `network` gives a model's layers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import efm3
from efm3 import format as fmt
from efm3 import network as net

Array = NDArray[Any]
PICTURE = (1, 3, 112, 112)


class Layer(NamedTuple):
    """A layer: its type, its name, the names of what it takes and makes (its own name where none
    is given), its arrays, and its parameters as nested dicts: {"convolution_param": {"pad": 1}}.
    A list stands for a field that is repeated, a word in quotes for a text."""

    type: str
    name: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...] = ()
    blobs: tuple[Array, ...] = ()
    params: Mapping[str, Any] = {}


def fields(values: Mapping[str, Any], indent: str = "") -> str:
    """A message in text form."""
    out = []
    for key, value in values.items():
        for v in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(v, Mapping):
                out.append(f"{indent}{key} {{\n{fields(v, indent + '  ')}{indent}}}\n")
            else:
                word = str(v).lower() if isinstance(v, bool) else str(v)
                out.append(f"{indent}{key}: {word}\n")
    return "".join(out)


def text(layers: Sequence[Layer], shape: Sequence[int] = PICTURE, data: str = "data") -> str:
    """The network's text, which begins with an Input layer."""
    out = 'name: "net"\n' + fields({"layer": {
        "name": f'"{data}"', "type": '"Input"', "top": f'"{data}"',
        "input_param": {"shape": {"dim": list(shape)}}}})
    for layer in layers:
        out += fields({"layer": {
            "name": f'"{layer.name}"', "type": f'"{layer.type}"',
            "bottom": [f'"{b}"' for b in layer.bottoms],
            "top": [f'"{t}"' for t in layer.tops or (layer.name,)], **layer.params}})
    return out


def varint(value: int) -> bytes:
    """A number of the wire form."""
    out, value = b"", value & (1 << 64) - 1
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def whole(number: int, value: int) -> bytes:
    """A field with a whole number."""
    return varint(number << 3) + varint(value)


def part(number: int, body: bytes | str) -> bytes:
    """A field with bytes, a text or a message."""
    data = body.encode() if isinstance(body, str) else body
    return varint(number << 3 | 2) + varint(len(data)) + data


def real(number: int, value: float) -> bytes:
    """A field with a number."""
    return varint(number << 3 | 5) + np.float32(value).tobytes()


def blob(value: Array, old: bool = False) -> bytes:
    """An array; `old` with the four sizes that arrays had before they had a shape."""
    if old:
        sizes = (1,) * (4 - value.ndim) + value.shape
        head = b"".join(whole(i, s) for i, s in enumerate(sizes, 1))
    else:
        head = part(7, part(1, b"".join(map(varint, value.shape))))
    wide = value.dtype == np.float64
    return head + part(8 if wide else 5, value.astype("<f8" if wide else "<f4").tobytes())


def model(layers: Sequence[Layer], *, old: bool = False,
          structure: Mapping[str, bytes] | None = None) -> bytes:
    """A caffemodel: `old` in the form of before 2014. `structure` gives each layer's parameters
    in wire form, by name; without it there are names and arrays alone."""
    out = part(1, "net")
    for layer in layers:
        arrays = [blob(b, old) for b in layer.blobs]
        if old:
            body = part(4, layer.name) + b"".join(part(6, a) for a in arrays)
            out += part(2, body)
            continue
        body = part(1, layer.name) + part(2, layer.type)
        if structure is not None:
            body += b"".join(part(3, b) for b in layer.bottoms)
            body += b"".join(part(4, t) for t in layer.tops or (layer.name,))
            body += structure.get(layer.name, b"")
        out += part(100, body + b"".join(part(7, a) for a in arrays))
    return out


def write(folder: Path, layers: Sequence[Layer], name: str = "net", *,
          shape: Sequence[int] = PICTURE, old: bool = False) -> Path:
    """Both files; the path of the text."""
    path = folder / f"{name}.prototxt"
    path.write_text(text(layers, shape))
    (folder / f"{name}.caffemodel").write_bytes(model(layers, old=old))
    return path


def network(source: efm3.Model) -> list[Layer]:
    """A model's layers, with BatchNorm, Scale and PReLU in place; its norm is left out."""
    out: list[Layer] = []
    last = "data"
    entries: dict[str, str] = {}
    t = source.tensors
    for layer in net.layers(source.arch):
        n = layer.name
        entries[n] = last
        out.append(Layer("Convolution", n, (last,), (), (t[f"{n}.conv.w"],), {
            "convolution_param": {
                "num_output": layer.out_channels, "kernel_size": layer.kernel,
                "stride": layer.stride, "pad": layer.padding, "group": layer.groups,
                "bias_term": False}}))
        out.append(Layer("BatchNorm", f"{n}/bn", (n,), (n,), (
            t[f"{n}.bn.mean"], t[f"{n}.bn.var"], np.ones(1, np.float32)),
            {"batch_norm_param": {"eps": fmt.BN_EPS}}))
        out.append(Layer("Scale", f"{n}/scale", (n,), (n,), (t[f"{n}.bn.w"], t[f"{n}.bn.b"]),
                         {"scale_param": {"bias_term": True}}))
        last = n
        if layer.act:
            out.append(Layer("PReLU", f"{n}/act", (n,), (n,), (t[f"{n}.act.w"],)))
        if layer.residual:
            out.append(Layer("Eltwise", f"{n}/add", (n, entries[layer.residual])))
            last = f"{n}/add"
    return [*out, Layer("Flatten", "embedding", (last,))]
