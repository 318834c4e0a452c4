# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""One network in the formats of the peers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

import efm3
from efm3 import convert
from efm3.network import layers


def write_gguf(model: efm3.Model, path: Path) -> None:
    """The same tensors as GGUF."""
    import gguf

    writer = gguf.GGUFWriter(str(path), "efm3")
    for name, tensor in model.tensors.items():
        writer.add_tensor(name, np.ascontiguousarray(tensor))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_onnx(model: efm3.Model, path: Path, *, fold: bool = False) -> None:
    """The same network as ONNX, for one picture at a time; BatchNorm is folded with `fold`."""
    import onnx

    convert.write(model, path, fold=fold)
    proto = onnx.load(path)
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    del proto.metadata_props[:]
    onnx.save(proto, path)


INT8_TAG = b"\x38\x4b\x0d\0"
"""What ncnn's .bin has before weights of a byte; four zeros are before float32."""


def write_ncnn(model: efm3.Model, base: Path, reach: Mapping[str, float] | None = None) -> None:
    """The network as ncnn's .param and .bin, BatchNorm folded, weights in float32.

    Layers in `reach` run in int8, with a scale an output channel; the number is the largest
    magnitude of their input, which becomes 127.
    """
    reach = reach or {}
    rows, blobs, weights, name_of, x = [], 1, b"", {}, "data"
    rows.append("Input data 0 1 data")
    consumers = {layer.residual for layer in layers(model.arch) if layer.residual}
    for layer in layers(model.arch):
        t = {k.rsplit(".", 2)[-2] + "." + k.rsplit(".", 1)[-1]: v.astype(np.float64)
             for k, v in ((n, model.tensors[n]) for n, _ in layer.tensors)}
        if layer.name in consumers:
            a, b = f"{layer.name}_in0", f"{layer.name}_in1"
            rows.append(f"Split {layer.name}_split 1 2 {x} {a} {b}")
            name_of[layer.name], x, blobs = b, a, blobs + 2
        scale = t["bn.w"] / np.sqrt(t["bn.var"] + 1e-5)
        w = (t["conv.w"] * scale[:, None, None, None]).astype("<f4")
        bias = (t["bn.b"] - t["bn.mean"] * scale).astype("<f4")
        kind = "ConvolutionDepthWise" if layer.groups > 1 else "Convolution"
        more = (f" 7={layer.groups}" if layer.groups > 1 else "") + " 8=1" * (layer.name in reach)
        rows.append(f"{kind} {layer.name} 1 1 {x} {layer.name}_y 0={layer.out_channels} "
                    f"1={layer.kernel} 3={layer.stride} 4={layer.padding} 5=1 6={w.size}{more}")
        if layer.name in reach:
            up = 127 / np.maximum(np.abs(w).max(axis=(1, 2, 3)), 1e-30)
            levels = np.rint(w * up[:, None, None, None]).astype(np.int8).tobytes()
            weights += INT8_TAG + levels + bytes(-len(levels) % 4) + bias.tobytes()
            weights += up.astype("<f4").tobytes() + np.float32(127 / reach[layer.name]).tobytes()
        else:
            weights += b"\0\0\0\0" + w.tobytes() + bias.tobytes()
        x, blobs = f"{layer.name}_y", blobs + 1
        if layer.act:
            rows.append(f"PReLU {layer.name}_act 1 1 {x} {layer.name}_a 0={layer.out_channels}")
            weights += t["act.w"].astype("<f4").tobytes()
            x, blobs = f"{layer.name}_a", blobs + 1
        if layer.residual:
            rows.append(f"BinaryOp {layer.name}_add 2 1 {x} {name_of[layer.residual]} "
                        f"{layer.name}_r 0=0")
            x, blobs = f"{layer.name}_r", blobs + 1
    text = "\n".join(["7767517", f"{len(rows)} {blobs}", *rows, ""])
    base.with_suffix(".param").write_text(text)
    base.with_suffix(".bin").write_bytes(weights)
