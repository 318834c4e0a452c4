# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Pictures that no library here writes, made by hand."""

from __future__ import annotations

import struct

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
