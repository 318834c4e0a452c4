# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Numbers shared by several packages: the input's scale, the tolerance, the generator.

The network's own constants (eps of BatchNorm and of the norm, sides, limits) are the format's.
"""

from __future__ import annotations

from typing import Any

GREY, HALF_RANGE = 127.5, 128.0
"""The network's input is (p - GREY) / HALF_RANGE of a pixel p; float32 holds it exactly."""

TOLERANCE = 1e-5
"""Largest absolute error of an embedding's component that float32 arithmetic may cause."""

STEP = 0x9E3779B97F4A7C15
"""The increment of SplitMix64's state (Steele, Lea, Flood: Fast splittable generators)."""

_MASK = (1 << 64) - 1
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def pixels_scaled(pixels: Any) -> Any:
    """(p - GREY) / HALF_RANGE of an array of numpy or a tensor of PyTorch, of floats."""
    return (pixels - GREY) / HALF_RANGE


def splitmix(z: int) -> int:
    """SplitMix64's output of the state `z`, both 64 bits wide."""
    z = ((z ^ (z >> 30)) * _FIRST) & _MASK
    z = ((z ^ (z >> 27)) * _SECOND) & _MASK
    return z ^ (z >> 31)


def scrambled(z: Any) -> Any:
    """`splitmix` of each value of an array of numpy's uint64, whose products wrap by themselves."""
    word = z.dtype.type
    z = (z ^ (z >> word(30))) * word(_FIRST)
    z = (z ^ (z >> word(27))) * word(_SECOND)
    return z ^ (z >> word(31))
