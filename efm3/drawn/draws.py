# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Counter-based random numbers: draw k of a key is a hash of both; there is no generator state.

The hash is the finaliser of SplitMix64 on unsigned 64-bit integers, so a draw is the same bits on
every machine, in any order, alone or in a batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from efm3.arithmetic import STEP, scrambled

if TYPE_CHECKING:
    # `efm3 eval` imports this file, and numpy.typing would double the time that takes.
    from numpy.typing import ArrayLike, NDArray

_STEP = np.uint64(STEP)


def mix(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A bijective hash of 64-bit integers."""
    mixed: NDArray[np.uint64] = scrambled(value)
    return mixed


def key(*parts: ArrayLike) -> NDArray[np.uint64]:
    """One 64-bit key for whole numbers (broadcast together); the order of the parts matters."""
    state = np.zeros((1,), np.uint64)
    for part in parts:
        number = np.asarray(part, dtype=np.int64).astype(np.uint64)
        state = mix((state ^ number) * np.uint64(3) + _STEP)
    return state


def uniform(keys: NDArray[np.uint64], count: int) -> NDArray[np.float32]:
    """[N, count] numbers in [0, 1), 24 bits each, for keys [N]."""
    return (_bits(keys, count) >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)


def normal(keys: NDArray[np.uint64], count: int) -> NDArray[np.float32]:
    """[N, count] numbers of mean 0 and variance 1 within ±3.47: a sum of four uniform draws.

    The sum is over integers, and one rounding follows: libraries round logarithms differently.
    """
    bits = _bits(keys, count)
    total = sum((bits >> np.uint64(16 * k)) & np.uint64(0xFFFF) for k in range(4))
    centred = np.asarray(total, np.uint64).astype(np.int64) - 2 * 0xFFFF
    spread = np.float64(3.0**0.5 / 65536)
    return np.asarray(centred.astype(np.float64) * spread, np.float32)


def _bits(keys: NDArray[np.uint64], count: int) -> NDArray[np.uint64]:
    counter = (np.arange(count, dtype=np.uint64) + np.uint64(1)) * _STEP
    return mix(keys[:, None] + counter[None, :])
