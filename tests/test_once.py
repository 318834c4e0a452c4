# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What passed in one run is left out of the next, and nothing else is."""

import sys
from subprocess import run
from types import SimpleNamespace

import pytest

from tests import once
from tools import ROOT

TESTS = '''
import os, pytest
def test_passes(): pass
def test_fails(): assert os.environ.get("SECOND")
def test_is_skipped(): os.environ.get("SECOND") or pytest.skip("no library")
@pytest.mark.parametrize("word", ["a\\n[b]", "\\u6f22"])
def test_odd(word): pass
'''


def test_two_runs(tmp_path, monkeypatch):
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    words = [sys.executable, "-m", "pytest", "-n", "0", "-p", "tests.once", "-p",
             "no:cacheprovider", "-rA", "--color=no"]
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    first = run([*words, "--passed", "kept/passed"], cwd=tmp_path, capture_output=True, text=True)
    assert "1 failed, 3 passed, 1 skipped" in first.stdout
    monkeypatch.setenv("SECOND", "1")
    second = run([*words, "--but", "kept/passed"], cwd=tmp_path, capture_output=True, text=True)
    assert "2 passed, 3 deselected" in second.stdout, second.stdout
    assert "test_fails" in second.stdout and "test_is_skipped" in second.stdout


def test_a_setup_is_no_test_and_a_worker_writes_nothing(tmp_path):
    kept = once.Passed(tmp_path / "passed")
    for when, passed in (("setup", True), ("call", False), ("call", True), ("teardown", True)):
        kept.pytest_runtest_logreport(SimpleNamespace(when=when, passed=passed, nodeid=when))
    assert kept.names == ["call"]
    plugins = []
    config = SimpleNamespace(workerinput={}, getoption=lambda name: tmp_path / name,
                             pluginmanager=SimpleNamespace(register=plugins.append))
    once.pytest_configure(config)
    assert not plugins
    del config.workerinput
    once.pytest_configure(config)
    assert len(plugins) == 1
    with pytest.raises(OSError):
        once.pytest_collection_modifyitems(config, [])
