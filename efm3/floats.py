# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Figures of float32 values as a file stores them: by numpy, or where it cannot be imported by the
standard library, slower and with the same result to the last bit.

Sums are taken in float64 and in numpy's order: halves of a multiple of 8 values, down to runs of at
most 128, which are added in eight columns. No sum is left to a library for linear algebra: each
processor has its own there.
"""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Sequence
from functools import cache, reduce
from operator import add, mul
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from efm3.arrays import Floats, Indices

BINS = 16
"""Of a histogram, equally wide, from the least value to the greatest."""


class Statistics(NamedTuple):
    """Of the finite ones among some values; None and [] where there is none. `std` is of the values
    themselves, not an estimate from a sample."""

    nan: int
    inf: int
    min: float | None = None
    max: float | None = None
    mean: float | None = None
    std: float | None = None
    histogram: Sequence[int] = ()


class Difference(NamedTuple):
    """Between pairs of values: how many differ in their bits, and in how many of those one is not
    finite. The rest is over pairs of finite values, and None where there is none: the greatest
    distance, the same in steps of float32, and the cosine of the two as vectors."""

    differing: int
    non_finite: int
    max_abs: float | None = None
    max_ulp: int | None = None
    cosine: float | None = None


@cache
def library() -> ModuleType | None:
    """numpy, or None where it cannot be imported."""
    try:
        import numpy
    except ImportError:
        return None
    return numpy


def statistics(raw: memoryview) -> Statistics:
    """Of little-endian float32 values; bytes behind the last whole one are left out."""
    return (_plain_statistics if library() is None else _quick_statistics)(raw)


def difference(a: memoryview, b: memoryview) -> Difference:
    """Between the values of two equally long parts, little-endian float32 both; bytes behind the
    last whole one are left out."""
    return (_plain_difference if library() is None else _quick_difference)(a, b)


def _quick_statistics(raw: memoryview) -> Statistics:
    import numpy as np

    with np.errstate(invalid="ignore"):  # a signalling NaN
        values = np.frombuffer(raw, "<f4", len(raw) // 4).astype(np.float64)
    good = values[np.isfinite(values)]
    nan, inf = int(np.isnan(values).sum()), int(np.isinf(values).sum())
    if not good.size:
        return Statistics(nan, inf)
    lo, hi = good.min() + 0.0, good.max() + 0.0  # which of two zeros is the least is not defined
    mean = np.add.reduce(good) / good.size
    off = good - mean
    spread = np.sqrt(np.add.reduce(off * off) / good.size)
    bins = ((good - lo) / ((hi - lo) or 1.0) * BINS).clip(0, BINS - 1).astype("i8")
    return Statistics(nan, inf, float(lo), float(hi), float(mean), float(spread),
                      np.bincount(bins, minlength=BINS).tolist())


def _quick_difference(a: memoryview, b: memoryview) -> Difference:
    import numpy as np

    p, q = (np.frombuffer(v, "<f4", len(v) // 4) for v in (a, b))
    off = p.view("<u4") != q.view("<u4")
    finite = np.isfinite(p) & np.isfinite(q)
    differing, non_finite = int(off.sum()), int((off & ~finite).sum())
    p, q = p[finite], q[finite]
    if not p.size:
        return Difference(differing, non_finite)
    x, y = p.astype(np.float64), q.astype(np.float64)
    return Difference(differing, non_finite, float(np.abs(x - y).max()),
                      int(np.abs(_ordered(p) - _ordered(q)).max()),
                      _cosine(*(float(np.add.reduce(v)) for v in (x * x, y * y, x * y))))


def _ordered(values: Floats) -> Indices:
    """Integers in the order of the floats: neighbours differ by 1, both zeros are 0."""
    import numpy as np

    bits = values.view("<i4").astype(np.int64)
    return np.where(bits < 0, -0x80000000 - bits, bits)


def _cosine(xx: float, yy: float, xy: float) -> float | None:
    """From the sums of the squares and of the products; None where a vector is 0."""
    norm = math.sqrt(xx) * math.sqrt(yy)
    return min(1.0, max(-1.0, xy / norm)) if norm > 0 else None


def _plain_statistics(raw: memoryview) -> Statistics:
    values = _values("f", raw)
    good = list(filter(math.isfinite, values))
    nan = sum(map(math.isnan, values)) if len(good) < len(values) else 0
    inf = len(values) - len(good) - nan
    if not good:
        return Statistics(nan, inf)
    lo, hi = min(good) + 0.0, max(good) + 0.0
    mean = total(good) / len(good)
    off = [v - mean for v in good]
    spread = math.sqrt(total([d * d for d in off]) / len(good))
    width = (hi - lo) or 1.0
    histogram = [0] * BINS
    for v in good:
        histogram[min(int((v - lo) / width * BINS), BINS - 1)] += 1
    return Statistics(nan, inf, lo, hi, mean, spread, histogram)


def _plain_difference(a: memoryview, b: memoryview) -> Difference:
    pairs = list(zip(_values("f", a), _values("f", b), strict=True))
    words = list(zip(_values("i", a), _values("i", b), strict=True))
    finite = [math.isfinite(x) and math.isfinite(y) for x, y in pairs]
    off = [p != q for p, q in words]
    differing = sum(off)
    non_finite = sum(d and not f for d, f in zip(off, finite, strict=True))
    if not any(finite):
        return Difference(differing, non_finite)
    x, y = ([p[i] for p, f in zip(pairs, finite, strict=True) if f] for i in (0, 1))
    return Difference(
        differing, non_finite, max(abs(p - q) for p, q in zip(x, y, strict=True)),
        max(abs(_step(p) - _step(q)) for (p, q), f in zip(words, finite, strict=True) if f),
        _cosine(*(total(list(map(mul, u, v))) for u, v in ((x, x), (y, y), (x, y)))))


def _step(bits: int) -> int:
    """`_ordered` of one value, given as its bits with their sign."""
    return -0x80000000 - bits if bits < 0 else bits


def _values(code: str, raw: memoryview) -> array[Any]:
    """The whole values of four bytes, as a type that `array` calls so."""
    out = array(code, bytes(raw[:len(raw) // 4 * 4]))
    if sys.byteorder == "big":
        out.byteswap()
    return out


LEAF, COLUMNS = 128, 8
"""The longest run that numpy adds without halving it, and the sums that it keeps meanwhile."""


def total(values: list[float]) -> float:
    """The sum, in the order in which numpy adds float64 values that lie side by side."""
    return 0.0 + _total(values, 0, len(values))


def _total(values: list[float], first: int, count: int) -> float:
    if count > LEAF:
        half = count // 2 // COLUMNS * COLUMNS
        return _total(values, first, half) + _total(values, first + half, count - half)
    even = first + count // COLUMNS * COLUMNS
    out = -0.0  # to which any value can be added and stays as it is
    if count >= COLUMNS:
        a, b, c, d, e, f, g, h = (reduce(add, values[first + i:even:COLUMNS])
                                  for i in range(COLUMNS))
        out = ((a + b) + (c + d)) + ((e + f) + (g + h))
    return reduce(add, values[even:first + count], out)
