# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What this machine has for a program to use."""

from __future__ import annotations

import os

MOST = 64
"""More processes or threads at once are not started unless they are asked for."""

_BLAS, _OMP = "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"
OURS: set[str] = set()
"""Variables of this process's environment that nobody set but `one_blas_thread`."""


def one_blas_thread() -> None:
    """Have numpy, which is imported after this, compute with one thread, unless the environment
    says with how many."""
    if not {_BLAS, _OMP} & os.environ.keys():
        os.environ[_BLAS] = "1"
        OURS.add(_BLAS)


def cores() -> int:
    """Cores that this process may use, at most MOST."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(MOST, usable or 1))
