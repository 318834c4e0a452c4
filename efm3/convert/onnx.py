# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""ONNX: a graph of any exporter in, a clean graph out."""

from __future__ import annotations

from collections.abc import Iterable

from efm3.convert._base import Source, Wanted
from efm3.convert._onnx_file import parse
from efm3.convert._onnx_write import pieces
from efm3.extras import need
from efm3.model import Model


def read(path: str, wanted: Wanted) -> Source:
    """The graph that a model's output depends on. Raises Efm3Error.

    Operations that no EFM3 network has stay in the graph under their own names, and `runtime`
    runs them, where they end and make maps of known sizes.
    """
    from efm3.convert import _onnx_graph, _onnx_run

    file = parse(path)
    found = _onnx_graph.read(file, wanted.output)
    texts = {p.word("key"): p.word("value") for p in file.model.all("metadata_props")}
    return Source(found.graph, texts=texts, runtime=_onnx_run.runtime(found),
                  approximate=found.approximate)


def parts(model: Model, path: str, fold: bool) -> Iterable[bytes]:
    """The model's bytes, in pieces: opset 17, any batch size, the arch and the mirror as metadata.

    With `fold` BatchNorm is folded into the convolutions.
    """
    return pieces(need("onnx", "onnx"), model, fold)
