# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""engine/wasm/src/scan.c, compiled for this machine with sanitizers, on broken files."""

import subprocess
import sys

from tools import ROOT
from tools.cc import SRC, cc


def test_broken_files_under_sanitizers(tmp_path):
    subprocess.run([sys.executable, "-m", "efm3", "conformance", "export", str(tmp_path / "kit")],
                   cwd=ROOT, check=True, capture_output=True)
    files = sorted(p for p in (tmp_path / "kit/reader").glob("*.bin") if p.stat().st_size < 1 << 20)
    wrong = cc("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all",
               ROOT / "tests/web/scan_hostile.c", SRC / "loader.c", SRC / "network.c", "-o",
               tmp_path / "hostile", "-lm")
    assert not wrong
    done = subprocess.run([tmp_path / "hostile", "50", *files], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout == f"{len(files)} files, 50 damaged copies of each\n"
