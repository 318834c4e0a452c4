# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""An ONNX file's messages, as far as a network's graph takes them.

The ONNX library is not used: importing it takes longer than reading the largest of these files,
and it copies every weight. What is not in the schemas here is passed over: value_info, metadata
of nodes, doc strings, functions, training.
"""

from __future__ import annotations

from dataclasses import dataclass

from efm3.convert._protobuf import REAL, SPAN, WHOLE, WORD, Message, Schema, Span, Wire
from efm3.convert._unread import Data, read
from efm3.findings import Efm3Error, refuse

MOST_FIELDS = 250_000
"""Most fields of a file: the largest legal network, each layer in twelve nodes, has 220,000."""

ENTRY: Schema = {1: ("key", WORD), 2: ("value", WORD)}
TENSOR: Schema = {
    1: ("dims", WHOLE), 2: ("data_type", WHOLE), 4: ("float_data", SPAN), 5: ("int32_data", SPAN),
    7: ("int64_data", SPAN), 8: ("name", WORD), 9: ("raw_data", SPAN), 10: ("double_data", SPAN),
    11: ("uint64_data", SPAN), 13: ("external_data", ENTRY), 14: ("data_location", WHOLE)}
ATTRIBUTE: Schema = {
    1: ("name", WORD), 2: ("f", REAL), 3: ("i", WHOLE), 4: ("s", WORD), 5: ("t", TENSOR),
    7: ("floats", REAL), 8: ("ints", WHOLE)}
NODE: Schema = {1: ("input", WORD), 2: ("output", WORD), 3: ("name", WORD), 4: ("op_type", WORD),
                5: ("attribute", SPAN), 7: ("domain", WORD)}
SHAPE: Schema = {1: ("dim", {1: ("dim_value", WHOLE), 2: ("dim_param", WORD)})}
VALUE: Schema = {1: ("name", WORD), 2: ("type", {
    1: ("tensor_type", {1: ("elem_type", WHOLE), 2: ("shape", SHAPE)})})}
GRAPH: Schema = {1: ("node", SPAN), 5: ("initializer", TENSOR), 11: ("input", VALUE),
                 12: ("output", VALUE), 15: ("sparse_initializer", {1: ("values", TENSOR)})}
OPSET: Schema = {1: ("domain", WORD), 2: ("version", WHOLE)}
MODEL: Schema = {1: ("ir_version", WHOLE), 7: ("graph", SPAN), 8: ("opset_import", SPAN),
                 14: ("metadata_props", ENTRY)}


@dataclass(frozen=True)
class File:
    """A model and its graph; `wire` has the bytes of their spans."""

    path: str
    wire: Wire
    model: Message
    graph: Message

    def bytes(self, span: Span) -> memoryview:
        """The bytes of a span."""
        return memoryview(self.wire.data[span.start:span.end])


def parse(path: str) -> File:
    """The file's messages. Raises X003, Unreadable."""
    return _parsed(read(path, lambda data: _parsed(data, path)), path)


def _parsed(data: Data, path: str) -> File:
    wire = Wire(data, path, MOST_FIELDS)
    try:
        model = wire.message(Span(0, len(data)), MODEL)
        graphs = model.spans("graph")
        graph = wire.message(graphs[0], GRAPH) if len(graphs) == 1 else Message("")
    except Efm3Error as e:
        refuse("X003", f"not an ONNX model, or truncated: {e.finding.message}", path)
    if "node" not in graph:
        refuse("X003", f"{path} holds no graph: it is not an ONNX model, or is truncated", path)
    return File(path, wire, model, graph)
