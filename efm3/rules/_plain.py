# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The weights by the standard library alone, for a Python without numpy, as in a browser.

The highest byte of a value, sign and most of the exponent, tells of nearly every value whether it
is of a kind. So the highest bytes of all are cut out and translated, both by one call of the
interpreter, and only what they leave open is looked at one by one.
"""

from __future__ import annotations

import math
import sys
from array import array
from functools import cache, cached_property
from itertools import compress
from typing import Any

from efm3 import format as fmt
from efm3.rules._stats import MAGNITUDE, ONE, VECTORS, ZERO, Kind, Stats, Values, is_conv
from efm3.scan import Scan, TensorSpan

BOTH = frozenset((0, 1 << 31))
"""The bits of zero, and of the one with a minus."""
OPEN, SURE = 1, 2
"""What a highest byte says of a kind: the other three bytes decide, or any will do; else 0."""


@cache
def table_of(kind: Kind) -> bytes:
    """What each highest byte says of a kind."""
    out = bytearray(256)
    for top in range(256):
        least = top << 24 & MAGNITUDE
        most = least | 0xFFFFFF
        if kind.sign in (None, top >> 7) and most >= kind.low and least <= kind.high:
            out[top] = SURE if kind.low <= least and most <= kind.high else OPEN
    return bytes(out)


def _array(code: str, data: bytes) -> array[Any]:
    """Little-endian values of four bytes."""
    out = array(code, data)
    assert out.itemsize == 4
    if sys.byteorder == "big":
        out.byteswap()
    return out


def single(value: float) -> float:
    """The float32 that is nearest, infinity for what is too large."""
    rounded: float = array("f", [value])[0]
    return rounded


class PlainValues:
    """Values as their bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data) // 4

    @cached_property
    def tops(self) -> bytes:
        """The highest byte of each value."""
        return self.data[3::4]

    @cached_property
    def words(self) -> array[int]:
        """The bits of each value."""
        return _array("I", self.data)

    def first(self) -> int:
        """See `Values`."""
        return int.from_bytes(self.data[:4], "little")

    def hits(self, kind: Kind) -> tuple[int, int]:
        """See `Values`."""
        marks = self.tops.translate(table_of(kind))
        if OPEN not in marks:
            return marks.count(SURE), marks.find(SURE)
        at = [i for i in compress(range(len(marks)), marks) if kind.has(self.words[i])]
        return len(at), at[0] if at else -1

    def swapped(self) -> PlainValues:
        """See `Values`."""
        words = array("I", self.data)
        words.byteswap()
        return PlainValues(words.tobytes())


class PlainStats(Stats):
    """The highest bytes of the whole table, and closer looks."""

    def __init__(self, scan: Scan) -> None:
        super().__init__(scan)
        tops = bytearray(bytes(scan.data[self.start:])[3::4])
        for t in self.tensors():  # its size field is no value
            tops[(t.offset - self.start) // 4] = ONE.low >> 24
        self._tops = bytes(tops)

    @property
    def vectors(self) -> dict[str, Values]:
        """See `Stats`."""
        return dict(self._joined)

    @cached_property
    def _joined(self) -> dict[str, PlainValues]:
        return {end: PlainValues(b"".join(self._bytes(t) for t in self.tensors(end)))
                for end in VECTORS}

    def any(self, kind: Kind) -> bool:
        """See `Stats`."""
        marks = self._tops.translate(table_of(kind))
        if SURE in marks:
            return True
        return OPEN in marks and any(self.values(t).hits(kind)[0] for t in self._marked(marks))

    def _marked(self, marks: bytes) -> list[TensorSpan]:
        """The tensors of which a value is marked as OPEN."""
        return [t for t in self.tensors() if marks.find(OPEN, *self._range(t)) >= 0]

    def _range(self, t: TensorSpan) -> tuple[int, int]:
        """The places of a tensor's values among the highest bytes."""
        first = (t.data_offset - self.start) // 4
        return first, first + t.size // 4

    def values(self, t: TensorSpan) -> Values:
        """See `Stats`."""
        return PlainValues(self._bytes(t))

    def _bytes(self, t: TensorSpan) -> bytes:
        return bytes(self.scan.data[t.data_offset:t.data_offset + t.size])

    def _zero_channels(self) -> dict[int, list[int]]:
        """See `Stats`."""
        marks = self._tops.translate(table_of(ZERO))
        out: dict[int, list[int]] = {}
        for t in self._marked(marks) if OPEN in marks else []:
            first, end = self._range(t)
            each = (end - first) // (t.shape[0] if is_conv(t.name) else 1)
            words = _array("I", self._bytes(t))
            found = [i for i, at in enumerate(range(first, end, each))
                     if marks[at] and marks.count(OPEN, at, at + each) == each
                     and BOTH.issuperset(words[i * each:(i + 1) * each])]
            if found:
                out[t.number] = found
        return out

    def scaled(self, limit: float) -> tuple[int, int]:
        """See `Stats`."""
        scale, var = (_array("f", self._joined[k].data) for k in ("bn.w", "bn.var"))
        # No quotient is above this one, and rounding keeps the order.
        most = max(max(scale), -min(scale)) / math.sqrt(min(var) + fmt.BN_EPS)
        if single(most) <= limit:
            return 0, -1
        at = [i for i, (w, v) in enumerate(zip(scale, var, strict=True))
              if single(abs(w) / math.sqrt(v + fmt.BN_EPS)) > limit]
        return len(at), at[0] if at else -1
