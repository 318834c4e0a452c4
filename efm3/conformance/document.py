# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The document that a Reader prints (spec/conformance.md): made from a file, and compared."""

from __future__ import annotations

import math
import re
import zlib
from decimal import Decimal
from typing import Any

from efm3 import format as fmt
from efm3 import mirror as mirrors
from efm3.conformance.differing import key_words
from efm3.scan import scan

LEAF_TYPES = ("u8", "u16", "u32", "u64", "f32", "crc32", "string", "integer", "number", "bool",
              "null")
_NUMBER = re.compile(r"-?[0-9]{1,9999}(\.[0-9]{1,9999})?([eE][+-]?0{0,9999}[0-9]{1,9})?")
"""The text of a number in a document; the limits bound what a comparison costs."""


def tag(kind: str, value: Any) -> dict[str, str]:
    """A tagged leaf."""
    return {"type": kind, "value": str(value)}


def _crc(data: memoryview) -> dict[str, str]:
    return tag("crc32", f"{zlib.crc32(data):08x}")


def _unsigned(path: str, value: int) -> dict[str, str]:
    return tag(f"u{8 * fmt.FIELDS[path].size}", value)


def _bits(data: memoryview) -> dict[str, str]:
    return tag("f32", bytes(data)[::-1].hex())


def document(data: bytes, level: str = "structure") -> dict[str, Any]:
    """The document of a file that is valid at `level` (structure, or one above for `json`)."""
    s = scan(data)
    assert s.complete and s.arch is not None and s.mirror is not None
    arch: dict[str, Any] = {
        path.removeprefix("arch."): _unsigned(path, s.values[path]) for path in fmt.FIELDS
        if path.startswith("arch.") and "stages[" not in path and path != "arch.pad"}
    arch["stages"] = [
        {k: _unsigned(f"arch.stages[{i}].{k}", s.values[f"arch.stages[{i}].{k}"]) for k in "tns"}
        for i in range(len(s.arch.stages))]
    out: dict[str, Any] = {
        "version": _unsigned("version", s.values["version"]), "arch": arch,
        "mirror": {"offset": tag("u32", fmt.PREFIX_SIZE), "length": tag("u32", len(s.mirror)),
                   "crc32": _crc(s.mirror)},
        "tensors": [{
            "name": tag("string", t.name), "shape": [tag("u32", n) for n in t.shape],
            "offset": tag("u64", t.data_offset),
            "first": _bits(s.data[t.data_offset:t.data_offset + 4]),
            "last": _bits(s.data[t.data_offset + t.size - 4:t.data_offset + t.size]),
            "crc32": _crc(s.data[t.data_offset:t.data_offset + t.size])} for t in s.tensors]}
    if level != "structure":
        out["json"] = tagged(mirrors.parse(bytes(s.mirror)))
    return out


def tagged(value: Any) -> Any:
    """A parsed JSON value with every leaf tagged."""
    if isinstance(value, dict):
        return {k: tagged(v) for k, v in value.items()}
    if isinstance(value, list):
        return [tagged(v) for v in value]
    kind = mirrors.kind_of(value)
    if kind == "boolean":
        return tag("bool", "true" if value else "false")
    return tag(kind, "" if value is None else value)


def difference(want: Any, have: Any, path: str = "", exact: bool = False) -> str:
    """The first difference of two documents in words, or "".

    In `json` an integer that 64 bits hold (with `exact`: any) is compared exactly, every other
    number as a binary64.
    """
    if want == have:  # as nearly always: at once
        return ""
    if isinstance(want, dict) and isinstance(have, dict):
        if _is_leaf(want):
            return _leaf(want, have, path, exact)
        for key in want:
            if key not in have:
                return f"{path}{key_words(key)} is missing"
        extra = [k for k in have if k not in want]
        if extra:
            return f"{path}{mirrors.shown(extra[0])} does not belong there"
        return next(filter(None, (difference(want[k], have[k], f"{path}{key_words(k)}.", exact)
                                  for k in want)), "")
    if isinstance(want, list) and isinstance(have, list):
        if len(want) != len(have):
            return f"{path.rstrip('.')} has {len(have)} entries, not {len(want)}"
        stem, pairs = path.rstrip("."), enumerate(zip(want, have, strict=True))
        return next(filter(None, (difference(a, b, f"{stem}[{i}].", exact)
                                  for i, (a, b) in pairs)), "")
    return "" if want == have else _told(path, have, want)


def _told(path: str, have: Any, want: Any) -> str:
    found, expected = (f"{v['type']} {mirrors.shown(v['value'])}" if _is_leaf(v)
                       else mirrors.shown(v) for v in (have, want))
    return f"{path.rstrip('.') or 'the document'}: found {found}, expected {expected}"


def _is_leaf(value: Any) -> bool:
    return (isinstance(value, dict) and value.keys() == {"type", "value"}
            and all(isinstance(v, str) for v in value.values()))


def _leaf(want: dict[str, str], have: dict[str, Any], path: str, exact: bool) -> str:
    numbers = ("integer", "number")
    if want == have or (want["type"] in numbers and _is_leaf(have) and have["type"] in numbers
                        and same_number(want["value"], have["value"], exact)):
        return ""
    return _told(path, have, want)


def same_number(want: str, have: str, exact: bool = False) -> bool:
    """Whether a number's text is one for the same value as the file's.

    An integer that 64 bits hold (with `exact`: any) is the same number exactly; any other is the
    same binary64, the sign of zero included.
    """
    if _NUMBER.fullmatch(have) is None:
        return False
    if want.lstrip("-").isdigit() and (exact or -1 << 63 <= int(want) < 1 << 64):
        return Decimal(have) == int(want)
    a, b = float(want), float(have)
    return a == b and math.copysign(1, a) == math.copysign(1, b)
