# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Places in a file: byte to field, tensor element and layer, and back."""

from __future__ import annotations

import math
import re
import struct
from typing import Any, TypedDict

from efm3 import format as fmt
from efm3.network import Layer, layers
from efm3.scan import Scan, Span, TensorSpan

_NUMBER = r"0[xX][0-9a-fA-F]{1,16}|[0-9]{1,19}"
_RANGE = re.compile(rf"({_NUMBER})?(?:([:+])({_NUMBER})?)?")
_ELEMENT = re.compile(r"([\w.]+)\[([0-9, ]{1,200})\]")


class Place(TypedDict):
    """A byte, and everything that contains it.

    `field` is the path of the field that holds it, `start` and `length` that field's
    bytes, `value` what the field (or the tensor's element) holds. Inside a tensor's
    values `tensor`, `shape`, `index` and `byte` (0..3 of the element) are set, and
    `layer` where the header gives one; elsewhere they are "" or null.
    """

    offset: int
    field: str
    doc: str
    start: int
    length: int
    value: Any
    tensor: str
    shape: list[int] | None
    index: list[int] | None
    byte: int | None
    layer: dict[str, Any] | None


def find(scan: Scan, text: str) -> tuple[int, int]:
    """(offset, length) in bytes of what `text` names.

    `text` is an offset (`92`, `0x5c`), a range (`92:100`, `92+8`, `:100`), a field or
    group of fields (`arch.stages[0].t`, `arch`, `json`, `tensors[3].size`), a tensor,
    or one of its values (`stem.conv.w[3,1,0,2]`). Raises ValueError, which says why.
    """
    text = text.strip()
    m = _RANGE.fullmatch(text)
    if m and text:
        return _range(scan, m)
    spans = [s for s in scan.spans() if s.path == text or s.path.startswith((f"{text}.",
                                                                           f"{text}["))]
    if spans:
        start = spans[0].offset
        return start, spans[-1].offset + spans[-1].length - start
    named = {t.name: t for t in scan.tensors if t.name}
    if text in named:
        return named[text].data_offset, named[text].present
    element = _ELEMENT.fullmatch(text)
    if element and element[1] in named:
        return _element(named[element[1]], element[2])
    raise ValueError(_unknown(scan, element[1] if element else text, list(named)))


def _range(scan: Scan, m: re.Match[str]) -> tuple[int, int]:
    first, mark, second = m.groups()
    start = int(first, 0 if first[:2] in ("0x", "0X") else 10) if first else 0
    end = int(second, 0 if second[:2] in ("0x", "0X") else 10) if second else scan.size
    if mark == "+" and second:
        end += start
    if not mark:
        end = start + 1
    if start >= scan.size or end <= start:
        raise ValueError(f"no byte of the file is in {m.string}; it has {scan.size:,} bytes")
    return start, min(end, scan.size) - start


def _element(t: TensorSpan, text: str) -> tuple[int, int]:
    index = [int(i) for i in text.split(",") if i.strip()]
    shape = "x".join(map(str, t.shape))
    if len(index) != len(t.shape):
        raise ValueError(f"{t.name} has shape {shape}: give {len(t.shape)} "
                         f"{'index' if len(t.shape) == 1 else 'indices'}, not {len(index)}")
    flat = 0
    for i, side in zip(index, t.shape, strict=True):
        if i >= side:
            raise ValueError(f"{t.name} has shape {shape}: no index {i} in {side}")
        flat = flat * side + i
    if 4 * flat + 4 > t.present:
        raise ValueError(f"the file holds {t.present:,} bytes of {t.name}; "
                         f"this value would be at {4 * flat:,}")
    return t.data_offset + 4 * flat, 4


def _unknown(scan: Scan, text: str, names: list[str]) -> str:
    from difflib import get_close_matches

    text = text[:80]
    near = get_close_matches(text, names + [s.path for s in scan.spans()], 3)
    hint = f"; near: {', '.join(near)}" if near else ""
    if not names:
        hint += "; the header gives no layout, so tensors have no names"
    return f"no field, tensor or range {text!r}{hint}"


def layer_of(scan: Scan, tensor: str) -> Layer | None:
    """The layer that a tensor belongs to, by the header."""
    name = tensor.rsplit(".", 2)[0]
    return next((x for x in layers(scan.arch) if x.name == name), None) if scan.arch else None


def describe(scan: Scan, offset: int) -> Place:
    """Every name of the byte at `offset`; raises ValueError past the end of the file."""
    span = next((s for s in scan.spans() if s.offset <= offset < s.offset + s.length), None)
    if span is None:
        raise ValueError(f"no byte {offset}; the file has {scan.size:,} bytes")
    place = Place(offset=offset, field=span.path, doc=span.doc, start=span.offset,
                  length=span.length, value=value_of(scan, span), tensor="", shape=None,
                  index=None, byte=None, layer=None)
    t = next((t for t in scan.tensors if t.data_offset == span.offset), None)
    if t is not None and span.path.endswith(".data"):
        flat, place["byte"] = divmod(offset - t.data_offset, 4)
        place["value"] = float_at(scan, t.data_offset + 4 * flat, t.data_offset + t.present)
        place["tensor"], place["shape"] = t.name, list(t.shape)
        if flat < math.prod(t.shape) and t.shape:
            place["index"] = unravel(flat, t.shape)
    owner = t or next((t for t in scan.tensors if t.offset == span.offset), None)
    if owner is not None and owner.name:
        layer = layer_of(scan, owner.name)
        place["layer"] = layer._asdict() if layer else None
    return place


def value_of(scan: Scan, span: Span) -> Any:
    """What a field holds: an integer, hex for bytes, None for long and truncated parts."""
    if span.path in fmt.FIELDS:
        raw = scan.values.get(span.path)
        return raw.hex(" ") if isinstance(raw, bytes) else raw
    if span.path == "n_tensors" or span.path.endswith(".size"):
        return int.from_bytes(scan.data[span.offset:span.offset + span.length], "little")
    return None


def float_at(scan: Scan, offset: int, end: int) -> float | str | None:
    """The float32 at `offset`; a word for NaN and infinities, None where it is cut off."""
    if offset + 4 > end:
        return None
    value: float = struct.unpack_from("<f", scan.data, offset)[0]
    return value if math.isfinite(value) else str(value)


def unravel(flat: int, shape: tuple[int, ...]) -> list[int]:
    """The index of the value at position `flat` of a C-ordered array."""
    index = []
    for side in reversed(shape):
        flat, i = divmod(flat, side)
        index.append(i)
    return index[::-1]
