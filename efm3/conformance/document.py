# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The document that a Reader prints (spec/conformance.md): made from a file, and compared."""

from __future__ import annotations

import zlib
from typing import Any

from efm3 import format as fmt
from efm3 import mirror as mirrors
from efm3.scan import scan

LEAF_TYPES = ("u8", "u16", "u32", "u64", "f32", "crc32", "string", "integer", "number", "bool",
              "null")


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


def difference(want: Any, have: Any, path: str = "") -> str:
    """The first difference of two documents in words, or ""; `json` numbers as doubles."""
    if isinstance(want, dict) and isinstance(have, dict):
        if _is_leaf(want):
            return _leaf(want, have, path)
        for key in want:
            if key not in have:
                return f"{path}{key} is missing"
        extra = [k for k in have if k not in want]
        if extra:
            return f"{path}{mirrors.shown(extra[0])} does not belong there"
        return next(filter(None, (difference(want[k], have[k], f"{path}{k}.") for k in want)), "")
    if isinstance(want, list) and isinstance(have, list):
        if len(want) != len(have):
            return f"{path.rstrip('.')} has {len(have)} entries, not {len(want)}"
        pairs = enumerate(zip(want, have, strict=True))
        stem = path.rstrip(".")
        return next(filter(None, (difference(a, b, f"{stem}[{i}].") for i, (a, b) in pairs)), "")
    if want == have:
        return ""
    return (f"{path.rstrip('.') or 'the document'} is {mirrors.shown(have)}, "
            f"not {mirrors.shown(want)}")


def _is_leaf(value: dict[str, Any]) -> bool:
    return value.keys() == {"type", "value"} and all(isinstance(v, str) for v in value.values())


def _leaf(want: dict[str, str], have: dict[str, Any], path: str) -> str:
    same = want == have
    if not same and want["type"] in ("integer", "number") and _is_leaf(have):
        try:
            same = (have["type"] in ("integer", "number")
                    and float(want["value"]) == float(have["value"]))
        except ValueError:
            same = False
    return "" if same else (f"{path.rstrip('.')} is {mirrors.shown(have)}, not "
                            f"{want['type']} {mirrors.shown(want['value'])}")
