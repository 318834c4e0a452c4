# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""How large the frames in an AVIF file are coded.

The file states the picture's size beside the coded frames, which have one of their own, and a
decoder reserves memory by that.
"""

from __future__ import annotations

from collections.abc import Iterator

from efm3.pictures._headers import STEPS, Damaged, boxes, numbers

ITEMS = 4096
"""Most pieces of coded data that are looked at: a large picture is a grid of them."""
_HOLDERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"meta"}
_SEQUENCE_HEADER, _DELIMITER = 1, 2


def coded_pixels(data: bytes) -> int:
    """Pixels of the largest frame that the file's items and tracks may hold. Raises Damaged."""
    most = 0
    for count, place in enumerate(_places(data, 0, len(data), iter(range(STEPS)))):
        if count == ITEMS:
            raise Damaged(f"more than {ITEMS} pieces of coded data")
        if (header := _sequence_header(data, place)) is not None:
            width, height = _frame(header)
            most = max(most, width * height)
    return most


def _places(data: bytes, at: int, end: int, steps: Iterator[int],
            depth: int = 0) -> Iterator[int]:
    """Where items and the chunks of tracks begin."""
    for name, start, stop in boxes(data, at, end, steps):
        if name in _HOLDERS and depth < 8:
            yield from _places(data, start + 4 * (name == b"meta"), stop, steps, depth + 1)
        elif name == b"iloc":
            within = (s for n, s, _ in boxes(data, at, end, steps) if n == b"idat")
            yield from _items(data, start, next(within, 0))
        elif name in (b"stco", b"co64"):
            (count,), size = numbers(">I", data, start + 4), 8 if name == b"co64" else 4
            for i in range(min(count, ITEMS)):
                yield _number(data, start + 8 + i * size, size)


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at:at + size], "big")


def _items(data: bytes, at: int, idat: int) -> Iterator[int]:
    """Where the first extent of each item begins, by an `iloc` box."""
    version, sizes = data[at], _number(data, at + 4, 2)
    offset, length, base, index = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    wide = 4 if version == 2 else 2
    count, at = _number(data, at + 6, wide), at + 6 + wide
    for _ in range(min(count, ITEMS + 1)):
        at += wide
        method = 0
        if version:
            method, at = _number(data, at, 2) & 15, at + 2
        at += 2
        start, at = _number(data, at, base), at + base
        extents, at = _number(data, at, 2), at + 2
        index_size = index if version else 0
        first = _number(data, at + index_size, offset)
        yield start + first + (idat if method == 1 else 0) if extents else len(data)
        at += extents * (index_size + offset + length)


def _sequence_header(data: bytes, at: int) -> bytes | None:
    """The first sequence header of coded data; None for data of another kind."""
    for _ in range(4):
        if at + 2 > len(data):
            return None
        head, at = data[at], at + 1 + (data[at] >> 2 & 1)
        size, shift = 0, 0
        while head & 2 and at < len(data) and shift < 35:
            size, shift, at = size | (data[at] & 127) << shift, shift + 7, at + 1
            if data[at - 1] < 128:
                break
        kind = head >> 3
        if kind == _SEQUENCE_HEADER:
            return data[at:at + min(size, 256)]
        if kind != _DELIMITER:
            return None
        at += size
    return None


class _Bits:
    """Numbers of so many bits, the highest first. Past the end there are zeros."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, "big"), 8 * len(data)

    def take(self, count: int) -> int:
        self._left -= count
        bits = self._value >> self._left if self._left >= 0 else self._value << -self._left
        return bits & ((1 << count) - 1)

    def golomb(self) -> None:
        """Pass over a number of unknown length."""
        zeros = 0
        while zeros < 32 and not self.take(1):
            zeros += 1
        self.take(zeros)


def _frame(header: bytes) -> tuple[int, int]:
    """The largest frame that a sequence header allows (AV1, 5.5.1)."""
    bits = _Bits(header)
    bits.take(4)
    still = bits.take(1)
    if still:
        bits.take(5)
    else:
        _pass_operating_points(bits)
    sizes = bits.take(4) + 1, bits.take(4) + 1
    width, height = (bits.take(size) + 1 for size in sizes)
    # The header of a lone still picture has no frames of other sizes; others may override.
    return (width, height) if still else (1 << sizes[0], 1 << sizes[1])


def _pass_operating_points(bits: _Bits) -> None:
    delay = 0
    if bits.take(1):
        bits.take(64)
        if bits.take(1):
            bits.golomb()
        if bits.take(1):
            delay = bits.take(5) + 1
            bits.take(42)
    display = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:
            bits.take(1)
        if delay and bits.take(1):
            bits.take(2 * delay + 1)
        if display and bits.take(1):
            bits.take(4)
