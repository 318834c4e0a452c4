# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Pictures that no library here writes, made by hand."""

from __future__ import annotations

import struct

import numpy as np

SHORT, LONG = 3, 4
_LETTERS = {SHORT: "H", LONG: "I"}


def writes(name: str) -> bool:
    """True where this Pillow was built with a library; an older one warns of a name it lacks."""
    from PIL import features

    return name in features.get_supported()


def tiff(tags: dict[int, tuple[int, ...]], data: bytes) -> bytes:
    """A little-endian TIFF: tags of a type and values, and the data, which are at byte 8."""
    entries, more, at = b"", b"", 8 + len(data) + 6 + 12 * len(tags)
    for tag, (kind, *values) in sorted(tags.items()):
        packed = struct.pack(f"<{len(values)}{_LETTERS[kind]}", *values)
        if len(packed) > 4:
            more, packed = more + packed, struct.pack("<I", at + len(more))
        entries += struct.pack("<HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
    return (struct.pack("<2sHI", b"II", 42, 8 + len(data)) + data + struct.pack("<H", len(tags))
            + entries + bytes(4) + more)


def icc(space: bytes, tags: dict[bytes, bytes], kind: bytes = b"mntr",
        pcs: bytes = b"XYZ ") -> bytes:
    """An ICC profile of version 2 with these tags."""
    at, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        table += struct.pack(">4sII", name, at + len(body), len(data))
        body += data
    head = struct.pack(">I4sI4s4s4s", at + len(body), b"", 0x02100000, kind, space, pcs)
    head = (head + bytes(12) + b"acsp").ljust(68, b"\0") + struct.pack(
        ">III", 0xF6D6, 0x10000, 0xD32D)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def xyz(*values: float) -> bytes:
    """A colour in an ICC profile."""
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(65536 * v) for v in values))


GAMMA = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(256 * 2.2))
LINEAR_GREY = icc(b"GRAY", {b"wtpt": xyz(0.9642, 1, 0.8249),
                            b"kTRC": b"curv\0\0\0\0" + struct.pack(">I", 0)})


def inks() -> bytes:
    """CMYK as Lab, by a table of its 16 corners: three inks darken, black is black."""
    corners = b""
    for cyan, magenta, yellow, black in np.ndindex(2, 2, 2, 2):
        light = 255 - 60 * (cyan + magenta + yellow)
        corners += bytes((0, 128, 128) if black else (
            light, 128 - 60 * cyan + 60 * magenta, 128 + 60 * yellow))
    ramp = bytes(range(256))
    matrix = struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
    table = (b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + matrix + ramp * 4 + corners + ramp * 3)
    return icc(b"CMYK", {b"wtpt": xyz(0.9642, 1, 0.8249), b"A2B0": table}, b"prtr", b"Lab ")
