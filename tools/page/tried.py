# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The page in Chromium: `python -m tools.page.tried [WORDS of node --test]`.

Puts the page together, lets TypeScript check its programs, writes what the command says of the
kit's files, and runs tests/page. Exit 0 with a line that says why where something is missing.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tools import ROOT
from tools.page import build

PACKAGES = ROOT / "build" / "browser" / "node_modules"
TSC = PACKAGES / ".bin" / "tsc"
CASES = ROOT / "build" / "page-cases"


def missing() -> str:
    """What is not here without which nothing can be tried; "" where all is."""
    for program in ("node", "chromium"):
        if shutil.which(program) is None:
            return f"no {program}"
    if not (PACKAGES / "playwright-core").is_dir():
        return "no Playwright: run tools/foreign/install_page.sh"
    return ""


def steps(words: list[str]) -> list[list[str]]:
    """The programs that are run, one after the other."""
    tests = sorted(map(str, (ROOT / "tests" / "page").glob("*.test.mjs")))
    return [[str(TSC), "-p", str(ROOT / "page")],
            [sys.executable, "-m", "tools.page.expected", str(CASES)],
            ["node", "--test", "--test-concurrency=1", *words, *tests]]


def main() -> int:
    """The exit code of the first program that fails, else 0."""
    lacks = missing()
    if not lacks:
        try:
            build.build(ROOT / "build" / "page")
        except build.Missing as e:
            lacks = str(e)
    if lacks:
        print(f"test-page: skipped: {lacks}")
        return 0
    shutil.rmtree(CASES, ignore_errors=True)
    for command in steps(sys.argv[1:]):
        print("+", Path(command[0]).name, *command[1:4], flush=True)
        done = subprocess.run(command, cwd=ROOT, check=False)
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
