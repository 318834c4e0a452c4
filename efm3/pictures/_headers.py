# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Sizes of pictures, out of the first bytes of their files, before a decoder sees them.

Some decoders reserve memory for the whole picture when they open it, and some files say one size
in one place and another in the next: what is read here is what the decoder goes by.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

STEPS = 20_000
"""Most segments, blocks or boxes that are passed on the way to the size."""
MAX_SCANS = 200
"""Most scans of a JPEG: each is a pass over the whole picture, however few its bytes."""
MAX_VALUES = 1 << 17
"""Most numbers in a tag of a TIFF: a picture's strips are fewer."""


class Damaged(ValueError):
    """The header is no header of its form; the text says why."""


class Size(NamedTuple):
    """Width and height in pixels, and what a decoder needs besides that of its form: `working`
    bytes a pixel, and `fixed` bytes."""

    width: int
    height: int
    working: float = 0
    fixed: int = 0


def numbers(form: str, data: bytes, at: int) -> tuple[int, ...]:
    """The numbers that stand at a place. Raises Damaged past the end."""
    try:
        return struct.unpack_from(form, data, at)
    except struct.error:
        raise Damaged("it ends within its header") from None


def png(data: bytes) -> Size:
    """The size in IHDR, the first chunk."""
    if data[12:16] != b"IHDR":
        raise Damaged("it does not begin with IHDR")
    return Size(*numbers(">II", data, 16))


def bmp(data: bytes) -> Size:
    """The size in the header, which has two forms; rows may go upwards."""
    (length,) = numbers("<I", data, 14)
    width, height = numbers("<HH" if length == 12 else "<ii", data, 18)
    return Size(width, abs(height))


def tga(data: bytes) -> Size:
    """The size in the header."""
    return Size(*numbers("<HH", data, 12))


def webp(data: bytes) -> Size:
    """The size of the canvas, or of the one picture."""
    chunk = data[12:16]
    if chunk == b"VP8X":
        width, width_high, height, height_high = numbers("<HBHB", data, 24)
        return Size(1 + width + (width_high << 16), 1 + height + (height_high << 16))
    if chunk == b"VP8L":
        (bits,) = numbers("<I", data, 21)
        return Size(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
    width, height = numbers("<HH", data, 26)
    return Size(width & 0x3FFF, height & 0x3FFF)


_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_ALONE = {0x00, 0x01, *range(0xD0, 0xD9)}
_ONE_PASS = {0xC0, 0xC1, 0xC9}


def jpeg(data: bytes) -> Size:
    """The size in the frame's header.

    A decoder keeps a picture of several scans as coefficients, two bytes each.
    """
    frame, areas, width, height = 0, [0], 0, 0
    for marker, at in _segments(data):
        if marker in _FRAMES and not frame:
            frame = marker
            height, width, count = numbers(">HHB", data, at + 3)
            factors = numbers(f"{3 * count}B", data, at + 8)[1::3]
            areas = [(f >> 4) * (f & 15) for f in factors]
        elif marker == 0xDA and frame:
            break
    else:
        raise Damaged("no frame and scan among its segments")
    if frame in _ONE_PASS and numbers("B", data, at + 2) == (len(areas),):
        return Size(width, height)
    if data.count(b"\xff\xda", at - 2) > MAX_SCANS:
        raise Damaged(f"more than {MAX_SCANS} scans")
    return Size(width, height, 2 * sum(areas) / max(1, *areas))


def _segments(data: bytes, at: int = 2) -> Iterator[tuple[int, int]]:
    """Markers of a JPEG, each with the place of the length behind it."""
    last = len(data) - 4
    for _ in range(STEPS):
        at = data.find(b"\xff", at)
        if not 0 <= at <= last:
            return
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in _ALONE:
            at += 2
        else:
            yield marker, at + 2
            at += 2 + (data[at + 2] << 8 | data[at + 3])


def gif(data: bytes) -> Size:
    """The screen, and the first picture where that is larger."""
    width, height, flags = numbers("<HHB", data, 6)
    at = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    steps = iter(range(STEPS))
    for _ in steps:
        block = data[at:at + 1]
        if block == b",":
            left, top, wide, high = numbers("<HHHH", data, at + 1)
            return Size(max(width, left + wide), max(height, top + high))
        if block != b"!":
            break
        at += 2
        for _ in steps:
            length = sum(data[at:at + 1])
            at += 1 + length
            if not length:
                break
    raise Damaged("no picture among its blocks")


_TIFF_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4,
               16: 8, 17: 8, 18: 8}
_TIFF_FORMS = {1: "B", 3: "H", 4: "I", 16: "Q"}
_WIDTH, _HEIGHT, _BITS, _SAMPLES, _ROWS, _TILE_WIDTH, _TILE_HEIGHT = (
    256, 257, 258, 277, 278, 322, 323)


def tiff(data: bytes) -> Size:
    """The size in the first directory; a strip or tile is decoded beside the picture."""
    order = "<" if data[:2] == b"II" else ">"
    big = numbers(order + "H", data, 2) == (43,)
    (at,) = numbers(order + ("Q" if big else "I"), data, 8 if big else 4)
    (count,), at = numbers(order + ("Q" if big else "H"), data, at), at + (8 if big else 2)
    found: dict[int, int] = {}
    for i in range(min(count, 1 << 16)):
        entry = at + i * (20 if big else 12)
        tag, kind, values = numbers(order + ("HHQ" if big else "HHI"), data, entry)
        size = _TIFF_SIZES.get(kind, 1)
        if size > 1 and values > MAX_VALUES:
            raise Damaged(f"tag {tag} has {values} values")
        if kind in _TIFF_FORMS and values:
            place = entry + (12 if big else 8)
            if size * values > (8 if big else 4):
                (place,) = numbers(order + ("Q" if big else "I"), data, place)
            (found[tag],) = numbers(order + _TIFF_FORMS[kind], data, place)
    width, height = found.get(_WIDTH, 0), found.get(_HEIGHT, 0)
    pixel = found.get(_BITS, 8) / 8 * found.get(_SAMPLES, 1)
    strip = width * min(height, found.get(_ROWS, height))
    tile = found.get(_TILE_WIDTH, 0) * found.get(_TILE_HEIGHT, 0)
    return Size(width, height, 0, int(min(max(strip, 2 * tile) * pixel, 1 << 62)))


def boxes(data: bytes, at: int, end: int,
          steps: Iterator[int] | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of the contents of the boxes of an ISO file, one after the other.

    `steps` bounds how many, of several walks together.
    """
    for _ in steps or iter(range(STEPS)):
        if at + 8 > end:
            return
        length, name = numbers(">I", data, at)[0], data[at + 4:at + 8]
        head = 8
        if length == 1:
            (length,), head = numbers(">Q", data, at + 8), 16
        stop = end if length == 0 else at + length
        if stop < at + head or stop > end:
            return
        yield name, at + head, stop
        at = stop


def jp2(data: bytes) -> Size:
    """The size in the codestream of a JPEG 2000 file, or of a codestream alone."""
    at = 0 if data[:4] == b"\xff\x4f\xff\x51" else next(
        (start for name, start, _ in boxes(data, 0, len(data)) if name == b"jp2c"), -1)
    if at < 0 or data[at:at + 4] != b"\xff\x4f\xff\x51":
        raise Damaged("no codestream among its boxes")
    right, bottom, left, top, *_, components = numbers(">8IH", data, at + 8)
    return Size(right - left, bottom - top, 5.0 * components)


def jxl(data: bytes) -> Size:
    """The size in the codestream of a JPEG XL file, or of a codestream alone."""
    at = 0 if data[:2] == b"\xff\x0a" else next(
        (start + 4 * (name == b"jxlp") for name, start, _ in boxes(data, 0, len(data))
         if name in (b"jxlc", b"jxlp")), -1)
    if at < 0 or data[at:at + 2] != b"\xff\x0a":
        raise Damaged("no codestream among its boxes")
    bits = int.from_bytes(data[at + 2:at + 14], "little")

    def take(count: int) -> int:
        nonlocal bits
        value, bits = bits & ((1 << count) - 1), bits >> count
        return value

    small = take(1)

    def side() -> int:
        return 8 * (1 + take(5)) if small else 1 + take((9, 13, 18, 30)[take(2)])

    height = side()
    ratio = ((0, 1), (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))[take(3)]
    return Size(height * ratio[0] // ratio[1] or side(), height)
