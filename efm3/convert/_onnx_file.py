# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Parses an ONNX file within bounds.

The library makes an object of up to 175 bytes of a message of 2 bytes, so a file of 40 MB could
ask for 3.5 GB. The fields are therefore counted before the library sees the file.
"""

from __future__ import annotations

from typing import Any

from efm3 import source
from efm3.extras import need
from efm3.findings import printable, refuse

MESSAGE, FIELD, NUMBER = 320, 48, 8
"""Bytes of memory that a message, another field, and a byte of packed numbers may cost, with the
Python objects that the reader makes of them."""
SPARE = 48 << 20
"""Bytes of such costs beside as many as the file has. The largest legal network, each layer in
twelve nodes with everything that an exporter notes about them, costs 40 MiB."""
DEEPEST = 60
"""Messages inside one another; a graph without subgraphs has 6."""

VARINT, EIGHT, BYTES, FOUR = 0, 1, 2, 5
"""Wire types; groups (3, 4) are not used by ONNX."""


def parse(path: str) -> tuple[Any, int]:
    """The model and the file's size. Raises X002 without the library, X003, X008, Unreadable."""
    library = need("onnx", "onnx")
    data = source.read(path)
    try:
        _count(data, library.ModelProto.DESCRIPTOR)
    except (IndexError, _Damaged):
        refuse("X003", f"{path} is not an ONNX model, or is truncated", path)
    model = library.ModelProto()
    try:
        model.ParseFromString(data)
    except Exception as e:
        # DecodeError is protobuf's own; which module has it differs between versions.
        refuse("X003", f"{path} is not an ONNX model, or is truncated: {printable(str(e))}", path)
    if not model.HasField("graph") or not model.graph.node:
        refuse("X003", f"{path} holds no graph: it is not an ONNX model, or is truncated", path)
    return model, len(data)


def text(value: Any) -> str:
    """A name; one that is not UTF-8 comes from the library as bytes."""
    return value if isinstance(value, str) else bytes(value).decode("utf-8", "replace")


class _Damaged(Exception):
    pass


def _count(data: Any, top: Any) -> None:
    """Go over all fields of the message `top`. Raises X008, IndexError, _Damaged."""
    tables: dict[str, dict[int, Any]] = {}
    left = len(data) + SPARE
    above: list[tuple[int, dict[int, Any]]] = []
    at, end, fields = 0, len(data), _fields(top, tables)
    while True:
        if at >= end:
            if at > end:
                raise _Damaged
            if not above:
                return
            end, fields = above.pop()
            continue
        key, at = _varint(data, at)
        left -= FIELD
        wire = key & 7
        if wire == BYTES:
            size, at = _varint(data, at)
            if size > end - at:
                raise _Damaged
            kind = fields.get(key >> 3)
            if kind is None:
                at += size
            elif kind is NUMBER:
                left -= NUMBER * size
                at += size
            else:
                left -= MESSAGE
                above.append((end, fields))
                end, fields = at + size, _fields(kind, tables)
        elif wire == VARINT:
            _, at = _varint(data, at)
        elif wire in (FOUR, EIGHT):
            at += 4 if wire == FOUR else 8
        else:
            raise _Damaged
        if left < 0 or len(above) > DEEPEST:
            refuse("X008", "it has more parts, or more inside one another, than any network of "
                           "this family", f"byte {at}")


def _varint(data: Any, at: int) -> tuple[int, int]:
    """The number at a place, and the place behind it. Raises IndexError, _Damaged."""
    value, shift = 0, 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise _Damaged


def _fields(kind: Any, tables: dict[str, dict[int, Any]]) -> dict[int, Any]:
    """Of a message's kind: its messages by their number, and NUMBER for whole numbers."""
    known = tables.get(kind.full_name)
    if known is None:
        known = tables[kind.full_name] = {
            f.number: f.message_type or NUMBER for f in kind.fields
            if f.message_type is not None or f.cpp_type in (
                f.CPPTYPE_INT32, f.CPPTYPE_INT64, f.CPPTYPE_UINT32, f.CPPTYPE_UINT64,
                f.CPPTYPE_BOOL, f.CPPTYPE_ENUM)}
    return known
