# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Loads without end: memory and open files stay what they were, in C and in Python."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tools import ROOT
from tools.cc import SOURCES, SRC, WRAP, cc
from tools.evidence import _engine
from tools.evidence._book import Measure, figure

SAMPLE = "spec/vectors/odd_b.bin"
PLANTS = {
    "none": ("", "", ""),
    "64 bytes a load": ("api.c", "    MfnImage *image = malloc(sizeof *image);",
                        "    static char *volatile lost;\n    lost = malloc(64);\n"
                        "    MfnImage *image = malloc(sizeof *image);"),
    "an open file a refusal": ("file.c", "    mfn_os_close(file);\n",
                               "    if (!rc) mfn_os_close(file);\n"),
}
"""Name to file, text that occurs in it once, and the text with the leak."""


def planted(plant: str, out: Path) -> Path:
    """check_engine of an engine with a leak; raises RuntimeError."""
    name, old, new = PLANTS[plant]
    sources = list(SOURCES)
    with tempfile.TemporaryDirectory() as folder:
        if name:
            own = next(p for p in sources if p.name == name)
            text = own.read_text(encoding="utf-8")
            if text.count(old) != 1:
                raise RuntimeError(f"{name} has no place for {plant}")
            sources[sources.index(own)] = Path(folder) / name
            (Path(folder) / name).write_text(text.replace(old, new), encoding="utf-8")
        wrong = cc("-O1", WRAP, f"-I{SRC}", ROOT / "engine/tests/check_engine.c", *sources,
                   "-o", out, "-lm", "-lpthread")
        if wrong:
            raise RuntimeError(wrong)
    return out


def run_soak(program: Path, loads: int, **env: str) -> subprocess.CompletedProcess[str]:
    """The verb soak; LOADS, and perhaps LEAK."""
    return subprocess.run([program, "soak", ROOT / SAMPLE], capture_output=True, text=True,
                          check=False, env=os.environ | {"LOADS": str(loads)} | env)


def in_c(loads: int) -> dict[str, Any]:
    """Lives of an engine in C; raises RuntimeError where anything grew."""
    program, command = _engine.check("plain")
    done = run_soak(program, loads)
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    found = re.match(r"soak: (\d+) loads; resident KiB (\d+) after (\d+), (\d+) at the end, (\d+) "
                     r"at most; slope (\S+) bytes a load; allocated (\d+), (\d+) at the "
                     r"end; open files (\d+), (\d+) at the end",
                     done.stdout)
    if found is None:
        raise RuntimeError(done.stdout)
    first, warm, last, most, held, held_last, files, files_last = map(
        int, found.group(2, 3, 4, 5, 7, 8, 9, 10))
    with tempfile.TemporaryDirectory() as folder:
        seen = [plant for plant in PLANTS if plant != "none" and run_soak(
            planted(plant, Path(folder) / "check"), 20000).returncode]
    return figure(f"{command} && LOADS={loads} check-plain soak {SAMPLE}", {
        "loads, calls and ends": loads,
        "resident KiB": {f"after {warm}": first, "at the end": last, "at most": most},
        "slope, bytes a load": float(found[6]),
        "allocated bytes": {f"after {warm}": held, "at the end": held_last}, "open files": files,
        "open files at the end": files_last, "planted leaks that it sees": seen})


def in_python(loads: int) -> dict[str, Any]:
    """Engines closed, dropped and in cycles; raises RuntimeError where anything grew."""
    words = ["-m", "tests.processes.soak", str(loads)]
    numbers = json.loads(_engine.run(sys.executable, *words))
    del numbers["grew"]
    return figure(" ".join(["python", *words]), numbers)


def run(long: bool) -> Iterator[tuple[str, Measure]]:
    """The figures."""
    yield "soak in C", partial(in_c, 1_000_000 if long else 20_000)
    yield "soak in Python", partial(in_python, 50_000 if long else 6_000)
