# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Exit, fork, threads, the collector, Ctrl-C and long use: each in a process of its own."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from efm3 import engine
from tests.processes import scenarios
from tools.evidence import soak as soaking

ROOT = Path(__file__).resolve().parent.parent.parent

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux calls"),
    pytest.mark.skipif(not engine.available(), reason=engine.MISSING)]
needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")


@pytest.mark.parametrize("name", list(scenarios.SCENARIOS))
def test_it_ends_well(name):
    done = subprocess.run([sys.executable, "-m", "tests.processes.scenarios", name], cwd=ROOT,
                          timeout=900, capture_output=True, text=True, check=False)
    if done.returncode == 77:
        pytest.skip("not possible here")
    assert (done.returncode, done.stderr) == (0, "")


def soak(*words):
    done = subprocess.run([sys.executable, "-m", "tests.processes.soak", *map(str, words)],
                          cwd=ROOT, timeout=900, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return json.loads(done.stdout), done.returncode


def test_many_loads_in_python():
    """As many as the heap takes to settle: in fewer it may still take its last megabyte late."""
    figures, code = soak(6000)
    assert (code, figures["grew"]) == (0, [])


@pytest.mark.parametrize("plant,what", [("memory", "memory"), ("file", "open files")])
def test_the_soak_sees_a_leak_in_python(plant, what):
    figures, code = soak(1500, "--plant", plant)
    assert code == 1 and what in figures["grew"]


@needs_cc
def test_many_loads_in_c(tmp_path):
    program = soaking.planted("none", tmp_path / "check")
    done = soaking.run_soak(program, 800)
    assert done.returncode == 0, done.stderr
    for leak, said in (("memory", "allocated"), ("file", "open_files")):
        done = soaking.run_soak(program, 800, LEAK=leak)
        assert done.returncode == 1 and f"{said}()" in done.stderr
