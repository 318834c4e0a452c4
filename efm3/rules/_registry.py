# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The checks of the rules: a function under `@rule(CODE)` for each rule of the catalogue.

A rule's text, its severity and its level are in `efm3.codes`. A check is a generator over
`ctx.at(...)`, and returns early where its subject is missing: the rule for the missing part
reports it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from efm3.codes import CODES, RULE_GROUPS
from efm3.rules._context import Context, Found

Check = Callable[[Context], Iterator[Found]]
T = TypeVar("T", bound=Check)

CHECKS: dict[str, Check] = {}
"""Code to check, filled as the modules of the groups are imported."""


def rule(code: str) -> Callable[[T], T]:
    """Register the check of a rule. Raises ValueError for a code that is not a rule, or has one."""
    def register(check: T) -> T:
        if code in CHECKS or code not in CODES or CODES[code].group not in RULE_GROUPS:
            raise ValueError(f"{code} is not a rule of the catalogue, or has its check already")
        CHECKS[code] = check
        return check
    return register
