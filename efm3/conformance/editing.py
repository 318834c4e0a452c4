# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""An edit of a file: what its text asks for, and the suite's own Editor.

The Editor moves bytes: the header and the weights that stay are never read as numbers, so that
a NaN keeps its payload, and integers of the mirror stay integers.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
from collections.abc import Iterator
from typing import Any

from efm3 import format as fmt
from efm3 import mirror as mirrors
from efm3.findings import refuse
from efm3.model import load
from efm3.scan import Scan, scan
from efm3.validator import validate

_BITS = re.compile("bits:([0-9a-fA-F]{8})")
_DIGEST = "sha256"


def change_of(text: str) -> dict[str, Any]:
    """`meta` and `values` that the text of an edit asks for. Raises Efm3Error D005.

    Its grammar is the mirror's, with any white space after it: what no mirror may hold cannot be
    set.
    """
    try:
        change = mirrors.parse(text.rstrip(" \t\r\n").encode("utf-8", "surrogatepass"))
    except mirrors.MirrorProblem as e:
        refuse("D005", f"the edit cannot be read: {e.message}", "edit")
    meta, values = change.get("meta", {}), change.get("values", [])
    if not isinstance(meta, dict) or not isinstance(values, list):
        refuse("D005", "meta is no object or values no list", "edit",
               f"{mirrors.kind_of(meta)} and {mirrors.kind_of(values)}", "object and array")
    return {"meta": meta, "values": values}


def bits_of(value: Any) -> bytes:
    """A value of an edit as the bytes of its f32. Raises Efm3Error D005 where none is exact."""
    if isinstance(value, str) and (m := _BITS.fullmatch(value)):
        return bytes.fromhex(m.group(1))[::-1]
    if mirrors.is_kind(value, "number"):
        try:
            packed = struct.pack("<f", value)
            if struct.unpack("<f", packed)[0] == value:
                return packed
        except OverflowError:
            pass
    refuse("D005", f"float32 does not hold {mirrors.shown(value)} exactly", "edit.values.value",
           mirrors.shown(value), "a number that float32 holds, or bits:XXXXXXXX")


def changed_bytes(scanned: Scan, values: list[Any]) -> Iterator[tuple[int, bytes]]:
    """(offset in the table, new bytes) of each value. Raises Efm3Error D005."""
    tensors = {t.name: t for t in scanned.tensors}
    for v in values:
        if not isinstance(v, dict) or not isinstance(v.get("tensor"), str):
            refuse("D005", "an element of values names no tensor", "edit.values",
                   mirrors.shown(v), "an object with tensor, at, value")
        t = tensors.get(v["tensor"])
        if t is None:
            refuse("D005", f"there is no tensor {mirrors.shown(v['tensor'])}",
                   "edit.values.tensor", mirrors.shown(v["tensor"]), "a name of the layout")
        at, count = v.get("at"), t.size // 4
        if not isinstance(at, int) or isinstance(at, bool) or not 0 <= at < count:
            refuse("D005", f"{t.name} has no value {mirrors.shown(at)}", "edit.values.at",
                   mirrors.shown(at), f"an integer of 0..{count - 1}")
        yield t.data_offset - (scanned.table_offset or 0) + 4 * at, bits_of(v.get("value"))


def table_of(scanned: Scan, values: list[Any]) -> bytes:
    """The table of a file after the edit. Raises Efm3Error D005."""
    table = bytearray(scanned.data[scanned.table_offset or 0:])
    for at, new in changed_bytes(scanned, values):
        table[at:at + 4] = new
    return bytes(table)


def mirror_of(scanned: Scan, meta: dict[str, Any]) -> dict[str, Any]:
    """The parsed mirror of a file after the edit, but for its digest."""
    old = mirrors.parse(bytes(scanned.mirror or b""))
    new = mirrors.meta_of(old) | meta
    return old | ({fmt.META_KEY: new} if new else {})


def edited(data: bytes, text: str) -> bytes:
    """The file `data`, changed as the text of an edit says. Raises Efm3Error.

    A file that held a digest, or is asked to, holds the right one; aligned tensors stay aligned.
    """
    load(data)
    scanned, change = scan(data), change_of(text)
    table, mirror = table_of(scanned, change["values"]), mirror_of(scanned, change["meta"])
    meta = mirrors.meta_of(mirror)
    if _DIGEST in meta:
        meta[_DIGEST] = hashlib.sha256(table).hexdigest()
    spelled = json.dumps(mirror, separators=(",", ":")).encode("ascii")
    if (scanned.table_offset or 0) % fmt.TENSOR_ALIGN == 0:
        spelled = mirrors.pad(spelled)
    new = b"".join([data[:fmt.FIELDS["json_len"].offset], fmt.U32.build(len(spelled)), spelled,
                    fmt.U32.build(len(scanned.tensors)), table])
    wrong = validate(new, "coherence").at_least("error")
    if wrong:
        refuse("D006", f"the edited file would be invalid: {wrong[0].message}", wrong[0].path,
               wrong[0].found, wrong[0].expected)
    return new
