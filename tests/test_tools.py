# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The programs of tools/: each starts as `python -m tools.X`, and ends in its main()."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.systems import posix
from tools.bench import start

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = sorted(p for p in (ROOT / "tools").rglob("*.py")
                  if p.name == "__main__.py" or '__name__ == "__main__"' in p.read_text("utf-8"))


def run(*words):
    return subprocess.run([sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True,
                          check=False)


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_a_program_is_its_main(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert any(isinstance(n, ast.FunctionDef) and n.name == "main" for n in tree.body)
    guard = tree.body[-1]
    assert isinstance(guard, ast.If) and ast.unparse(guard.test) == "__name__ == '__main__'"
    assert "main(" in ast.unparse(guard.body[-1]) and len(guard.body) <= 2


@posix
@pytest.mark.parametrize("words", [
    "tools.bench", "tools.bench conformance", "tools.bench engine", "tools.bench start",
    "tools.evidence", "tools.demo", "tools.verify_bin", "tools.gen", "tools.mutants",
    "tools.gen.pictures", "tools.release"])
def test_help_says_how_a_program_is_started(words):
    done = run(*words.split(), "--help")
    assert done.returncode == 0 and done.stdout.startswith(f"usage: python -m {words} ")


def test_the_table_of_starts_shows_targets_and_failures():
    found = {name: start.row([0.2, 0.3, 0.1], [0.1, 0.1, 0.05])
             for name in [start.PASS, *start.COMMANDS] if name != "new"}
    assert found["inspect"] == {
        "median_ms": 200.0, "least_ms": 100.0, "ratio": 2.0, "ratio_of_minima": 2.0}
    lines = start.report([found]).splitlines()
    assert any(line.startswith("inspect") and line.endswith("<= 5 holds") for line in lines)
    assert any(re.fullmatch(r"new +failed", line) for line in lines)
    slow = found | {"inspect": found["inspect"] | {"ratio": 5.1}}
    beside = start.report([slow, found])
    assert "<= 5 MISSED" in beside and "other: ratio" in beside


def test_a_command_that_fails_has_no_time(tmp_path):
    assert start.seconds([sys.executable, "-c", "pass"], str(tmp_path)) > 0
    assert start.seconds([sys.executable, "-c", "exit(1)"], str(tmp_path)) is None
