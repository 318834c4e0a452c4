# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Keeps the large memory blocks that training on a CPU allocates and frees in each step."""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4


def keep() -> bool:
    """Make glibc's malloc keep freed memory; False where there is no such malloc.

    By default each large tensor is newly mapped and its pages zeroed by the kernel: a fifth of
    the time of a compiled step of nano. It must be called before the first large tensor.
    """
    try:
        libc = ctypes.CDLL(None)
        options = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, 2 ** 31 - 1), (M_TOP_PAD, 1 << 26))
        return all(libc.mallopt(option, value) == 1 for option, value in options)
    except (AttributeError, OSError, TypeError):
        return False
