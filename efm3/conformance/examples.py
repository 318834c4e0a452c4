# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""For each rule the case of the corpus that shows it: a sentence and a file."""

from __future__ import annotations

from efm3.conformance.cases import Case
from efm3.conformance.cases import example as case_of
from efm3.rules import load_rules

EXAMPLES: dict[str, Case] = {code: case_of(code) for code in load_rules()}
"""Rule code to its case."""


def example(code: str) -> tuple[str, bytes]:
    """A sentence and a file in which the rule `code` finds something."""
    case = EXAMPLES[code]
    return case.about, case.data()
