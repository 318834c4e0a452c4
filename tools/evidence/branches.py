# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Part F2: branch coverage of the C loader (gcov) and of scan, rules, mirror, arch, model, source.

A branch that no test takes must be listed, with the reason, in exceptions.toml; one that is
listed and taken after all fails too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from tools import ROOT
from tools.cc import SRC
from tools.evidence import _book
from tools.evidence._sources import COVERED, COVERING
from tools.mutants import c
from tools.mutants.checks import listed

C_FILES = ("loader.c", "network.c", "file.c", "platform_file.c", "cursor.h")


class Line(NamedTuple):
    """A line with branches: file, its text, and how many of them nothing takes."""

    file: str
    text: str
    missing: int


def _run(command: list[str], cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=env)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:6])}: {(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


def c_branches() -> tuple[int, list[Line]]:
    """(branches, lines with one that is not taken) of the loader under its checker."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        wrong = c.build(SRC, work / "checker", ["-O0", "--coverage"])
        if wrong:
            raise RuntimeError(wrong)
        for verb, argument in c.verbs(work):
            _run([str(work / "checker"), verb, argument], cwd=work)
        notes = sorted(str(p) for p in work.rglob("*.gcda"))
        text = _run(["gcov", "--json-format", "--stdout", "--branch-probabilities", *notes],
                    cwd=work)
    taken: dict[tuple[str, int], list[int]] = {}
    for document in text.splitlines():
        for file in json.loads(document)["files"]:
            name = Path(file["file"]).name
            # An inline function of a header has its branches once a unit: taken in any, taken.
            for line in file["lines"] if name in C_FILES else ():
                counts = [b["count"] for b in line["branches"]]
                if not counts:
                    continue
                old = taken.get((name, line["line_number"]), [0] * len(counts))
                taken[name, line["line_number"]] = [
                    a + b for a, b in zip(old, counts, strict=True)]
    sources = {f: (SRC / f).read_text(encoding="utf-8").splitlines() for f in C_FILES}
    lines = [Line(f"engine/src/{f}", sources[f][n - 1].strip(), counts.count(0))
             for (f, n), counts in sorted(taken.items()) if 0 in counts]
    return sum(map(len, taken.values())), lines


def python_branches() -> tuple[int, list[Line]]:
    """The same of the Python modules under their tests; a line that never runs counts once."""
    with tempfile.TemporaryDirectory() as folder:
        env = os.environ | {"COVERAGE_FILE": f"{folder}/data",
                            "HYPOTHESIS_STORAGE_DIRECTORY": folder}
        out = Path(folder) / "coverage.json"
        include = ",".join(COVERED)
        _run([sys.executable, "-m", "coverage", "run", "--branch", f"--include={include}",
              "-m", "pytest", "-q", "-p", "no:cacheprovider",
              *COVERING], cwd=ROOT, env=env)
        _run([sys.executable, "-m", "coverage", "json", "-q", "-o", str(out)], cwd=ROOT, env=env)
        files = json.loads(out.read_text())["files"]
    total, lines = 0, []
    for name, file in sorted(files.items()):
        source = (ROOT / name).read_text(encoding="utf-8").splitlines()
        total += file["summary"]["num_branches"]
        missing = Counter(n for n, _ in file["missing_branches"])
        missing.update(n for n in file["missing_lines"] if not missing[n])
        lines += [Line(name, source[n - 1].strip(), missing[n]) for n in sorted(missing)]
    return total, lines


def amiss(lines: list[Line], language: str) -> list[str]:
    """What is not taken and not listed, and what is listed and not there."""
    known = {(e["file"], e["line"]): e.get("branches", 1)
             for e in listed("untaken")
             if e["file"].endswith((".c", ".h")) == (language == "c")}
    found: Counter[tuple[str, str]] = Counter()
    for line in lines:
        found[line.file, line.text] += line.missing
    return [f"{file}: {text}: {found[file, text]} branches are not taken, "
            f"{known.get((file, text), 0)} are listed"
            for file, text in sorted({*found, *known})
            if found[file, text] != known.get((file, text), 0)]


def _measured(language: str) -> dict[str, Any]:
    total, lines = {"c": c_branches, "python": python_branches}[language]()
    wrong = amiss(lines, language)
    if wrong:
        raise RuntimeError("\n".join(["branches", *wrong]))
    missing = sum(line.missing for line in lines)
    return _book.figure("python -m tools.evidence branches", {
        "branches": total, "taken": total - missing, "listed_exceptions": missing,
        "percent": round(100 * (total - missing) / total, 2)}, long=True)


def run(long: bool) -> Iterator[tuple[str, _book.Measure]]:
    """The figures of both. A measure raises RuntimeError where it is not what is listed."""
    for language in ("c", "python"):
        yield f"branches_{language}", partial(_measured, language)
