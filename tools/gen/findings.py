# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""tests/data/findings.jsonl: the words of every finding of the corpus, a line for each.

The corpus itself freezes rule and place; this freezes what a person reads.
"""

from __future__ import annotations

from collections.abc import Callable

import efm3
from efm3.conformance.cases import corpus
from tools import ROOT
from tools.words import PATH, lines


def text() -> str:
    """The lines as the suite gives them now."""
    return "".join(f"{line}\n" for case in corpus() if case.kind == "reader"
                   for line in lines(case.id, efm3.validate(case.data()).findings))


PAGES: dict[str, Callable[[], str]] = {PATH.relative_to(ROOT).as_posix(): text}
