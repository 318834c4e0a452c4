# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A wrong program: what it is, what it breaks, and the case that must notice."""

from __future__ import annotations

from typing import NamedTuple

from efm3.precision import PRECISIONS


class Mutant(NamedTuple):
    """A mistake: what it is, the requirement it breaks, the text it changes, and the case that
    must fail at `level`. `symptom` is what the kit must say of it; several texts may change
    together; `switch` is one of `_switches` instead. An engine claims `precision`."""

    name: str
    kind: str
    breaks: str
    case: str
    old: str | tuple[str, ...] = ""
    new: str | tuple[str, ...] = ""
    symptom: str = ""
    level: str = "coherence"
    switch: str = ""
    precision: str = PRECISIONS[0]
