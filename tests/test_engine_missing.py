# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Without a C compiler: the build succeeds, and Engine says what is missing."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

import efm3
from efm3 import engine as engines
from efm3.cli import needs_engine

ROOT = Path(__file__).resolve().parent.parent


def test_build_goes_on_without_a_compiler(tmp_path):
    env = os.environ | {"CC": "/bin/false"}
    done = subprocess.run([sys.executable, "setup.py", "-q", "build_ext", "-b", tmp_path / "lib",
                           "-t", tmp_path / "obj"], cwd=ROOT, env=env, capture_output=True,
                          text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.rglob("*.so"))


def test_engine_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "efm3._engine", None)
    assert not engines.available()
    for call in (lambda: efm3.Engine("x.bin"), engines.isas):
        with pytest.raises(engines.EngineMissing, match="C compiler"):
            call()
    assert efm3.similarity([1, 0], [1, 0]) == 1
    assert efm3.validate(ROOT / "spec/vectors/odd_b.bin").ok


def test_only_that_is_said_in_one_line():
    """Another failure is not taken for a missing engine."""
    with pytest.raises(click.ClickException, match="not there"), needs_engine():
        raise engines.EngineMissing("not there")
    with pytest.raises(RuntimeError, match="other"), needs_engine():
        raise RuntimeError("other")
