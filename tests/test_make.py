# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The Makefile and .ci/run: each target has its line of help, and what they call is there."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tools.cc import WRAP

ROOT = Path(__file__).resolve().parent.parent
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))
PROGRAMS = [(ROOT / name).read_text(encoding="utf-8") for name in ("Makefile", ".ci/run")]
needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="no make")


@needs_make
@pytest.mark.parametrize("words", [["make"], ["make", "help"]])
def test_help_lists_every_target(words):
    env = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}  # make runs the tests
    done = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert {line.split()[0] for line in lines} == TARGETS and len(lines) == len(TARGETS)
    assert all(len(line.split()) > 1 and len(line) <= 100 for line in lines)


def test_every_target_is_phony():
    (names,) = re.findall(r"^\.PHONY:((?:.*\\\n)*.*)$", MAKEFILE, re.MULTILINE)
    assert set(names.replace("\\", "").split()) == TARGETS


def test_ci_calls_targets_that_exist():
    (beside,) = re.findall(r"<<'END'\n(.*?)^END$", PROGRAMS[1], re.MULTILINE | re.DOTALL)
    called = [*re.findall(r"^step ([^()\s]+)", PROGRAMS[1], re.MULTILINE),
              *(line.split()[0] for line in beside.splitlines())]
    assert set(called) <= TARGETS and len(called) == len(set(called))
    assert {"test", "test-long", "test-extras", "conformance", "mutants", "lint"} <= set(called)


@pytest.mark.parametrize("text", PROGRAMS, ids=["Makefile", ".ci/run"])
def test_programs_that_are_called_exist(text):
    for name in re.findall(r"-m (tools[\w.]*)", text):
        path = ROOT / name.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), name
    for name in re.findall(r"(?:tools|tests|engine|spec|weights|examples)/[\w/.*\[\]-]+", text):
        assert list(ROOT.glob(name)), name
    assert "python -c " not in text.replace("beside python -c pass", "")


def test_the_wrapped_functions_are_those_of_the_tools():
    assert f"WRAP := {WRAP}\n" in MAKEFILE
