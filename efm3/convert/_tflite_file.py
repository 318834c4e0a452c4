# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A TFLite file: the tensors and operators of its first subgraph, and constants as arrays."""

from __future__ import annotations

import math
import re
from functools import cached_property
from typing import NamedTuple

import numpy as np

from efm3.arrays import Array
from efm3.convert._tflite_bytes import Bytes, Table, Tables
from efm3.convert._tflite_names import BUILTIN
from efm3.convert.graph.build import MOST_NODES
from efm3.convert.graph.ops import MOST_RANK
from efm3.findings import printable, refuse

VERSION = 3
"""The only version of the schema that there is."""
SPARE = 1 << 25
"""Bytes of constants that operators may take, beside twice the file's."""
CUSTOM = 32
LONGEST = 72
"""Letters of a layer's name in a message."""

TYPES = ("float32", "float16", "int32", "uint8", "int64", "string", "bool", "int16", "complex64",
         "int8", "float64", "complex128", "uint64", "resource", "variant", "uint32", "uint16",
         "int4", "bfloat16", "int2", "uint4")
"""The schema's types of tensors, in the order of their numbers."""
STORED = {"float32": "<f4", "float16": "<f2", "float64": "<f8", "int8": "i1", "uint8": "u1",
          "int16": "<i2", "uint16": "<u2", "int32": "<i4", "uint32": "<u4", "int64": "<i8",
          "uint64": "<u8", "bool": "u1", "bfloat16": "<u2", "int4": "u1"}
"""How the types that are read stand in the file; int4 two a byte, the low half first."""


class Scale(NamedTuple):
    """value = scale * (stored - zero), one for all or one for each index of `axis`."""

    scale: Array
    zero: Array
    axis: int


class Tensor(NamedTuple):
    """A value: its stated shape and type, and its bytes where it is a constant.

    `label` is its whole name, `name` what a message shows of it.
    """

    label: str
    name: str
    shape: tuple[int, ...]
    signature: tuple[int, ...]
    kind: str
    data: Array | None
    scale: Scale | None

    @property
    def quantised(self) -> bool:
        """True where whole numbers stand for real ones."""
        return self.scale is not None and self.kind in (
            "int8", "uint8", "int16", "int32", "int4", "int64")


class Operator(NamedTuple):
    """One operator: its name, and its tensors by their numbers (-1 for none).

    A custom one has a name of its author's choice, which may be a known operator's.
    """

    name: str
    custom: bool
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    table: Table


class File:
    """The bytes of one file, and what they say. Raises X003, X006, X007, X008."""

    def __init__(self, data: bytes | bytearray | memoryview, path: str) -> None:
        self.path = path
        self.bytes = Bytes(data, path)
        if bytes(self.bytes.data[4:8]) != b"TFL3":
            refuse("X003", f"{path} is not a TFLite file: the letters TFL3 are not at byte 4", path)
        self.model = Table(self.bytes, self.bytes.follow(0))
        version = self.model.number(0, "I")
        if version != VERSION:
            refuse("X003", f"{path} is of version {version} of TFLite, not {VERSION}", path,
                   version, VERSION)
        self.subgraphs = self.model.tables(2)
        if not len(self.subgraphs):
            refuse("X007", f"{path} holds no network", path)
        self.main = self.subgraphs[0]
        self.inputs = self.main.integers(1)
        self.outputs = self.main.integers(2)
        self._tensors = self.main.tables(0)
        self._buffers = self.model.tables(4)
        self._known: dict[int, Tensor] = {}
        self._left = 2 * len(self.bytes.data) + SPARE

    @cached_property
    def operators(self) -> list[Operator]:
        """All operators, in the order in which they run."""
        tables = self.main.tables(3)
        if len(tables) > MOST_NODES:
            refuse("X008", f"{self.path} has more than {MOST_NODES:,} operations", self.path,
                   len(tables), f"at most {MOST_NODES:,}")
        names = _names(self.model.tables(1))
        out = []
        for i, t in enumerate(tables):
            code = int(t.number(0, "I"))
            if code >= len(names):
                refuse("X007", f"operator {i} is of kind {code}, and {len(names)} are there",
                       self.path, code)
            out.append(Operator(*names[code], t.integers(1), t.integers(2), t))
        return out

    def tensor(self, i: int) -> Tensor:
        """A tensor by its number."""
        found = self._known.get(i)
        if found is None:
            if not 0 <= i < len(self._tensors):
                refuse("X007", f"a tensor has the number {i}, and {len(self._tensors)} are there",
                       self.path, i)
            found = self._known[i] = self._tensor(self._tensors[i], i)
        return found

    def _tensor(self, t: Table, i: int) -> Tensor:
        label = t.text(3) or f"tensor {i}"
        name = short(label)
        shape, signature = t.integers(0), t.integers(7)
        kind = int(t.number(1, "b"))
        if not 0 <= kind < len(TYPES) or len(shape) > MOST_RANK or any(s < 0 for s in shape):
            refuse("X006", f"{name} has type {kind} and shape {[*shape[:9]]}", name)
        if t.where(6):
            refuse("X008", f"{name} is stored as a sparse tensor", name)
        return Tensor(label, name, shape, signature, TYPES[kind],
                      self._data(int(t.number(2, "I")), name), _scale(t.table(4), name))

    def _data(self, buffer: int, name: str) -> Array | None:
        # Buffer 0 is the empty one, by the schema.
        if not buffer:
            return None
        if buffer >= len(self._buffers):
            refuse("X007", f"{name} is in buffer {buffer}, and {len(self._buffers)} are there",
                   name, buffer)
        t = self._buffers[buffer]
        data = t.array(0, "u1")
        if data is None:
            # A file of over 2 GiB keeps its data behind the tables; 1 stands for "not yet set".
            start, size = int(t.number(1, "Q")), int(t.number(2, "Q"))
            if start > 1:
                data = self.bytes.array(start, size, "u1")
        return data if data is not None and data.size else None

    def constant(self, t: Tensor) -> Array | None:
        """The values of a tensor that is a constant, None for another. Whole numbers that stand
        for real ones are multiplied out."""
        if t.data is None:
            empty = np.float32 if t.scale or t.kind.startswith("float") else np.int32
            return None if math.prod(t.shape) else np.zeros(t.shape, empty)
        stored = STORED.get(t.kind)
        if stored is None:
            refuse("X006", f"{t.name} is a constant of type {t.kind}", t.name)
        count, width = math.prod(t.shape), np.dtype(stored).itemsize
        size = (count + 1) // 2 if t.kind == "int4" else count * width
        if t.data.size != size:
            refuse("X006", f"{t.name} has {t.data.size:,} bytes for {t.kind} {[*t.shape]}", t.name,
                   t.data.size, size)
        # Every use counts: many layers may name one buffer.
        self._left -= count * (2 * max(width, 2) if t.quantised else max(width, 4))
        if self._left < 0:
            refuse("X008", f"the operators up to {t.name} take more constants than the file holds",
                   t.name)
        if t.kind == "int4":
            values = _halves(t.data)[:count].reshape(t.shape)
        else:
            values = t.data.view(stored).reshape(t.shape)
        if t.kind == "bfloat16":
            wide: Array = np.left_shift(values, 16, dtype=np.uint32).view(np.float32)
            return wide
        if t.kind == "bool":
            return np.asarray(values != 0)
        return _real(values, t) if t.quantised else values

    def signatures(self) -> dict[str, int]:
        """The names of outputs in the file's signatures, with the outputs' numbers."""
        found: dict[str, int] = {}
        for signature in self.model.tables(7):
            if not signature.number(4, "I"):
                for entry in signature.tables(1):
                    found.setdefault(entry.text(0), entry.number(1, "I"))
        return found


def _names(codes: Tables) -> list[tuple[str, bool]]:
    out = []
    for c in codes:
        # Older files have the number in 8 bits, newer ones in both fields or in the second.
        number = max(int(c.number(0, "b")), int(c.number(3, "i")))
        if number == CUSTOM:
            out.append((short(c.text(1)) or "CUSTOM", True))
        else:
            out.append((BUILTIN[number] if 0 <= number < len(BUILTIN) else f"operator {number}",
                        False))
    return out


def _scale(q: Table | None, name: str) -> Scale | None:
    scale = q.array(2, "<f4") if q is not None else None
    if q is None or scale is None or not scale.size:
        return None
    if q.number(4, "B"):
        refuse("X008", f"{name} is quantised in blocks", name)
    zero = q.array(3, "<i8")
    if zero is None or not zero.size:
        zero = np.zeros(1, np.int64)
    if zero.size not in (1, scale.size) or not np.isfinite(scale).all():
        refuse("X006", f"{name} has {scale.size} scales and {zero.size} zero points", name)
    return Scale(scale, zero, q.number(6, "i"))


def _halves(data: Array) -> Array:
    pairs = np.empty((data.size, 2), np.int8)
    # Shifted up and down again, which carries the sign.
    np.right_shift(np.left_shift(data, 4).view(np.int8), 4, out=pairs[:, 0])
    np.right_shift(data.view(np.int8), 4, out=pairs[:, 1])
    return pairs.reshape(-1)


def _real(stored: Array, t: Tensor) -> Array:
    """scale * (stored - zero): in float32 as the runtime does, a bias of 32 bits in float64."""
    assert t.scale is not None
    scale, zero, axis = t.scale
    if scale.size > 1 and not (0 <= axis < stored.ndim and stored.shape[axis] == scale.size):
        refuse("X006", f"{t.name} has {scale.size} scales for axis {axis} of {[*t.shape]}", t.name)
    along = [1] * stored.ndim
    if scale.size > 1:
        along[axis] = -1
    out = stored.astype(np.float64 if stored.itemsize > 2 else np.float32)
    if zero.any():
        np.subtract(out, zero.reshape(along if zero.size > 1 else ()).astype(out.dtype), out=out)
    with np.errstate(over="ignore"):
        np.multiply(out, scale.reshape(along if scale.size > 1 else ()), out=out)
    return out


def short(name: str) -> str:
    """A tensor's name as a message shows it: of a fused layer's names the first, its end.

    A PyTorch module is called by its class alone.
    """
    first = printable(re.sub(r"\btorch\.\w[\w.]*\.", "", name.partition(";")[0]))
    if len(first) <= LONGEST:
        return first
    tail = first[-LONGEST:]
    return "…" + (tail[tail.index("/"):] if "/" in tail[:LONGEST // 2] else tail)
