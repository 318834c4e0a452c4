# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""ONNX: graphs with BatchNorm or with it folded in, a clean graph out."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import numpy as np

from efm3 import format as fmt
from efm3.arch import Arch
from efm3.convert import _meta, _units
from efm3.convert._base import EmbedInputs, Network
from efm3.convert._graph import Graph
from efm3.convert._onnx_write import pieces
from efm3.convert._walk import Walk
from efm3.extras import need
from efm3.findings import printable, refuse
from efm3.model import Model
from efm3.source import Unreadable, open_regular


def read(path: str, arch: Arch | None) -> Network:
    """The network in a model. Raises Efm3Error, X002 without the library."""
    library = need("onnx", "onnx")
    proto = _parse(library, path)
    texts = {p.key: p.value for p in proto.metadata_props}
    folder = os.path.dirname(os.path.abspath(path))
    walk = Walk(Graph(proto, folder))
    del proto
    hint = _meta.model_of({}, texts)
    if hint is not None:
        arch = arch or hint.arch
    known, more = _units.match(walk.units, arch)
    weights = _units.tensors(known, walk.units)
    kept = _meta.model_of(weights, texts)
    model = kept if kept is not None and kept.arch == known else Model(known, weights)
    feed = walk.input.feed()
    return Network(model, walk.assumed + more, "onnxruntime",
                   _embed(path, feed, walk.bare_slopes))


def _parse(library: Any, path: str) -> Any:
    with open_regular(path) as f:
        try:
            data = f.read()
        except MemoryError:
            raise Unreadable(f"{path}: larger than memory") from None
    proto = library.ModelProto()
    try:
        proto.ParseFromString(data)
    except Exception as e:
        # DecodeError is protobuf's own; which module has it differs between versions.
        refuse("X003", f"{path} is not an ONNX model, or is truncated: {printable(str(e))}", path)
    return proto


def _embed(path: str, feed: tuple[float, float], bare: list[str]) -> EmbedInputs:
    """onnxruntime on the file itself; its output is divided by its norm here too."""
    def run(x: Any) -> Any:
        session = _session(path, bare)
        entry = session.get_inputs()[0]
        batch = entry.shape[0] if isinstance(entry.shape[0], int) else len(x)
        out = []
        u = np.asarray(x * feed[0] + feed[1], np.float32)
        for i in range(0, len(u), batch):
            part = np.resize(u[i:i + batch], (batch, *u.shape[1:]))
            y = session.run(None, {entry.name: part})[0].astype(np.float64)
            out.append(y.reshape(batch, -1)[:len(u[i:i + batch])])
        flat = np.concatenate(out)
        norm = np.sqrt(np.sum(flat * flat, axis=1, keepdims=True))
        return flat / np.maximum(norm, fmt.L2_EPS)
    return run


def _session(path: str, bare: list[str]) -> Any:
    runtime = need("onnxruntime", "onnx")
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    source: Any = path
    if bare:
        # By the ONNX text slopes of shape [C] apply along the width, or fail.
        library = need("onnx", "onnx")
        proto = library.load(path)
        for t in proto.graph.initializer:
            if t.name in bare:
                t.dims.extend([1, 1])
        source = proto.SerializeToString()
    try:
        return runtime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as e:
        refuse("X013", f"onnxruntime cannot run it: {printable(str(e))[:300]}", path)


def parts(model: Model, path: str, fold: bool) -> Iterable[bytes]:
    """The model's bytes, in pieces: opset 17, any batch size, the arch and the mirror as metadata.

    With `fold` BatchNorm is folded into the convolutions.
    """
    return pieces(need("onnx", "onnx"), model, fold)
