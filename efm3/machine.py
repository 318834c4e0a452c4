# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What this machine has for a program to use."""

from __future__ import annotations

import os

MOST = 64
"""More processes or threads at once are not started unless they are asked for."""


def cores() -> int:
    """Cores that this process may use, at most MOST."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(MOST, usable or 1))
