# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""safetensors: our names, the arch and the mirror in the metadata.

Reading needs no library: a JSON header with each tensor's type, shape and place, then the bytes.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterable
from typing import Any, BinaryIO, NoReturn

import numpy as np

from efm3.arrays import Array
from efm3.convert import _named
from efm3.convert._base import Source, Wanted, spooled
from efm3.convert._meta import texts
from efm3.extras import need
from efm3.findings import printable, refuse
from efm3.model import Model
from efm3.source import open_regular

PREFIX = 8
"""Bytes of the header's length."""
MOST_HEADER = 2 << 20
"""The largest legal network's is 600 kB."""
METADATA = "__metadata__"
SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8,
         "U32": 4, "U16": 2, "U8": 1, "BOOL": 1, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1,
         "F8_E4M3FNUZ": 1, "F8_E5M2FNUZ": 1, "C64": 8}
"""Bytes of a value of each type."""
FLOATS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
"""The types that are read; BF16 is the upper half of a float32."""


def read(path: str, wanted: Wanted) -> Source:
    """The network in a file. Raises Efm3Error."""
    with open_regular(path) as f:
        tensors = Tensors(f, path)
        return _named.source_of(tensors.shapes, tensors.load, tensors.texts, wanted, path,
                                tensors.size)


class Tensors:
    """The tensors of an open file: `shapes` by key, in the header's order; `texts` is its metadata.
    """

    def __init__(self, f: BinaryIO, path: str) -> None:
        self._f, self.path = f, path
        self.size = f.seek(0, io.SEEK_END)
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.texts: dict[str, str] = {}
        self._places: dict[str, tuple[str, int]] = {}
        f.seek(0)
        head = f.read(PREFIX)
        length = int.from_bytes(head, "little")
        if len(head) < PREFIX or length > self.size - PREFIX:
            self._no(f"its header should have {length:,} bytes, the file has {self.size:,}")
        if length > MOST_HEADER:
            self._no(f"its header has {length:,} bytes, of at most {MOST_HEADER:,}")
        self._start = PREFIX + length
        self._header(self._parsed(f.read(length)))

    def load(self, key: str) -> Array:
        """A tensor's values; BF16 as float32. Raises X006."""
        kind, at = self._places[key]
        if kind not in FLOATS:
            refuse("X006", f"{key} holds {kind}, not floating point numbers that are read here",
                   key, kind, "F32")
        shape = self.shapes[key]
        self._f.seek(at)
        size = SIZES[kind] * math.prod(shape)
        data = self._f.read(size)
        if len(data) != size:
            self._no("it changed while it was read")
        out: Array = np.frombuffer(data, FLOATS[kind]).reshape(shape)
        if kind == "BF16":
            wide = out.astype(np.uint32)
            wide <<= 16
            out = wide.view(np.float32)
        return out

    def _parsed(self, text: bytes) -> dict[str, Any]:
        try:
            value = json.loads(text.decode("utf-8"), object_pairs_hook=_once, parse_int=_number,
                               parse_float=_number, parse_constant=_number)
        except (ValueError, RecursionError) as e:
            self._no(f"its header: {printable(str(e))[:160]}")
        if not isinstance(value, dict):
            self._no("its header is no object")
        return value

    def _header(self, header: dict[str, Any]) -> None:
        metadata = header.pop(METADATA, {})
        if isinstance(metadata, dict):
            self.texts = {k: v for k, v in metadata.items() if isinstance(v, str)}
        room = self.size - self._start
        spans: list[tuple[int, int]] = []
        for key, entry in header.items():
            match entry:
                case {"dtype": str() as kind, "shape": list(shape),
                      "data_offsets": [int() as begin, int() as end]} if (
                          kind in SIZES and len(shape) <= 8
                          and all(type(n) is int and n >= 0 for n in shape)
                          and 0 <= begin <= end <= room
                          and end - begin == SIZES[kind] * math.prod(shape)):
                    self.shapes[key] = tuple(shape)
                    self._places[key] = kind, self._start + begin
                    spans.append((begin, end))
                case _:
                    self._no(f"what its header says of {printable(key[:100])} does not fit the "
                             "file")
        at = 0
        for begin, end in sorted(spans):
            if begin != at:
                self._no(f"byte {at} of its data is in no tensor, or in two")
            at = end
        if at != room:
            self._no(f"its tensors end at byte {at:,} of {room:,}")

    def _no(self, why: str) -> NoReturn:
        refuse("X003", f"{self.path} is not a safetensors file, or is damaged: {why}", self.path)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        raise ValueError("a key stands twice")
    return out


def _number(text: str) -> int:
    """A whole number of a sane size: parsing a long one takes long."""
    if not text.isdecimal() or len(text) > 18:
        raise ValueError(f"{text[:24]} is no number of bytes")
    return int(text)


def parts(model: Model, path: str, fold: bool) -> Iterable[bytes]:
    """The file's bytes."""
    numpy = need("safetensors.numpy", "safetensors")
    tensors = {k: np.ascontiguousarray(v) for k, v in model.tensors.items()}
    yield from spooled(lambda to: numpy.save_file(tensors, to, metadata=texts(model)))
