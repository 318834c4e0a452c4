# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""One other system for real; `make platforms` does all."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools.foreign import platforms

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(not platforms.ZIG.exists(),
                    reason="no build/zig (tools/foreign/install_zig.sh)")
def test_webassembly():
    done = subprocess.run([sys.executable, "-m", "tools.foreign.platforms", "wasm32-wasi"],
                          cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    system = next(s for s in platforms.SYSTEMS if s.target == "wasm32-wasi")
    assert ("run: the same bits" if platforms.runs(system, "") else "linked") in done.stdout
