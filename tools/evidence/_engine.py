# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""engine/tests/check_engine.c, built under a sanitizer or for another machine."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tools import ROOT
from tools.cc import SOURCES, WRAP, cc

FLAGS = {"asan": ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
         "tsan": ["-fsanitize=thread"], "plain": []}


def build(compiler: str, out: str, main: str, *flags: str) -> Path:
    """Compile the engine with `main` to build/`out`; raises RuntimeError."""
    (ROOT / "build").mkdir(exist_ok=True)
    path = ROOT / "build" / out
    wrong = cc(*flags, ROOT / main, *SOURCES, "-o", path, "-lm", "-lpthread", compiler=compiler)
    if wrong:
        raise RuntimeError(wrong)
    return path


def check(kind: str) -> tuple[Path, str]:
    """check_engine under a sanitizer, and the command that says so."""
    flags = ["-O1", "-g", *FLAGS[kind], WRAP]
    return (build("cc", f"check-{kind}", "engine/tests/check_engine.c", *flags),
            f"cc {' '.join(flags[:-1])} engine/tests/check_engine.c")


def run(*command: object, env: dict[str, str] | None = None) -> str:
    """What a command prints; raises RuntimeError where its exit code is not 0."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False,
                          cwd=ROOT, env=env)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: exit {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout
