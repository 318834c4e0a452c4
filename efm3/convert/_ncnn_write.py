# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Writes ncnn's two files: the graph's lines, and the arrays in the order of the lines."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from efm3 import format as fmt
from efm3.arrays import Array
from efm3.convert import _upright
from efm3.convert._fold import fold as folded
from efm3.convert._ncnn_bin import FLOAT32
from efm3.convert._ncnn_param import MAGIC
from efm3.model import Model
from efm3.network import BN_TENSORS, Layer, layers

INPUT, OUTPUT = "input", "embedding"
BN_ORDER = ("bn.w", "bn.mean", "bn.var", "bn.b")
"""BatchNorm's arrays as ncnn stores them."""


def graph(model: Model, fold: bool) -> str:
    """The text of the .param file."""
    lines: list[str] = []
    blobs = 0

    def line(kind: str, name: str, taken: list[str], params: str, *put: str) -> str:
        nonlocal blobs
        put = put or (name,)
        words = [f"{kind:<20} {name:<24}", str(len(taken)), str(len(put)), *taken, *put, params]
        lines.append(" ".join(words).rstrip())
        blobs += len(put)
        return put[-1]

    value, entries = INPUT, {}
    line("Input", INPUT, [], f"0={fmt.INPUT_SIDE} 1={fmt.INPUT_SIDE} 2={fmt.INPUT_CHANNELS}")
    residual = {layer.residual for layer in layers(model.arch)}
    for layer in layers(model.arch):
        if layer.name in residual:
            entries[layer.name] = f"{layer.name}.in0"
            value = line("Split", f"{layer.name}.split", [value], "",
                         entries[layer.name], f"{layer.name}.in1")
        kind, params = _convolution(layer, fold, _upright.pads(model, layer))
        value = line(kind, f"{layer.name}.conv", [value], params)
        if not fold:
            value = line("BatchNorm", f"{layer.name}.bn", [value],
                         f"0={layer.out_channels} 1={fmt.BN_EPS:e}")
        if layer.act:
            value = line("PReLU", f"{layer.name}.act", [value], f"0={layer.out_channels}")
        if layer.residual:
            value = line("BinaryOp", f"{layer.name}.add", [value, entries[layer.residual]], "0=0")
    # One blob of one axis is a single channel, so the norm is over its one row; mode 1 is
    # x / max(norm, eps).
    line("Normalize", "normalize", [value], f"0=1 1=1 2={fmt.L2_EPS:e} 3=1 4=1 9=1", OUTPUT)
    return "\n".join([str(MAGIC), f"{len(lines)} {blobs}", *lines, ""])


def _convolution(layer: Layer, fold: bool, pads: tuple[int, ...]) -> tuple[str, str]:
    count = int(np.prod(layer.weight_shape))
    if layer.name == "embed_proj":
        return "InnerProduct", f"0={layer.out_channels} 1={int(fold)} 2={count}"
    top, left, bottom, right = pads
    # The other sides have the left one's padding where they are not stated.
    sides = f"4={left}" if len({*pads}) == 1 else f"4={left} 14={top} 15={right} 16={bottom}"
    params = (f"0={layer.out_channels} 1={layer.kernel} 3={layer.stride} {sides} "
              f"5={int(fold)} 6={count}")
    if layer.groups == 1:
        return "Convolution", params
    return "ConvolutionDepthWise", f"{params} 7={layer.groups}"


def weights(model: Model, fold: bool) -> Iterator[bytes]:
    """The bytes of the .bin file, in pieces."""
    for layer in layers(model.arch):
        def own(name: str, of: str = layer.name) -> Array:
            return np.asarray(model.tensors[f"{of}.{name}"])

        # ncnn reads this word before weights, and no word before other arrays.
        yield FLOAT32.to_bytes(4, "little")
        upright = _upright.weight(model, own("conv.w"))
        if fold:
            for value in folded(upright, {k: own(k) for k in BN_TENSORS}):
                yield _floats(value)
        else:
            yield _floats(upright)
            for name in BN_ORDER:
                yield _floats(own(name))
        if layer.act:
            yield _floats(own("act.w"))
    yield _floats(np.ones(1))


def _floats(value: Array) -> bytes:
    return np.ascontiguousarray(value, "<f4").tobytes()
