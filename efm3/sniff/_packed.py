# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Files with an inner structure: the names in a zip archive, the fields of protobuf messages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from efm3.findings import printable
from efm3.sniff._kinds import KINDS, Kind

MOST_NAMES = 4096
"""Names that are looked at in an archive's directory."""
MOST_FIELDS = 64
"""Fields that are looked at in a message."""
_LOCAL, _ENTRY, _END = b"PK\3\4", b"PK\1\2", b"PK\5\6"
_NAME_AT = {_LOCAL: (30, 26), _ENTRY: (46, 28)}
_TORCH_DATA = re.compile(r"[^/]+/(?:data/\d+|\.data/|\.format_version|byteorder)")
_EXPORTED = re.compile(r"(?:[^/]+/)?(?:models/\w+\.json|archive_format|"
                       r"serialized_exported_program\.json)")


def names(head: bytes, tail: bytes, size: int) -> list[str]:
    """The names in an archive's directory as far as it is in its tail, and the first entry's."""
    found = []
    first = _name(head, 0, _LOCAL)
    if first:
        found.append(first[0])
    at, end = _directory(tail, size)
    while at < end and len(found) < MOST_NAMES:
        entry = _name(tail, at, _ENTRY)
        if entry is None:
            break
        found.append(entry[0])
        at = entry[1]
    return found


def _directory(tail: bytes, size: int) -> tuple[int, int]:
    """Where the directory begins in the tail, or its first whole entry there; and where it ends."""
    end = tail.rfind(_END)
    start = max(0, int.from_bytes(tail[end + 16:end + 20], "little") - (size - len(tail)))
    return (start if tail[start:start + 4] == _ENTRY else tail.find(_ENTRY)), end


def _name(data: bytes, at: int, sign: bytes) -> tuple[str, int] | None:
    """(name, where the next entry of a directory begins) of the entry at `at`."""
    fixed, field = _NAME_AT[sign]
    if data[at:at + 4] != sign or at + fixed > len(data):
        return None
    length = int.from_bytes(data[at + field:at + field + 2], "little")
    name = data[at + fixed:at + fixed + length].decode("utf-8", "replace")
    more = sum(int.from_bytes(data[at + k:at + k + 2], "little") for k in (field + 2, field + 4))
    return name, at + fixed + length + more


def of_zip(head: bytes, tail: bytes, size: int) -> Kind:
    """What an archive is by the names in it."""
    found = names(head, tail, size)
    leaves = {name.rpartition("/")[2] for name in found}
    if "data.pkl" in leaves:
        code = "constants.pkl" in leaves or any("/code/" in name for name in found)
        return KINDS["torchscript" if code else "torch"]
    if any(_EXPORTED.fullmatch(name) for name in found):
        return KINDS["torch_export"]
    if found and all(name.endswith(".npy") for name in found):
        return KINDS["npz"]
    if {"config.json", "model.weights.h5"} <= leaves or {"config.json", "metadata.json"} <= leaves:
        return KINDS["keras"]
    if any("com.apple.CoreML" in name or ".mlmodelc/" in name for name in found):
        return KINDS["mlpackage"]
    if found and all(_TORCH_DATA.match(name) for name in found):
        return KINDS["torch"]  # cut in front of its data.pkl
    files = [printable(name[:60]) for name in found if not name.endswith("/")]
    inside = ", ".join(dict.fromkeys(files[:3]))
    return KINDS["zip"]._replace(detail=f" that holds {inside}" if inside else "")


class Field(NamedTuple):
    """A field of a message: `value` of a varint, `start` and `end` of a payload in the data."""

    number: int
    wire: int
    value: int
    start: int
    end: int


def fields(data: bytes, at: int = 0, end: int = 0) -> Iterator[Field]:
    """The fields of the message at `at`, as far as they are in the data and are fields.

    A payload may reach past the data, but not past the message's own `end`; it is then the last.
    """
    have = min(end or len(data), len(data))
    for _ in range(MOST_FIELDS):
        key, at = _varint(data, at, have)
        number, wire = key >> 3, key & 7
        if not 0 < number < 1 << 29 or wire not in (0, 1, 2, 5):
            return
        value, after = (_varint(data, at, have) if wire in (0, 2)
                        else (0, at + 4 * (1 + (wire == 1))))
        stop = after + value if wire == 2 else after
        if after < 0 or (end and stop > end):
            return
        yield Field(number, wire, value, after, stop)
        at = stop


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """(value, where it ends), or (0, -1) where there is none."""
    value = 0
    for i in range(10):
        if at + i >= end:
            return 0, -1
        value |= (data[at + i] & 0x7F) << 7 * i
        if data[at + i] < 0x80:
            return value, at + i + 1
    return 0, -1


def _first(data: bytes, of: Field) -> Field | None:
    """The first field of the message in a field's payload."""
    return next(fields(data, of.start, of.end), None)


def _text(data: bytes, of: Field) -> str:
    """The text in a field's payload, as far as it is in the data; "" where it is none."""
    try:
        text = data[of.start:of.end].decode("utf-8")
    except UnicodeDecodeError:
        return ""
    return text if text.isprintable() else ""


_ONNX_NUMBERS = {1, 5}
_ONNX_TEXTS = {2, 3, 4}
_ONNX_MESSAGES = {6, 7, 8, 14, 20, 25, 26}
_SAID = bytes([9, 10, 13, *range(32, 127), *range(128, 256)])
_GRAPH = {1, 2, 5, 10, 11, 12, 13, 14, 15, 16}


def is_onnx(head: bytes) -> bool:
    """True for a ModelProto: its version, then its graph or its opsets among its known fields."""
    seen: set[int] = set()
    for f in fields(head):
        if f.number in _ONNX_NUMBERS:
            if f.wire != 0 or (f.number == 1 and not 0 < f.value < 64):
                return False
        elif f.wire != 2 or f.number not in _ONNX_TEXTS | _ONNX_MESSAGES:
            return False
        if f.number in _ONNX_TEXTS and f.end > f.start and not _text(head, f):
            return False
        seen.add(f.number)
        if f.number == 6 and f.end > len(head):
            said = head[f.start:]
            return 1 in seen and bool(said) and not said.translate(None, _SAID)
        if f.number == 7 and 1 in seen:
            inner = _first(head, f)
            return f.end == f.start or (inner is not None and inner.number in _GRAPH)
    return {1, 8} <= seen


def is_coreml(head: bytes) -> bool:
    """True for a Model of Core ML: a version, then a description whose first input has a name."""
    version, description = _two(head)
    if not 0 < version < 32:
        return False
    one = description and _first(head, description)
    name = one and _first(head, one)
    return bool(one and name and one.number == name.number == 1 and _text(head, name))


def is_saved_model(head: bytes) -> bool:
    """True for a SavedModel: version 1, then a graph whose first field is its MetaInfoDef."""
    version, graph = _two(head)
    info = graph and _first(head, graph)
    inner = info and _first(head, info)
    return bool(version == 1 and info and inner and info.number == 1 and inner.wire == 2
                and inner.number in (2, 3, 4, 5))


def _two(head: bytes) -> tuple[int, Field | None]:
    """A message's number 1 and its message 2, where those are its first fields; else (0, None)."""
    found = list(islice(fields(head), 2))
    if [(f.number, f.wire) for f in found] != [(1, 0), (2, 2)]:
        return 0, None
    return found[0].value, found[1]


def is_graph(head: bytes) -> bool:
    """True for a GraphDef of TensorFlow: its first node has a name and an operation."""
    node = next(fields(head), None)
    if node is None or (node.number, node.wire) != (1, 2):
        return False
    inside = fields(head, node.start, node.end)
    name, op = next(inside, None), next(inside, None)
    return bool(name and op and (name.number, op.number) == (1, 2) and _text(head, name)
                and re.fullmatch(r"[A-Z]\w*", _text(head, op)))


def is_caffe(head: bytes) -> bool:
    """True for a NetParameter: a layer with a name or a type, and known fields before it."""
    for f in fields(head):
        if f.number in (1, 3):
            if not _text(head, f):
                return False
        elif f.number in (2, 100):
            inner = _first(head, f)
            texts = (2, 3, 4) if f.number == 2 else (1, 2)
            return bool(inner and inner.number in texts and _text(head, inner))
        elif f.number not in (4, 5, 6, 7, 8):
            return False
    return False
