# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The other file of a network that is two: structure and weights beside each other."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from efm3.findings import printable, refuse
from efm3.source import Unreadable

MOST_LISTED = 12


def partner(path: str, what: str, patterns: Sequence[str], any_other: str, assumed: list[str]
            ) -> str | None:
    """The path of the other file, in the folder of `path`; None where there is none.

    The first of the patterns that a name there matches decides. Where none does, the only file
    that `any_other` matches is taken, which is said in `assumed`. Raises X018 where a choice
    would be left, Unreadable for the folder.
    """
    folder, own = os.path.split(path)
    try:
        names = sorted(n for n in os.listdir(folder or os.curdir) if n != own)
    except OSError as e:
        raise Unreadable(f"{folder}: {e.strerror}") from None
    for pattern in (*patterns, any_other):
        fit = [n for n in names if re.fullmatch(pattern, n, re.IGNORECASE)]
        if len(fit) > 1:
            words = ", ".join(printable(n) for n in fit[:MOST_LISTED])
            refuse("X018", f"{printable(path)}: its {what} may be any of {words}; give the one "
                           "that is meant by itself", path, len(fit), 1)
        if fit:
            if pattern == any_other:
                assumed.append(f"{printable(fit[0])}, the only such file beside {printable(own)}, "
                               f"is taken for its {what}")
            return os.path.join(folder, fit[0])
    return None
