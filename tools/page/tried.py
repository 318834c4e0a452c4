# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The page in Chromium: `python -m tools.page.tried [WORDS of node --test]`.

Puts the page together, lets TypeScript check its programs, writes what the command says of the
kit's files, runs tests/page, and compares the page's Python in Node with the command here. Two
programs run at once. Exit 0 with a line that says why where something is missing.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

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


def steps(words: list[str]) -> list[list[list[str]]]:
    """Programs that are run one after the other, for each of two cores."""
    def node(*names: str) -> list[str]:
        tests = [str(ROOT / "tests" / "page" / f"{name}.test.mjs") for name in names]
        return ["node", "--test", "--test-concurrency=1", *words, *tests]

    return [[[sys.executable, "-m", "tools.page.expected", str(CASES)], node("cases", "hostile")],
            [[str(TSC), "-p", str(ROOT / "page")], node("page", "faults"),
             [sys.executable, "-m", "tools.page.in_node"]]]


def one_after_the_other(commands: list[list[str]], out: Lock) -> int:
    """The exit code of the first that fails, else 0; what each says comes in one piece."""
    for command in commands:
        began = time.monotonic()
        done = subprocess.run(command, cwd=ROOT, check=False, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        with out:
            words = [Path(word).name for word in command if word != "-m"]
            print(f"+ {' '.join(words)}\n{done.stdout}"
                  f"= {done.returncode}, {time.monotonic() - began:.0f} s", flush=True)
        if done.returncode:
            return done.returncode
    return 0


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
    chains, out = steps(sys.argv[1:]), Lock()
    with ThreadPoolExecutor(len(chains)) as pool:
        ends = list(pool.map(lambda chain: one_after_the_other(chain, out), chains))
    return next((code for code in ends if code), 0)


if __name__ == "__main__":
    raise SystemExit(main())
