# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Bytes to Scan: tolerant and bounded; says what is where, never raises because of content.

Every length is compared with the bytes that remain before it is used, and the
walk over the tensor table stops at the longest table that any arch can have.
"""

from __future__ import annotations

import math
import struct
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from types import SimpleNamespace
from typing import Any, NamedTuple, overload

from efm3 import format as fmt
from efm3.arch import Arch, Stage
from efm3.findings import Efm3Error
from efm3.network import file_size, tensor_layout

_U32 = struct.Struct("<I")
_HEADER = fmt.FIELDS["arch.hdr_version"].offset

Layout = tuple[tuple[str, tuple[int, ...]], ...]
_NONE: array[int] = array("Q")

# Six tensors for each of expand and dw, five for project; 28 outside the stages.
MAX_TENSORS = fmt.MAX_BLOCKS * 17 + 28


class TensorSpan(NamedTuple):
    """An entry of the table as found: where its size field is, its value, the bytes present.

    `present` counts payload bytes before the end of what was read; `name`, `shape` and the
    `expected` payload bytes come from the layout: "", () and 0 where the header gives none.
    """

    number: int
    offset: int
    size: int
    present: int
    name: str
    shape: tuple[int, ...]
    expected: int = 0

    @property
    def data_offset(self) -> int:
        """First payload byte."""
        return self.offset + fmt.COUNT_SIZE


class Table(Sequence[TensorSpan]):
    """The entries of the table as found, each created on access.

    Only the offset and size of an entry are stored, so that a small file of many entries
    takes little memory. `layout` and `expected` are the layout and its sizes in bytes; the
    last entry lacks `missing` bytes of its payload.
    """

    def __init__(self, layout: Layout = (), expected: array[int] = _NONE) -> None:
        self.layout, self.expected = layout, expected
        self.offsets, self.sizes, self.missing = array("Q"), array("Q"), 0

    def __len__(self) -> int:
        return len(self.sizes)

    @overload
    def __getitem__(self, index: int) -> TensorSpan: ...

    @overload
    def __getitem__(self, index: slice) -> list[TensorSpan]: ...

    def __getitem__(self, index: int | slice) -> TensorSpan | list[TensorSpan]:
        """The entry of this number, counted from the end where it is negative."""
        number = range(len(self.sizes))[index]
        if isinstance(number, range):
            return [self[i] for i in number]
        size, last = self.sizes[number], number == len(self.sizes) - 1
        name, shape = self.layout[number] if number < len(self.layout) else ("", ())
        expected = self.expected[number] if number < len(self.layout) else 0
        return TensorSpan(number, self.offsets[number], size, size - self.missing * last, name,
                          shape, expected)

    def misfits(self) -> Iterator[TensorSpan]:
        """The entries of the layout whose size is not what their shape needs."""
        for i, (size, expected) in enumerate(zip(self.sizes, self.expected, strict=False)):
            if size != expected:
                yield self[i]


class Span(NamedTuple):
    """A named range of the file."""

    path: str
    offset: int
    length: int
    doc: str


@dataclass
class Scan:
    """The parts of `data`. Parts that the file does not reach are None or empty.

    Where the file is longer than its header allows, `data` is its beginning alone: then `size`
    counts the whole of it, or, where `more`, what was read of a stream that goes on. `tail` is
    the end of such a file, b"" where it was not read.
    """

    data: memoryview
    size: int
    tail: bytes = b""
    more: bool = False
    values: dict[str, Any] = field(default_factory=dict)
    arch: Arch | None = None
    json_len: int | None = None
    mirror: memoryview | None = None
    n_tensors: int | None = None
    tensors: Table = field(default_factory=Table)
    end: int = 0
    """Where the walk stopped: the end of the last whole tensor."""

    @property
    def whole(self) -> bool:
        """True where `data` is all of the file."""
        return self.size == len(self.data) and not self.more

    @property
    def stated(self) -> int:
        """Bytes of a file that has this header; 0 where it states none."""
        json_len = self.values.get("json_len", 0)
        if self.arch is None or json_len > fmt.MAX_JSON_LEN:
            return 0
        return file_size(self.arch, json_len)

    @property
    def layout(self) -> Layout:
        """The layout of the header's arch; empty where the header states none."""
        return self.tensors.layout

    @property
    def table_offset(self) -> int | None:
        """Offset of the first size field, where json_len is plausible."""
        return None if self.json_len is None else fmt.PREFIX_SIZE + self.json_len + fmt.COUNT_SIZE

    @cached_property
    def laid_out(self) -> bool:
        """True where the table is the layout's, byte for byte, whatever follows it."""
        table = self.tensors
        return (self.arch is not None and self.n_tensors == len(table)
                and table.sizes == table.expected and not table.missing)

    @cached_property
    def complete(self) -> bool:
        """True where the table is the layout's, byte for byte, and ends the file."""
        return self.laid_out and self.end == self.size

    def raw_arch(self) -> Any:
        """The header's values as an object with Arch's fields, whatever they are.

        Raises KeyError where the file ends inside the header.
        """
        get = self.values.__getitem__
        used = get("arch.n_stages")
        stages = ([Stage(*map(get, record)) for record in _RECORDS[:used]]
                  if used <= fmt.STAGE_SLOTS else [Stage(0, 0, 0)] * used)
        return SimpleNamespace(**{k: get(path) for k, path in _OWN}, stages=stages)

    def spans(self) -> Iterator[Span]:
        """Every part of the file in order, without gaps, to the last byte."""
        for f in fmt.FIELDS.values():
            if f.offset < self.size:
                yield Span(f.path, f.offset, min(f.size, self.size - f.offset), f.doc)
        at = fmt.PREFIX_SIZE
        if self.mirror is not None and len(self.mirror):
            yield Span("json", at, len(self.mirror), "JSON mirror; engines skip it")
            at += len(self.mirror)
        if self.n_tensors is not None:
            yield Span("n_tensors", at, fmt.COUNT_SIZE, "entries of the tensor table")
            at += fmt.COUNT_SIZE
        for t in self.tensors:
            yield Span(f"tensors[{t.number}].size", t.offset, fmt.COUNT_SIZE,
                       f"payload bytes of {t.name or 'an entry past the layout'}")
            if t.present:
                yield Span(f"tensors[{t.number}].data", t.data_offset, t.present,
                           f"{t.name or 'unknown'} float32")
            at = t.data_offset + t.present
        if at < self.size:
            yield Span("trailing", at, self.size - at, "bytes that belong to no field")


_OWN = [(k, f"arch.{k}") for k in (
    "stem_kernel", "stem_stride", "stem_channels", "block_channels", "final_channels",
    "embedding_dim", "gdc_kernel")]
_RECORDS = [[f"arch.stages[{i}].{k}" for k in "tns"] for i in range(fmt.STAGE_SLOTS)]


@lru_cache(maxsize=1)
def _readers() -> list[tuple[str, int, int, bool]]:
    return [(f.path, f.offset, f.size, f.size in (1, 2, 4) and f.path != "magic")
            for f in fmt.FIELDS.values()]


@lru_cache(maxsize=1)
def _names() -> list[str]:
    return [path for path, *_ in _readers()]


@lru_cache(maxsize=1)
def _prefix() -> struct.Struct:
    code = {1: "B", 2: "H", 4: "I"}
    parts = [code[size] if number else f"{size}s" for _, _, size, number in _readers()]
    whole = struct.Struct("<" + "".join(parts))
    assert whole.size == fmt.PREFIX_SIZE
    return whole


def scan(source: bytes | bytearray | memoryview, size: int = -1, tail: bytes = b"",
         more: bool = False) -> Scan:
    """Walk the bytes. Never raises on what they hold; reads nothing past their end.

    Of a file of which they are only the beginning, `size`, `tail` and `more` are as in Scan.
    """
    data = memoryview(source).cast("B")
    out = Scan(data, len(data) if size < 0 else size, tail, more)
    if len(data) < fmt.PREFIX_SIZE:
        for path, offset, size, number in _readers():
            if offset + size > len(data):
                break
            raw = bytes(data[offset:offset + size])
            out.values[path] = int.from_bytes(raw, "little") if number else raw
        return out
    out.values = dict(zip(_names(), _prefix().unpack_from(data), strict=True))
    out.arch, layout, sizes = _network(bytes(data[_HEADER:_HEADER + fmt.ARCH_SIZE]))
    out.tensors = Table(layout, sizes)
    json_len = out.values["json_len"]
    rest = len(data) - fmt.PREFIX_SIZE
    if json_len > fmt.MAX_JSON_LEN or json_len > rest:
        return out
    out.json_len = json_len
    out.mirror = data[fmt.PREFIX_SIZE:fmt.PREFIX_SIZE + json_len]
    at = fmt.PREFIX_SIZE + json_len
    out.end = at
    if rest - json_len < fmt.COUNT_SIZE:
        return out
    out.n_tensors = _U32.unpack_from(data, at)[0]
    _walk_table(out, at + fmt.COUNT_SIZE)
    return out


@lru_cache(maxsize=8)
def _network(header: bytes) -> tuple[Arch | None, Layout, array[int]]:
    """What the 80 bytes state: the arch or None, its layout, and the bytes of each tensor."""
    prefix = bytes(_HEADER) + header + bytes(fmt.COUNT_SIZE)
    stated = Scan(memoryview(prefix), len(prefix),
                  values=dict(zip(_names(), _prefix().unpack(prefix), strict=True)))
    try:
        arch = Arch(name="", width_mult=0.0, **vars(stated.raw_arch()))
    except Efm3Error:
        return None, (), _NONE
    layout = tensor_layout(arch)
    return arch, layout, array("Q", (4 * math.prod(shape) for _, shape in layout))


def _walk_table(out: Scan, at: int) -> None:
    data, read, table = out.data, _U32.unpack_from, out.tensors
    present = len(data)
    out.end = at
    for _ in range(min(out.n_tensors or 0, 2 * len(out.layout) or MAX_TENSORS)):
        rest = present - at - fmt.COUNT_SIZE
        if rest < 0:
            return
        size = read(data, at)[0]
        table.offsets.append(at)
        table.sizes.append(size)
        if size > rest:
            table.missing = size - rest
            return
        at += fmt.COUNT_SIZE + size
        out.end = at
