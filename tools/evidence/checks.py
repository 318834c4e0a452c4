# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Part F1: each check of the loader, the rules, the scan and the writer taken out in turn."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from tools.evidence import _book
from tools.mutants import checks

WORDS = {"c": [".c ", ".h "], "python": ["efm3/"]}
"""Language to what the names of its mutants hold."""


def _measured(language: str) -> dict[str, Any]:
    def own(name: str) -> bool:
        return name.startswith("efm3/") == (language == "python")
    found = [r for r in checks.results(WORDS[language]) if own(r.name)]
    names = {r.name for r in found}
    wrong = [f"{r.name}: {r.wrong}" for r in found if r.wrong]
    wrong += [f"{name}: listed, but not there" for name in checks.excuses()
              if own(name) and name not in names]
    if wrong:
        raise RuntimeError("\n".join(["checks", *wrong]))
    killed = [r.killer for r in found if r.killer]
    return _book.figure("python -m tools.evidence checks", {
        "mutants": len(found), "killed": len(killed),
        "harmless_and_listed": len(found) - len(killed),
        "different_cases_or_tests_that_kill": len(set(killed))}, long=True)


def run(long: bool) -> Iterator[tuple[str, _book.Measure]]:
    """The figures by language. A measure raises RuntimeError where a mutant lives unlisted."""
    for language in WORDS:
        yield f"mutants_{language}", partial(_measured, language)
