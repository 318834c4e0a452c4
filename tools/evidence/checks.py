# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Part F1: each check of the loader, the rules, the scan and the writer taken out in turn."""

from __future__ import annotations

from typing import Any

from tools.evidence import _book
from tools.mutants import checks


def run(long: bool) -> dict[str, Any]:
    """The figures by language. Raises RuntimeError where a mutant lives that is not listed."""
    found = list(checks.results([]))
    names = {r.name for r in found}
    wrong = [f"{r.name}: {r.wrong}" for r in found if r.wrong]
    wrong += [f"{name}: listed, but not there" for name in checks.excuses()
              if name not in names]
    if wrong:
        raise RuntimeError("\n".join(["checks", *wrong]))
    out = {}
    for language, own in (("c", [r for r in found if not r.name.startswith("efm3/")]),
                          ("python", [r for r in found if r.name.startswith("efm3/")])):
        killed = [r.killer for r in own if r.killer]
        out[f"mutants_{language}"] = _book.figure(
            "python -m tools.evidence checks",
            {"mutants": len(own), "killed": len(killed), "harmless_and_listed":
             len(own) - len(killed), "different_cases_or_tests_that_kill": len(set(killed))})
    return out
