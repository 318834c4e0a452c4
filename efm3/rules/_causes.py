# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""One mistake that explains a whole file, or its whole tensor table."""

from __future__ import annotations

import struct
from collections.abc import Callable
from itertools import islice

from efm3 import format as fmt
from efm3.scan import Scan, TensorSpan, scan


def head(s: Scan, n: int = 512) -> bytes:
    """The file's first `n` bytes."""
    return bytes(s.data[:n])


def _safetensors(s: Scan, head: bytes) -> bool:
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") < s.size


def _onnx(s: Scan, head: bytes) -> bool:
    # ModelProto: field 1 (ir_version) as a small varint, then producer_name (2) or a later field.
    return head[:1] == b"\x08" and len(head) > 3 and head[1] < 32 and head[2] in (0x12, 0x3A, 0x42)


def _html(s: Scan, head: bytes) -> bool:
    return head.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml", b"<head"))


def _text_mode(s: Scan, head: bytes) -> bool:
    """CR LF where a lone LF was, or UTF-8 of Latin-1: both break counts inside the prefix."""
    if not head.startswith(fmt.MAGIC) or s.complete:
        return False
    widened = head.count(b"\r\n") and scan(bytes(s.data).replace(b"\r\n", b"\n")).complete
    replaced = bytes(s.data[:1 << 16]).count(b"\xef\xbf\xbd") > 8
    return bool(widened or replaced)


def _big_endian(s: Scan, head: bytes) -> bool:
    return head[:4] == fmt.MAGIC and head[4:8] == struct.pack(">I", fmt.VERSION)


def _starts(*magics: bytes) -> Callable[[Scan, bytes], bool]:
    return lambda s, head: head.startswith(magics)


CAUSES: tuple[tuple[str, Callable[[Scan, bytes], bool]], ...] = (
    ("C010", _starts(b"version https://git-lfs")),
    ("C011", _html),
    ("C012", _starts(b"\x1f\x8b")),
    ("C013", _starts(b"PK\x03\x04", b"PK\x05\x06")),
    ("C014", _starts(b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")),
    ("C015", _onnx),
    ("C016", _safetensors),
    ("C017", _starts(b"GGUF")),
    ("C018", _starts(b"\x93NUMPY")),
    ("C019", _starts(b"EFXS", b"EFX2")),
    ("C020", _big_endian),
    ("C021", _starts(b"3MFE")),
    ("C022", _starts(b"efm3", b"Efm3")),
    ("C023", _starts(b"\xef\xbb\xbfEFM3")),
    ("C024", _text_mode),
    ("C025", lambda s, head: s.size > 3 and not any(head)),
    ("C026", _starts(b"{", b"[")),
)
"""What a file really is, most telling first: rule code, and a test of scan and first bytes."""

_START = fmt.MAGIC + struct.pack("<I", fmt.VERSION)
_LATER = [row for row in CAUSES if row[1] is _text_mode]


def of_file(s: Scan) -> str:
    """The rule code of what the bytes really are, or "".

    A wrong magic or version is a sufficient cause too, unless all that follows is correct.
    """
    first, version = head(s), s.values.get("version", fmt.VERSION)
    for code, test in CAUSES if first[:8] != _START else _LATER:
        if test(s, first):
            return code
    if not fmt.MAGIC.startswith(first[:4]) and not s.complete:
        return "C002"
    if version != fmt.VERSION and not s.complete:
        return "C003"
    return ""


def of_table(s: Scan) -> tuple[str, TensorSpan | None]:
    """(rule code, first entry) of one mistake that explains the whole table, or ("", None)."""
    bad = list(islice(s.tensors.misfits(), 3))
    if not bad:
        return "", None
    first = bad[0]
    have, full = s.tensors.sizes, s.tensors.expected
    if 1 < len(have) <= len(full):
        if all(2 * h == w for h, w in zip(have, full, strict=False)):
            return "T003", first
        if all(h == 2 * w for h, w in zip(have, full, strict=False)):
            return "T004", first
    i = first.number
    if s.n_tensors == len(full) - 1 and have[i:] == full[i + 1:]:
        return "T008", first
    if len(have) == s.n_tensors and have[i + 1:] == full[i:]:
        return "T009", first
    if first.size * 4 == first.expected:
        return "T005", first
    if int.from_bytes(first.size.to_bytes(4, "little"), "big") == first.expected:
        return "T006", first
    if len(bad) == 2 and (bad[0].size, bad[1].size) == (bad[1].expected, bad[0].expected):
        return "T007", first
    return "", None
