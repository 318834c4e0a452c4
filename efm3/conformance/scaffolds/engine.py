#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""An EFM3 engine to start from, in numpy and double precision.

    python engine.py MODEL INPUT OUTPUT [LAYERS]   exit code 1 where MODEL is refused
    python engine.py --lines                       answers the lines protocol

INPUT is float32 [3, 112, 112], OUTPUT the embedding; the folder LAYERS gets one NAME.f32 per layer.
Replace `load` and `forward` by your own engine.
"""

from __future__ import annotations

import json
import math
import struct
import sys
import traceback
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class Refused(Exception):
    """The model breaks a rule; the text starts with the rule's code."""


class Layer(NamedTuple):
    """A convolution, its BatchNorm, and its PReLU where `act`; square kernels and maps.

    `depthwise`: one filter per channel. `adds`: the block's input is added to the output.
    """

    name: str
    cin: int
    cout: int
    kernel: int
    stride: int
    pad: int
    depthwise: bool
    act: bool
    adds: bool


class Model(NamedTuple):
    """The layers in order of execution, and each tensor by name."""

    layers: list[Layer]
    tensors: dict[str, Any]


def need(ok: bool, reason: str) -> None:
    """Refuse unless `ok`."""
    if not ok:
        raise Refused(reason)


def load(data: bytes) -> Model:
    """The model of a file's bytes; the JSON mirror is skipped. Raises Refused."""
    need(len(data) >= 92, "C004: the file ends inside its first 92 bytes")
    magic, version = struct.unpack_from("<4sI", data, 0)
    need(magic == b"EFM3", "C002: the file does not start with EFM3")
    need(version == 3, "C003: the version is not 3")
    layers = read_arch(data)
    json_len = struct.unpack_from("<I", data, 88)[0]
    need(json_len <= 1 << 20, "C005: json_len is over 1 MiB")
    need(json_len <= len(data) - 92, "C006: the mirror reaches past the end of the file")
    at = 92 + json_len
    need(len(data) - at >= 4, "C007: the file ends before the whole tensor count")
    n_tensors = struct.unpack_from("<I", data, at)[0]
    at += 4
    tensors: dict[str, Any] = {}
    shapes = [row for layer in layers for row in tensors_of(layer)]
    need(n_tensors == len(shapes), f"T001: {n_tensors} tensors, the layout has {len(shapes)}")
    for name, shape in shapes:
        need(len(data) - at >= 4, f"T013: the file ends before the size of {name}")
        size = struct.unpack_from("<I", data, at)[0]
        at += 4
        need(size == 4 * math.prod(shape), f"T002: {name} has {size} bytes, not its shape's")
        need(size <= len(data) - at, f"T012: the file ends inside {name}")
        tensors[name] = np.frombuffer(data, "<f4", size // 4, at).reshape(shape)
        at += size
    need(at == len(data), "T014: bytes follow the last tensor")
    return Model(layers, tensors)


def read_arch(data: bytes) -> list[Layer]:
    """The layers of the arch header, whose 80 bytes start at byte 8."""
    hdr_version, n_stages, stem_kernel, stem_stride = struct.unpack_from("<4B", data, 8)
    stem, block, final, dim = struct.unpack_from("<4H", data, 12)
    gdc_kernel, pad = struct.unpack_from("<B3s", data, 20)
    need(hdr_version == 1, "H001: hdr_version is not 1")
    need(pad == bytes(3), "H002: a pad byte is not zero")
    need(1 <= n_stages <= 8, "H003: n_stages is not 1..8")
    need(stem_kernel % 2 == 1 and stem_kernel <= 15, "H004: stem_kernel is not odd, 1..15")
    need(1 <= stem_stride <= 4, "H005: stem_stride is not 1..4")
    need(stem >= 1, "H006: stem_channels is 0")
    need(block >= 1, "H007: block_channels is 0")
    need(final >= 1, "H008: final_channels is 0")
    need(dim >= 1, "H009: embedding_dim is 0")
    stages = []
    for i in range(n_stages):
        t, n, s, stage_pad, reserved = struct.unpack_from("<4BI", data, 24 + 8 * i)
        need(t >= 1, f"H011: stage {i + 1} has t = 0")
        need(n >= 1, f"H012: stage {i + 1} has n = 0")
        need(1 <= s <= 4, f"H013: stage {i + 1} has a stride outside 1..4")
        need(stage_pad == 0 and reserved == 0, f"H017: stage {i + 1} has a pad that is not zero")
        stages.append((t, n, s))
    unused = data[24 + 8 * n_stages:88]
    need(unused == bytes(len(unused)), "H018: an unused stage record is not zero")
    need(sum(n for _, n, _ in stages) <= 256, "H014: more than 256 blocks")
    side = (112 + 2 * (stem_kernel // 2) - stem_kernel) // stem_stride + 1
    for _, _, s in stages:
        side = (side - 1) // s + 1
    need(gdc_kernel == side, f"H016: gdc_kernel is {gdc_kernel}, the last map's side {side}")

    layers: list[Layer] = []

    def layer(name: str, cin: int, cout: int, kernel: int = 1, stride: int = 1, pad: int = 0, *,
              depthwise: bool = False, act: bool = True, adds: bool = False) -> None:
        layers.append(Layer(name, cin, cout, kernel, stride, pad, depthwise, act, adds))

    layer("stem", 3, stem, stem_kernel, stem_stride, stem_kernel // 2)
    layer("dw_stem", stem, stem, 3, 1, 1, depthwise=True)
    c = stem
    for i, (t, n, s) in enumerate(stages, start=1):
        out = stem if i == 1 else block
        for j in range(n):
            stride = s if j == 0 else 1
            wide = c * t
            need(wide <= 65535, f"H015: stage {i} expands to {wide} channels")
            adds = stride == 1 and c == out
            layer(f"stage{i}.block{j}.expand", c, wide)
            layer(f"stage{i}.block{j}.dw", wide, wide, 3, stride, 1, depthwise=True)
            layer(f"stage{i}.block{j}.project", wide, out, act=False, adds=adds)
            c = out
    layer("final_conv", c, final)
    layer("gdconv", final, final, gdc_kernel, depthwise=True, act=False)
    layer("embed_proj", final, dim, act=False)
    return layers


def tensors_of(layer: Layer) -> list[tuple[str, tuple[int, ...]]]:
    """(name, shape) of a layer's tensors, in stored order."""
    per_group = 1 if layer.depthwise else layer.cin
    parts: list[tuple[str, tuple[int, ...]]] = [
        ("conv.w", (layer.cout, per_group, layer.kernel, layer.kernel)),
        ("bn.w", (layer.cout,)),
        ("bn.b", (layer.cout,)),
        ("bn.mean", (layer.cout,)),
        ("bn.var", (layer.cout,))]
    if layer.act:
        parts.append(("act.w", (layer.cout,)))
    return [(f"{layer.name}.{part}", shape) for part, shape in parts]


def forward(model: Model, x: Any) -> tuple[Any, dict[str, Any]]:
    """The embedding float32 [D] of x [3, 112, 112], and each layer's output [C, H, W]."""
    outputs: dict[str, Any] = {}
    a = np.asarray(x, np.float64)
    block_input = a
    with np.errstate(all="ignore"):
        for layer in model.layers:
            if layer.name.endswith(".expand"):
                block_input = a
            a = apply(layer, model.tensors, a)
            if layer.adds:
                a = a + block_input
            outputs[layer.name] = a.astype(np.float32)
        embedding = a[:, 0, 0]
        norm = np.sqrt(np.sum(embedding * embedding))
        embedding = embedding / np.maximum(norm, 1e-12)
        return embedding.astype(np.float32), outputs


def apply(layer: Layer, tensors: dict[str, Any], x: Any) -> Any:
    """Convolution, BatchNorm and PReLU of a layer, float64 [C, H, W]."""
    w, gamma, beta, mean, var = (tensors[f"{layer.name}.{part}"].astype(np.float64)
                                 for part in ("conv.w", "bn.w", "bn.b", "bn.mean", "bn.var"))
    # BatchNorm folds into the convolution: another scale of the weights, and a bias.
    scale = gamma / np.sqrt(var + 1e-5)
    w = w * scale[:, None, None, None]
    bias = beta - mean * scale
    y = convolve(layer, w, x) + bias[:, None, None]
    if layer.act:
        slope = tensors[f"{layer.name}.act.w"].astype(np.float64)
        y = np.where(y > 0, y, slope[:, None, None] * y)
    return y


def convolve(layer: Layer, w: Any, x: Any) -> Any:
    """The convolution alone: a sum over the kernel's taps, each a shifted view of x."""
    k, s, p = layer.kernel, layer.stride, layer.pad
    side = (x.shape[1] + 2 * p - k) // s + 1
    x = np.pad(x, ((0, 0), (p, p), (p, p)))
    y = np.zeros((layer.cout, side, side))
    for i in range(k):
        for j in range(k):
            tap = x[:, i:i + s * side:s, j:j + s * side:s][:, :side, :side]
            if layer.depthwise:
                y += w[:, 0, i, j][:, None, None] * tap
            else:
                y += (w[:, :, i, j] @ tap.reshape(layer.cin, -1)).reshape(y.shape)
    return y


# The interface to the kit.

HELLO = {"version": 1, "ready": True, "implementation": {
    "name": "my-engine", "version": "0.1", "language": "python", "classes": ["engine"]}}


def embed(model: str, given: str, output: str, layers: str | None = None) -> None:
    """Run a model file on an input file; write the embedding, and the layers into a folder."""
    loaded = load(Path(model).read_bytes())
    x = np.frombuffer(Path(given).read_bytes(), "<f4").reshape(3, 112, 112)
    embedding, outputs = forward(loaded, x)
    if layers:
        for name, value in outputs.items():
            Path(layers, f"{name}.f32").write_bytes(value.astype("<f4").tobytes())
    Path(output).write_bytes(embedding.astype("<f4").tobytes())


def answer(ask: dict[str, Any]) -> dict[str, Any]:
    """The answer to a line of the lines protocol: `start`, `embed`, and `read` for the verdict."""
    if ask["cmd"] == "start":
        return HELLO
    try:
        if ask["cmd"] == "embed":
            embed(ask["model"], ask["input"], ask["output"], ask.get("layers"))
        else:
            load(Path(ask["file"]).read_bytes())
        return {"seq": ask["seq"], "ok": True}
    except Refused as e:
        return {"seq": ask["seq"], "ok": False, "reason": str(e)}
    except Exception as e:
        return {"seq": ask["seq"], "error": repr(e)}


def main(args: list[str]) -> int:
    """The command; the exit code."""
    if args == ["--lines"]:
        for line in sys.stdin:
            ask = json.loads(line)
            if ask["cmd"] == "stop":
                break
            print(json.dumps(answer(ask)), flush=True)
        return 0
    try:
        embed(*args)
        return 0
    except Refused as e:
        print(e, file=sys.stderr)
        return 1
    except Exception:  # an uncaught exception exits with 1, which would mean refused
        traceback.print_exc()
        return 70


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
