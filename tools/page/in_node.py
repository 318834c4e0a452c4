# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The page's Python in Node beside the command here, which has numpy: the same answers?

`python -m tools.page.in_node` asks about every file of the kit at every level, and for inspections,
differences, places and explanations: exit codes and bytes are compared. With `--times` it says how
long reports of the shipped weight files take.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Iterable
from importlib.util import module_from_spec, spec_from_file_location
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from efm3.codes import LEVELS
from efm3.conformance.cases import Case, corpus
from tools import ROOT
from tools.page import packed
from tools.page.build import PYODIDE

PROGRAM = ROOT / "tools" / "page" / "pyodide_cases.mjs"
SIZES = ("nano", "tiny", "standard", "xs")
RUNS = 7
"""Times that a report is asked for; the median counts."""
MINUTES = 30


class Answers(NamedTuple):
    """To each question [exit code, standard output, standard error] and milliseconds of the clock
    and of the processor; milliseconds until Pyodide was there, and then until the command was."""

    said: list[list[Any]]
    ms: list[list[float]]
    boot: list[float]
    begin: list[float]


def missing() -> str:
    """What is not here without which nothing can be run; "" where all is."""
    if shutil.which("node") is None:
        return "no node"
    if not (PYODIDE / "pyodide.mjs").is_file():
        return "no Pyodide: run tools/foreign/install_page.sh"
    return ""


def in_pyodide(folder: Path, questions: list[list[str]]) -> Answers:
    """What the command says there. Raises CalledProcessError."""
    with tempfile.TemporaryDirectory() as scratch:
        archive, asked, said = (Path(scratch) / n for n in ("python.zip", "asked", "said"))
        archive.write_bytes(packed.archive(packed.members()))
        asked.write_text(json.dumps(questions), encoding="utf-8")
        subprocess.run(["node", PROGRAM, PYODIDE, archive, folder, asked, said], check=True,
                       timeout=60 * MINUTES)
        found = json.loads(said.read_text(encoding="utf-8"))
    if found["ready"]["level"] != LEVELS[-1]:
        raise ValueError(f"only level {found['ready']['level']} is there")
    return Answers([a["value"] for a in found["answers"]], [a["ms"] for a in found["answers"]],
                   found["boot"], found["begin"])


def here(folder: Path, questions: list[list[str]]) -> list[list[Any]]:
    """What the command says here, by the same glue."""
    spec = spec_from_file_location("glue", packed.GLUE)
    assert spec is not None and spec.loader is not None
    glue = module_from_spec(spec)
    spec.loader.exec_module(glue)
    was = Path.cwd()
    try:
        os.chdir(folder)
        return [json.loads(glue.run(json.dumps(words))) for words in questions]
    finally:
        os.chdir(was)


def write_cases(folder: Path, cases: Iterable[Case]) -> list[str]:
    """Their files' names, in order."""
    names = []
    for case in cases:
        if case.kind == "reader":
            names.append(f"{case.id}.bin")
            (folder / names[-1]).write_bytes(case.data())
    return sorted(names)


def report(level: str, form: str, *names: str) -> list[str]:
    """The words that ask for a report."""
    return ["validate", "--no-config", "--level", level, "--format", form, "--", *names]


def questions(names: list[str], step: int = 10) -> list[list[str]]:
    """Every file at every level; of every one in `step` all that it holds, and its neighbour's
    differences; the other forms of a report, and what needs no file or a part of one."""
    some = names[::step]
    whole = [name for name in some if "comma" not in name]  # see of_python: one would hide the rest
    return [*(report(level, "jsonl", name) for name in names for level in LEVELS),
            *(["inspect", "--json", name] for name in some),
            *(["diff", "--json", a, b] for a, b in pairwise(some)),
            *(["where", name, "300", "--json"] for name in some),
            *(report("values", form, *whole) for form in ("json", "sarif", "junit", "text")),
            ["explain", "--all"], ["explain", "T012", "V013"]]


def differing(questions: list[list[str]], a: list[list[Any]], b: list[list[Any]]) -> list[str]:
    """The questions to which the answers differ, with the first line of each that does."""
    out = []
    for words, x, y in zip(questions, a, b, strict=True):
        if x != y and not of_python(x, y):
            lines = ([str(v[0]), *v[1].splitlines(), *v[2].splitlines()] for v in (x, y))
            first = next((f"{p!r} is {q!r}" for p, q in zip(*lines, strict=False) if p != q), "")
            out.append(f"efm3 {' '.join(words)[:100]}: {first[:300]}")
    return out


def of_python(a: list[Any], b: list[Any]) -> bool:
    """True where one answer has the words that json has from Python 3.13 on for a comma before a
    closing bracket, and the other one not: the message and the byte of M011 are json's."""
    return any(_COMMA in x[1] for x in (a, b)) and not all(_COMMA in x[1] for x in (a, b))


_COMMA = "Illegal trailing comma before end of"


def times(folder: Path) -> list[str]:
    """A line for each published size: milliseconds of its first report, and of later ones."""
    names = [f"facex_{size}.bin" for size in SIZES]
    for name in names:
        shutil.copy(ROOT / "weights" / name, folder)
    asked = [report("values", "json", name) for name in names for _ in range(RUNS)]
    answers = in_pyodide(folder, asked)
    out = [f"Pyodide {_both(answers.boot)}, the command {_both(answers.begin)} more"]
    for i, name in enumerate(names):
        first, *later = answers.ms[i * RUNS:(i + 1) * RUNS]
        middle = [statistics.median(ms) for ms in zip(*later, strict=True)]
        out.append(f"{name}: first report {_both(first)}, then {_both(middle)}")
    return out


def _both(ms: list[float]) -> str:
    """Milliseconds of the clock, which a busy machine makes more, and of the processor."""
    return f"{ms[0]:.0f} ms ({ms[1]:.0f} of the processor)"


def main() -> int:
    """0 where all is the same, 1 where something differs; 0 with a reason where nothing runs."""
    parser = argparse.ArgumentParser(prog="python -m tools.page.in_node", description=__doc__)
    parser.add_argument("--times", action="store_true", help="how long reports take, instead")
    args, lacks = parser.parse_args(), missing()
    if lacks:
        print(f"in_node: skipped: {lacks}")
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if args.times:
            print("\n".join(times(folder)))
            return 0
        asked = questions(write_cases(folder, corpus()))
        said = here(folder, asked), in_pyodide(folder, asked).said
    wrong, words = differing(asked, *said), sum(map(of_python, *said))
    print("\n".join([*wrong, f"in_node: {len(asked)} answers, {len(wrong)} differ, and {words} "
                     "in what json calls a comma before a closing bracket"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
