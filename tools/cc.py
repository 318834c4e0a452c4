# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The engine's C sources, and one call of a C compiler on them."""

from __future__ import annotations

import subprocess

from tools import ROOT

SRC = ROOT / "engine" / "src"
SOURCES = [*sorted(SRC.glob("*.c")), *sorted((SRC / "kernels").glob("*.c"))]
WRAP = ("-Wl,--wrap=malloc,--wrap=calloc,--wrap=posix_memalign,--wrap=free,--wrap=pthread_create,"
        "--wrap=mfn_cpu_features")
"""What engine/tests/check_engine.c is linked with: it makes these calls fail, counts what is not
freed, and says which features a processor has."""


def cc(*words: object, compiler: str = "cc") -> str:
    """Compile as C11 with the engine's public header; the compiler's errors, "" where none."""
    done = subprocess.run([compiler, "-std=c11", f"-I{ROOT / 'engine' / 'include'}",
                           *map(str, words)], capture_output=True, text=True, check=False)
    return done.stderr or f"{compiler}: exit {done.returncode}" if done.returncode else ""
