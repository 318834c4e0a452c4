# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the value rules ask of the weights: how many values are of a kind, and where the first is.

A kind is a range of float32's bits, so that an answer needs no arithmetic and is the same whoever
gives it: numpy (`_quick`), or the standard library alone (`_plain`).
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple, Protocol

from efm3.scan import Scan, TensorSpan

MAGNITUDE = 0x7FFFFFFF
"""A value's bits without its sign."""
_INFINITY = 0x7F800000
_SMALLEST_NORMAL = 0x00800000


def bits(value: float) -> int:
    """The 32 bits of the float32 that is nearest to a value."""
    word: int = struct.unpack("<I", struct.pack("<f", value))[0]
    return word


class Kind(NamedTuple):
    """The values whose bits without the sign are `low` to `high`; `sign` is 0 for those without a
    minus, 1 for those with one, None for both."""

    low: int
    high: int
    sign: int | None = None

    def has(self, word: int) -> bool:
        """True where the value with these 32 bits is of the kind."""
        return (self.low <= word & MAGNITUDE <= self.high
                and (self.sign is None or word >> 31 == self.sign))


NAN = Kind(_INFINITY + 1, MAGNITUDE)
INFINITE = Kind(_INFINITY, _INFINITY)
NOT_FINITE = Kind(_INFINITY, MAGNITUDE)
SUBNORMAL = Kind(1, _SMALLEST_NORMAL - 1)
ZERO = Kind(0, 0)
NEGATIVE = Kind(1, _INFINITY, 1)
ONE = Kind(bits(1), bits(1), 0)


def over(limit: float) -> Kind:
    """The values above a limit, which is 0 or more; NaN is none."""
    return Kind(bits(limit) + 1, _INFINITY, 0)


def beyond(limit: float) -> Kind:
    """The values whose magnitude is above a limit; NaN is none."""
    return over(limit)._replace(sign=None)


def between(low: float, high: float) -> Kind:
    """The values above `low`, which is 0 or more, and below `high`."""
    return Kind(bits(low) + 1, bits(high) - 1, 0)


class Values(Protocol):
    """Some float32 values of a file, in its order."""

    def __len__(self) -> int:
        """How many they are, at least one."""
        ...

    def first(self) -> int:
        """The bits of the first one."""
        ...

    def hits(self, kind: Kind) -> tuple[int, int]:
        """(how many are of a kind, index of the first one, or -1)."""
        ...

    def swapped(self) -> Values:
        """The same with the four bytes of each in reverse."""
        ...


def has(values: Values, kind: Kind) -> bool:
    """True where a value is of a kind."""
    return values.hits(kind)[0] > 0


def all_are(values: Values, kind: Kind) -> bool:
    """True where each value is of a kind."""
    return kind.has(values.first()) and values.hits(kind)[0] == len(values)


class Stats(ABC):
    """The table of a scan that is complete."""

    def __init__(self, scan: Scan) -> None:
        assert scan.arch is not None and scan.table_offset is not None
        self.scan, self.start = scan, scan.table_offset

    @property
    @abstractmethod
    def vectors(self) -> Mapping[str, Values]:
        """All values of the kinds of tensor but conv.w, in stored order: bn.w to act.w."""

    @abstractmethod
    def any(self, kind: Kind) -> bool:
        """True where a weight is NOT_FINITE, or, where none is, SUBNORMAL or `beyond` a limit."""

    @abstractmethod
    def values(self, t: TensorSpan) -> Values:
        """A tensor's values, flat."""

    @cached_property
    def zero_channels(self) -> dict[int, list[int]]:
        """Table index to the output channels that are all zero, where there is one; a tensor that
        is no convolution's is one channel."""
        return self._zero_channels()

    @abstractmethod
    def _zero_channels(self) -> dict[int, list[int]]:
        """What `zero_channels` keeps."""

    @abstractmethod
    def scaled(self, limit: float) -> tuple[int, int]:
        """(how many channels have a |bn.w| / sqrt(bn.var + eps) above the limit, in float32 of
        float64's quotient; index of the first one, or -1). No variance is negative, and no value
        NaN or infinite."""

    @cached_property
    def finite(self) -> bool:
        """True where no weight is NaN or infinite."""
        return not self.any(NOT_FINITE)

    def tensors(self, *ends: str) -> list[TensorSpan]:
        """The table's entries whose names end so (all where no end is given)."""
        return [t for t in self._tensors if not ends or t.name.endswith(ends)]

    @cached_property
    def _tensors(self) -> list[TensorSpan]:
        return list(self.scan.tensors)

    def number(self, t: TensorSpan, index: int, order: str = "<") -> float:
        """A tensor's value, flat; its bytes are in the order that struct calls so."""
        at = t.data_offset + 4 * index
        value: float = struct.unpack(f"{order}f", self.scan.data[at:at + 4])[0]
        return value

    def place(self, end: str, index: int) -> tuple[TensorSpan, int]:
        """The tensor and the index in it of a value of `vectors[end]`."""
        for t in self.tensors(end):
            if index < t.size // 4:
                return t, index
            index -= t.size // 4
        raise IndexError(index)


def is_conv(name: str) -> bool:
    """True for the name of a convolution's weights."""
    return name.endswith("conv.w")


VECTORS = ("bn.w", "bn.b", "bn.mean", "bn.var", "act.w")
"""How the names of all other tensors end."""
