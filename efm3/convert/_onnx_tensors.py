# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""An ONNX tensor's values as an array; nothing that it states is believed before it is compared."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from efm3.arrays import Array
from efm3.convert._onnx_external import External
from efm3.convert.graph.ops import MOST_RANK
from efm3.extras import need
from efm3.findings import refuse


class Element(NamedTuple):
    """An element type: how raw data hold it, the field of typed values, and their type there."""

    raw: str
    field: str
    typed: str


FLOAT, HALF, DOUBLE, BFLOAT = 1, 10, 11, 16
ELEMENTS = {
    FLOAT: Element("<f4", "float_data", "<f4"), DOUBLE: Element("<f8", "double_data", "<f8"),
    HALF: Element("<f2", "int32_data", "<i4"), BFLOAT: Element("<u2", "int32_data", "<i4"),
    2: Element("u1", "int32_data", "<i4"), 3: Element("i1", "int32_data", "<i4"),
    4: Element("<u2", "int32_data", "<i4"), 5: Element("<i2", "int32_data", "<i4"),
    6: Element("<i4", "int32_data", "<i4"), 7: Element("<i8", "int64_data", "<i8"),
    9: Element("u1", "int32_data", "<i4"), 12: Element("<u4", "uint64_data", "<u8"),
    13: Element("<u8", "uint64_data", "<u8"),
}
"""The element types that are read, by their number."""
TRUTH = 9
EXTERNAL = 1


def stored(tensor: Any, name: str, external: External) -> Array:
    """The tensor's values in its own type; bfloat16 as whole numbers. Raises X005, X006."""
    element = ELEMENTS.get(tensor.data_type)
    if element is None:
        kind = type_name(tensor.data_type)
        refuse("X006", f"{name} is of element type {kind}, which is not read", name, kind)
    dims = list(tensor.dims) if len(tensor.dims) <= MOST_RANK else []
    if len(tensor.dims) > MOST_RANK or any(d < 0 for d in dims):
        refuse("X006", f"{name} states shape {dims or 'of too many dimensions'}", name, dims)
    count = math.prod(dims)
    if tensor.data_location == EXTERNAL:
        raw = external.read(name, tensor)
    elif tensor.HasField("raw_data"):
        raw = tensor.raw_data
    else:
        typed = getattr(tensor, element.field)
        if len(typed) != count:
            refuse("X006", f"{name} states shape {dims} and holds {len(typed)} values", name,
                   len(typed), count)
        return _shaped(_typed(typed, element, count), dims, name)
    size = np.dtype(element.raw).itemsize
    if len(raw) != count * size:
        refuse("X006", f"{name} states shape {dims} and holds {len(raw)} bytes", name, len(raw),
               count * size)
    return _shaped(np.frombuffer(raw, element.raw), dims, name)


def _typed(values: Any, element: Element, count: int) -> Array:
    a = np.fromiter(values, element.typed, count)
    if element.raw == "<f2":
        return a.astype("<u2").view("<f2")
    return a if element.raw == element.typed else a.astype(element.raw)


def _shaped(a: Array, dims: list[int], name: str) -> Array:
    try:
        return a.reshape(dims)
    except (ValueError, OverflowError):
        # Of no values at all, other sizes may be anything.
        refuse("X006", f"{name} states shape {dims}", name, dims)


def value(a: Array, data_type: int) -> Array:
    """What `stored` gave, for a graph: floats of 16 bits, all exact in float32, become that."""
    if data_type == BFLOAT:
        return (a.astype("<u4") << 16).view("<f4")
    if data_type == HALF:
        return a.astype("<f4")
    return a != 0 if data_type == TRUTH else a


def type_name(number: int) -> str:
    """An element type as the ONNX text calls it."""
    try:
        return str(need("onnx", "onnx").TensorProto.DataType.Name(number))
    except ValueError:
        return str(number)
