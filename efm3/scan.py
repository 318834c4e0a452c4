# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Bytes to Scan: tolerant and bounded; says what is where and never raises on content.

Every length is compared with the bytes that remain before it is used, and the
walk over the tensor table stops at the longest table that any arch can have.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, NamedTuple

from efm3 import format as fmt
from efm3.arch import Arch, Stage, problems
from efm3.network import tensor_layout

_U32 = struct.Struct("<I")

# Six tensors for each of expand and dw, five for project; 28 outside the stages.
MAX_TENSORS = fmt.MAX_BLOCKS * 17 + 28


class TensorSpan(NamedTuple):
    """An entry of the table as it stands: where its size field is, what it says, what is there.

    `present` counts payload bytes before the end of the file; `name` and `shape`
    come from the layout and are "" and () where the header gives none.
    """

    number: int
    offset: int
    size: int
    present: int
    name: str
    shape: tuple[int, ...]

    @property
    def data_offset(self) -> int:
        """First payload byte."""
        return self.offset + fmt.COUNT_SIZE

    @property
    def expected(self) -> int:
        """Payload bytes by the layout (0 where there is none)."""
        return 4 * math.prod(self.shape) if self.shape else 0


class Span(NamedTuple):
    """A named stretch of the file."""

    path: str
    offset: int
    length: int
    doc: str


@dataclass
class Scan:
    """What stands where in `data`. Parts that the file does not reach are None or empty."""

    data: memoryview
    values: dict[str, Any] = field(default_factory=dict)
    arch: Arch | None = None
    json_len: int | None = None
    mirror: memoryview | None = None
    n_tensors: int | None = None
    tensors: list[TensorSpan] = field(default_factory=list)
    end: int = 0
    """Where the walk stopped: the end of the last whole tensor."""

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return len(self.data)

    @property
    def layout(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """The layout of the header's arch; empty where the header states none."""
        return tensor_layout(self.arch) if self.arch else ()

    @property
    def table_offset(self) -> int | None:
        """Offset of the first size field, where json_len is believable."""
        return None if self.json_len is None else fmt.PREFIX_SIZE + self.json_len + fmt.COUNT_SIZE

    @property
    def complete(self) -> bool:
        """True where the table is the layout's, byte for byte, and ends the file."""
        return (self.arch is not None and self.n_tensors == len(self.layout) == len(self.tensors)
                and all(t.size == t.expected == t.present for t in self.tensors)
                and self.end == self.size)

    def raw_arch(self) -> Any:
        """The header's values as an object with Arch's fields, whatever they are.

        Raises KeyError where the file ends inside the header.
        """
        get = self.values.__getitem__
        used = get("arch.n_stages")
        stages = [Stage(*(get(f"arch.stages[{i}].{k}") for k in "tns"))
                  if used <= fmt.STAGE_SLOTS else Stage(0, 0, 0) for i in range(used)]
        own = {k: get(f"arch.{k}") for k in (
            "stem_kernel", "stem_stride", "stem_channels", "block_channels",
            "final_channels", "embedding_dim", "gdc_kernel")}
        return SimpleNamespace(**own, stages=stages)

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


@lru_cache(maxsize=1)
def _readers() -> list[tuple[str, int, int, bool]]:
    return [(f.path, f.offset, f.size, f.size in (1, 2, 4) and f.path != "magic")
            for f in fmt.FIELDS.values()]


@lru_cache(maxsize=1)
def _prefix() -> struct.Struct:
    code = {1: "B", 2: "H", 4: "I"}
    parts = [code[size] if number else f"{size}s" for _, _, size, number in _readers()]
    whole = struct.Struct("<" + "".join(parts))
    assert whole.size == fmt.PREFIX_SIZE
    return whole


def scan(source: bytes | bytearray | memoryview) -> Scan:
    """Walk the bytes. Never raises on what they hold; reads nothing past their end."""
    data = memoryview(source).cast("B")
    out = Scan(data)
    if len(data) < fmt.PREFIX_SIZE:
        for path, offset, size, number in _readers():
            if offset + size > len(data):
                break
            raw = bytes(data[offset:offset + size])
            out.values[path] = int.from_bytes(raw, "little") if number else raw
        return out
    prefix = _prefix()
    out.values = dict(zip([r[0] for r in _readers()], prefix.unpack_from(data), strict=True))
    raw_arch = out.raw_arch()
    if next(problems(raw_arch), None) is None:
        out.arch = Arch(name="", width_mult=0.0, **vars(raw_arch))
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


def _walk_table(out: Scan, at: int) -> None:
    layout = out.layout
    size_of_file = len(out.data)
    out.end = at
    for index in range(min(out.n_tensors or 0, 2 * len(layout) or MAX_TENSORS)):
        if size_of_file - at < fmt.COUNT_SIZE:
            return
        name, shape = layout[index] if index < len(layout) else ("", ())
        size = _U32.unpack_from(out.data, at)[0]
        present = min(size, size_of_file - at - fmt.COUNT_SIZE)
        out.tensors.append(TensorSpan(index, at, size, present, name, shape))
        at += fmt.COUNT_SIZE + present
        if present < size:
            return
        out.end = at
