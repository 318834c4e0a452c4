# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""An ONNX tensor's values as an array; nothing that it states is believed before it is compared.

Values in the file are views of its bytes. Those of 8 and 16 bits become float32, and numbers of
varying length take up to eight times their bytes: all of those together are bounded.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from efm3.arrays import Array
from efm3.convert._onnx_external import External
from efm3.convert._onnx_file import File
from efm3.convert._protobuf import Message
from efm3.convert.graph.ops import MOST_RANK
from efm3.findings import refuse


class Element(NamedTuple):
    """An element type: its name, how raw data hold it, and the field of typed values."""

    name: str
    raw: str
    field: str = "int32_data"


FLOAT, INT64, TRUTH, HALF, DOUBLE, BFLOAT = 1, 7, 9, 10, 11, 16
ELEMENTS = {
    FLOAT: Element("FLOAT", "<f4", "float_data"), 2: Element("UINT8", "u1"),
    3: Element("INT8", "i1"), 4: Element("UINT16", "<u2"), 5: Element("INT16", "<i2"),
    6: Element("INT32", "<i4"), INT64: Element("INT64", "<i8", "int64_data"),
    8: Element("STRING", ""), TRUTH: Element("BOOL", "u1"), HALF: Element("FLOAT16", "<f2"),
    DOUBLE: Element("DOUBLE", "<f8", "double_data"), 12: Element("UINT32", "<u4", "uint64_data"),
    13: Element("UINT64", "<u8", "uint64_data"), 14: Element("COMPLEX64", ""),
    15: Element("COMPLEX128", ""), BFLOAT: Element("BFLOAT16", "<u2"),
    17: Element("FLOAT8E4M3FN", ""), 18: Element("FLOAT8E4M3FNUZ", ""),
    19: Element("FLOAT8E5M2", ""), 20: Element("FLOAT8E5M2FNUZ", ""), 21: Element("UINT4", ""),
    22: Element("INT4", ""), 23: Element("FLOAT4E2M1", ""),
}
"""Element types by their number; those without `raw` are not read."""
EXTERNAL = 1
TIMES, SPARE = 2, 40 << 20
"""Bytes of values that take more than the file has them in: so often its size, and some more."""
CHUNK = 1 << 16
"""Bytes of them that are decoded at once."""


class Store:
    """Reads the tensors of one file."""

    def __init__(self, file: File) -> None:
        self._file = file
        self._external = External(file.path)
        self._spent = 0

    @property
    def outside(self) -> int:
        """Bytes that were read from other files."""
        return self._external.taken

    def spend(self, size: int, name: str) -> None:
        """Count an array of `size` bytes that is no view of the file. Raises X006."""
        self._spent += size
        if self._spent > TIMES * (len(self._file.wire.data) + self.outside) + SPARE:
            refuse("X006", f"{name} and those before it take much more memory than the file", name)

    def value(self, tensor: Message, name: str) -> Array:
        """The values; floats of 16 bits become float32, which holds all of them. Raises X005,
        X006."""
        kind = tensor.whole("data_type", 0)
        a = self._stored(tensor, kind, name)
        if kind in (BFLOAT, HALF):
            self.spend(4 * a.size, name)
        if kind == BFLOAT:
            return (a.astype("<u4") << 16).view("<f4")
        if kind == HALF:
            return a.astype("<f4")
        return a != 0 if kind == TRUTH else a

    def _stored(self, tensor: Message, kind: int, name: str) -> Array:
        element = ELEMENTS.get(kind)
        if element is None or not element.raw:
            refuse("X006", f"{name} is of element type {type_name(kind)}, which is not read", name,
                   type_name(kind))
        dims = tensor.wholes("dims")
        if any(d < 0 for d in dims) or len(dims) > MOST_RANK:
            refuse("X006", f"{name} states shape {dims}", name, dims)
        size = math.prod(dims) * np.dtype(element.raw).itemsize
        raw: memoryview | bytes | Array
        if tensor.whole("data_location", 0) == EXTERNAL:
            raw = self._external.read(name, tensor, size)
        elif "raw_data" in tensor:
            raw = self._file.bytes(tensor.spans("raw_data")[-1])
        else:
            raw = self._typed(tensor, element, math.prod(dims), name)
        if len(raw) != size:
            refuse("X006", f"{name} states shape {dims} and holds {len(raw)} bytes", name,
                   len(raw), size)
        try:
            return np.frombuffer(raw, element.raw).reshape(dims)
        except (ValueError, OverflowError):
            # Of no values at all, other sizes may be anything.
            refuse("X006", f"{name} states shape {dims}", name, dims)

    def _typed(self, tensor: Message, element: Element, count: int, name: str) -> bytes | Array:
        """The values of a typed field, as raw data would hold them."""
        held = b"".join(self._file.bytes(s) for s in tensor.spans(element.field))
        if element.field in ("float_data", "double_data"):
            return held
        self.spend(min(count, len(held)) * np.dtype(element.raw).itemsize, name)
        kind = "<u2" if element.raw == "<f2" else element.raw
        return _varints(np.frombuffer(held, np.uint8), count, kind, name).view(np.uint8)


def _varints(held: Array, count: int, kind: str, name: str) -> Array:
    """So many numbers of seven bits a byte, the last byte of each below 128."""
    out = np.empty(min(count, len(held)), kind)
    at = found = 0
    while at < len(held):
        part = held[at:at + CHUNK]
        ends = np.flatnonzero(part < 0x80)
        if not len(ends):
            refuse("X006", f"{name} ends within a number", name)
        part = part[:ends[-1] + 1]
        starts = np.concatenate([[0], ends[:-1] + 1])
        sizes = ends - starts + 1
        if sizes.max() > 10:
            refuse("X006", f"{name} holds a number of more than 10 bytes", name)
        within = np.arange(len(part)) - np.repeat(starts, sizes)
        bits = (part & 0x7F).astype(np.uint64) << (7 * within).astype(np.uint64)
        if found + len(ends) <= len(out):
            whole = np.add.reduceat(bits, starts).view(np.int64)
            out[found:found + len(ends)] = whole.astype(kind)
        at, found = at + len(part), found + len(ends)
    if found != count:
        refuse("X006", f"{name} states {count} values and holds {found}", name, found, count)
    return out


def type_name(number: int) -> str:
    """An element type as the ONNX text calls it."""
    element = ELEMENTS.get(number)
    return element.name if element else str(number)


def computed_in(kind: int) -> str:
    """Of a network whose maps are of a type of 16 bits."""
    return f"computed in {type_name(kind).lower()}"
