# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether the command colours what it prints: the one place that decides, for every verb."""

from __future__ import annotations

import os
import sys

PLAIN_TERMINALS = ("dumb", "unknown")
"""What TERM says of a terminal that takes no escape sequences."""


def asked() -> bool | None:
    """What the environment asks for: False by NO_COLOR, else True by FORCE_COLOR, each where it is
    not empty; None where it says nothing."""
    return False if os.environ.get("NO_COLOR") else True if os.environ.get("FORCE_COLOR") else None


def coloured() -> bool:
    """Whether standard output gets styles: as it was asked for, else where it is a terminal."""
    wanted = asked()
    if wanted is not None:
        return wanted
    return sys.stdout.isatty() and os.environ.get("TERM") not in PLAIN_TERMINALS
