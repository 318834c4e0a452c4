# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A small valid file, and the ways to damage it that examples and tests share."""

from __future__ import annotations

import hashlib
import json
import math
import struct
from array import array
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from efm3 import format as fmt
from efm3 import mirror as mirrors
from efm3.arch import Arch, Stage
from efm3.network import tensor_layout
from efm3.scan import Scan, scan

ARCH = Arch("sample", 0.125, 8, 8, 16, 8, 7,
            (Stage(2, 1, 2), Stage(1, 2, 2), Stage(2, 1, 2)))

Patch = Callable[[bytes], bytes]
Table = list[tuple[str, bytes]]


def values(name: str, count: int) -> bytes:
    """Plausible float32 values for a tensor, the same everywhere (all are dyadic)."""
    kind = name.rsplit(".", 2)[1:]
    start = sum(name.encode()) % 97
    steps = [(start + 37 * i) % 101 - 50 for i in range(min(count, 101))]  # then they repeat
    offset, scale = {"bn.w": (1.0, 512), "bn.var": (1.0, 128), "act.w": (0.25, 512)}.get(
        ".".join(kind), (0.0, 256))
    out = array("f", [offset + (s or 1) / scale for s in steps])
    if struct.pack("=H", 1) != struct.pack("<H", 1):
        out.byteswap()
    return (out.tobytes() * (count // 101 + 1))[:4 * count]


def build(arch: Arch = ARCH, table: Table | None = None, text: bytes | None = None,
          header: dict[str, Any] | None = None) -> bytes:
    """A file of these parts; what is not given is the valid part of `arch`."""
    if text is None:
        text = mirrors.canonical(arch, align=True)
    if table is None:
        table = [(n, values(n, math.prod(s))) for n, s in tensor_layout(arch)]
    prefix = fmt.PREFIX.build({"magic": fmt.MAGIC, "version": fmt.VERSION, "json_len": len(text),
                               "arch": arch.header() | (header or {})})
    parts = [prefix, text, fmt.U32.build(len(table))]
    for _, data in table:
        parts += [fmt.U32.build(len(data)), data]
    return b"".join(parts)


@lru_cache(maxsize=1)
def base() -> bytes:
    """The small valid file."""
    return build()


def sealed() -> bytes:
    """The small valid file with the digest of its table."""
    return digest_of(base())


def digest_of(data: bytes) -> bytes:
    """`data` with its own digest under meta.sha256."""
    start = scan(data).table_offset
    assert start is not None
    digest = hashlib.sha256(data[start:]).hexdigest()
    return with_mirror(lambda m: m | {"meta": {"sha256": digest}})(data)


def put(offset: int, new: bytes) -> Patch:
    """Overwrite bytes at `offset`."""
    return lambda data: data[:offset] + new + data[offset + len(new):]


def field(path: str, value: int | bytes) -> Patch:
    """Overwrite a field of the prefix."""
    f = fmt.FIELDS[path]
    new = value if isinstance(value, bytes) else value.to_bytes(f.size, "little")
    return put(f.offset, new)


def text(new: bytes | Callable[[bytes], bytes]) -> Patch:
    """Replace the mirror's text and its length; a text that `new` makes stays aligned."""
    def patch(data: bytes) -> bytes:
        s = scan(data)
        old = bytes(s.mirror or b"")
        put_in = mirrors.pad(new(old.rstrip(b" "))) if callable(new) else new
        length: bytes = fmt.U32.build(len(put_in))
        return data[:fmt.PREFIX_SIZE - 4] + length + put_in + data[fmt.PREFIX_SIZE + len(old):]
    return patch


def with_mirror(change: Callable[[dict[str, Any]], Any]) -> Patch:
    """Replace the mirror by what `change` makes of its values, compact and aligned."""
    def patch(data: bytes) -> bytes:
        value = change(json.loads(bytes(scan(data).mirror or b"{}")))
        return text(lambda _: json.dumps(value, separators=(",", ":")).encode())(data)
    return patch


def with_table(change: Callable[[Table], Table]) -> Patch:
    """Rebuild the tensor table from what `change` makes of its (name, payload) rows."""
    def patch(data: bytes) -> bytes:
        s = scan(data)
        rows = [(t.name, bytes(data[t.data_offset:t.data_offset + t.size])) for t in s.tensors]
        table = change(rows)
        count: bytes = fmt.U32.build(len(table))
        head = data[:(s.table_offset or 0) - fmt.COUNT_SIZE] + count
        return head + b"".join(fmt.U32.build(len(d)) + d for _, d in table)
    return patch


def payload(name: str, change: Callable[[bytes], bytes]) -> Patch:
    """Replace the payload of every tensor whose name ends with `name`."""
    return with_table(lambda rows: [(n, change(d) if n.endswith(name) else d) for n, d in rows])


def weights(name: str, *new: float, at: int = 0) -> Patch:
    """Set values of the tensor `name` from index `at` on."""
    return payload(name, lambda d: put(4 * at, struct.pack(f"<{len(new)}f", *new))(d))


def fill(name: str, value: float) -> Patch:
    """Set all values of every tensor whose name ends with `name`."""
    return payload(name, lambda d: struct.pack("<f", value) * (len(d) // 4))


def size_of(name: str, change: Callable[[int], int]) -> Patch:
    """Overwrite the size field of the tensor `name` alone."""
    def patch(data: bytes) -> bytes:
        t = next(t for t in scan(data).tensors if t.name == name)
        return put(t.offset, change(t.size).to_bytes(fmt.COUNT_SIZE, "little"))(data)
    return patch


def spans(data: bytes) -> Scan:
    """`scan`, for tests that need offsets."""
    return scan(data)
