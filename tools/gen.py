#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Write every generated file and every generated block of a page; --check only compares."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

import gen_coverage  # noqa: E402
import gen_security  # noqa: E402
import gen_spec  # noqa: E402
import gen_weights  # noqa: E402

from efm3.forms import FORMS  # noqa: E402

# Pages come last: they may show a form.
OUTPUTS: dict[str, Callable[[], str]] = {f.path: f.text for f in FORMS.values()} | (
    gen_coverage.PAGES | gen_security.PAGES | gen_spec.PAGES | gen_weights.PAGES)


def main(check: bool) -> int:
    """Write or compare; returns how many files differed."""
    stale = 0
    for name, make in OUTPUTS.items():
        path, text = ROOT / name, make()
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale += 1
        print(f"{name}: {'is not what the declaration gives' if check else 'written'}")
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return stale


if __name__ == "__main__":
    check_only = "--check" in sys.argv[1:]
    sys.exit(1 if main(check_only) and check_only else 0)
