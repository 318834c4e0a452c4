# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Folding BatchNorm into a convolution, and the BatchNorm that a folded one gets back."""

from __future__ import annotations

import numpy as np

from efm3 import format as fmt
from efm3.arrays import Array

# A folded convolution w, b is stored with bn.w = 1, bn.b = b, bn.mean = 0 and a variance v for
# which folding again gives w and b, bit for bit. The bias is b - 0*scale = b for any finite scale.
# The weight is round32(w * scale) where scale is 1/sqrt(v + eps).
#
# In double (the C engine, `fold` below): round32(w * scale) = w for every float32 w exactly when
# w*scale lies within half a step of w. A step is at least 2^-24 of w (for a full mantissa; 2^-23
# for a power of two), so |scale - 1| < 2^-25 is enough. With v = 1 - eps + d, scale is
# 1 - d/2 to first order, hence |d| < 2^-24 is enough. Floats below 1 lie 2^-24 apart, so the one
# nearest to 1 - 1e-5 has |d| <= 2^-25.
#
# In float32 (frameworks that fold in single precision): v and round32(eps) add up to a number
# within 2^-25 + 2^-41 of 1. Between 1/2 and 1 the sum rounds to multiples of 2^-24, so a sum less
# than 2^-25 below 1 rounds to 1; d is positive or, as here, small: d = -1.36e-8 > -2^-25.
# Then sqrt and the division give 1 exactly.
#
# The float32 next to 1 - 1e-5 is 16777048 * 2^-24 (0x3F7FFF58). The tests fold all 2^23 mantissas.
IDENTITY_VAR = np.float32(16777048 * 2.0**-24)
"""The variance whose BatchNorm (eps 1e-5) scales by 1 in float32, and in double up to rounding."""


def identity_bn(channels: int, bias: Array | None = None) -> dict[str, Array]:
    """The BatchNorm of a folded convolution: adds `bias` (or nothing) and changes no weight."""
    return {
        "bn.w": np.ones(channels, np.float32),
        "bn.b": np.zeros(channels, np.float32) if bias is None else bias,
        "bn.mean": np.zeros(channels, np.float32),
        "bn.var": np.full(channels, IDENTITY_VAR, np.float32),
    }


def fold(weight: Array, bn: dict[str, Array]) -> tuple[Array, Array]:
    """Weight and bias (float32) of the convolution with its BatchNorm; computed in double."""
    wide = {k: v.astype(np.float64) for k, v in bn.items()}
    scale = wide["bn.w"] / np.sqrt(wide["bn.var"] + fmt.BN_EPS)
    bias = wide["bn.b"] - wide["bn.mean"] * scale
    scaled = weight * scale.reshape(-1, *[1] * (weight.ndim - 1))
    return scaled.astype(np.float32), bias.astype(np.float32)
