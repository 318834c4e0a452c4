# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The engine built whole, as its users build it: README's one line, the amalgamation."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CC = shutil.which("cc")
pytestmark = pytest.mark.skipif(CC is None, reason="no C compiler")
README = (ROOT / "README.md").read_text(encoding="utf-8")
NANO = ROOT / "weights" / "facex_nano.bin"


def run(*command, code=0):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False,
                          timeout=600)
    assert done.returncode == code, done.stderr
    return done


def test_the_readmes_one_cc_line(tmp_path):
    line = re.search(r"```text\n(cc .*)\n```", README)[1]
    shutil.copy(ROOT / "engine/examples/example_mfn.c", tmp_path / "example.c")
    (tmp_path / "engine").symlink_to(ROOT / "engine")
    subprocess.run(line, shell=True, cwd=tmp_path, check=True)
    assert "256 values each" in run(tmp_path / "a.out", NANO).stdout
    assert "cannot be opened" in run(tmp_path / "a.out", tmp_path / "none", code=1).stderr
    run(tmp_path / "a.out", code=2)


def test_amalgamation(tmp_path):
    run(sys.executable, "-m", "tools.gen.amalgamation", tmp_path)
    program = tmp_path / "example"
    flags = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-I", tmp_path]
    run(CC, *flags, "-o", program, ROOT / "engine/examples/example_mfn.c",
        tmp_path / "facex_mfn.c", "-lm", "-lpthread")
    assert "256 values each" in run(program, NANO).stdout
