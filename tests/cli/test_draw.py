# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 draw`: its usage, and what it says where PyTorch or Pillow is missing.

What it draws is tested in tests/drawn.
"""

import subprocess
import sys

import pytest

from tests.loading import ROOT

VERBS = ("sheet", "images", "cache", "pairs", "speed")


def test_help(cli):
    shown = cli("draw", "--help")
    assert shown.exit_code == 0 and all(f"  {v}" in shown.stdout for v in VERBS)
    for verb in VERBS:
        shown = cli("draw", verb, "--help")
        assert shown.exit_code == 0 and "--json" in shown.stdout and "Exit codes" in shown.stdout


def test_usage(cli):
    for words in (("sheet",), ("dance",), ("cache", "x", "--identities", 0),
                  ("cache", "x", "--spread", 3), ("pairs", "x", "--pairs", 2)):
        assert cli("draw", *words).exit_code == 2


@pytest.mark.parametrize("verb", VERBS)
def test_a_missing_library_is_named_with_its_extra(cli, monkeypatch, verb):
    monkeypatch.setitem(sys.modules, "torch", None)
    done = cli("draw", verb, *["x"] * (verb != "speed"))
    assert done.exit_code == 1 and done.stdout == "" and len(done.stderr.splitlines()) == 1
    assert "X002" in done.stderr and "needs PyTorch; install the extra `train`" in done.stderr


@pytest.mark.parametrize("verb", ["sheet", "images", "pairs"])
def test_files_need_pillow(cli, monkeypatch, verb):
    pytest.importorskip("torch", reason="PyTorch is not installed: make test-extras runs this")
    monkeypatch.setitem(sys.modules, "PIL", None)
    done = cli("draw", verb, "x")
    assert done.exit_code == 1 and "needs Pillow; install the extra `train`" in done.stderr


def test_the_package_does_not_import_torch():
    code = ("import sys, efm3.drawn, efm3.drawn.sets, efm3.cli.draw, efm3.cli.train, efm3.cli.eval;"
            "print('torch' in sys.modules)")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True,
                          check=True)
    assert done.stdout.strip() == "False"
