# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Where PyTorch is not installed the command says so, and the package still imports."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("verb", ["sheet", "images", "cache", "pairs", "speed"])
def test_command_says_what_it_needs(verb, tmp_path):
    code = ("import sys; sys.modules['torch'] = None; sys.modules['PIL'] = None;"
            f"from efm3.drawn.cli import main; main({[verb, *['x'] * (verb != 'speed')]})")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True,
                          check=False)
    assert done.returncode == 2 and "efm3-synth needs PyTorch" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_package_does_not_import_torch():
    code = "import sys; import efm3.drawn; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True,
                          check=True)
    assert done.stdout.strip() == "False"
