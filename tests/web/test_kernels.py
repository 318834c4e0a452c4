# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""engine/tests/check_kernels.c for the rows of WebAssembly, in Node."""

import os
import shutil
import subprocess

import pytest

from tools import ROOT
from tools.bench.web import node
from tools.foreign.platforms import CACHE, ZIG
from tools.gen import amalgamation
from tools.web import build

pytestmark = pytest.mark.skipif(not shutil.which("node") or not ZIG.exists(),
                                reason="no node, or no build/zig (tools/foreign/install_zig.sh)")


@pytest.mark.parametrize("row", ["wasmrelaxed", "wasmsimd"])
def test_every_kernel_of_the_row(row, tmp_path):
    amalgamation.write(tmp_path)
    program = tmp_path / "check.wasm"
    subprocess.run([ZIG, "cc", "-target", "wasm32-wasi", "-std=c11", "-Os", "-fno-sanitize=all",
                    *build.ROWS[row], f"-I{ROOT / 'tests/web/shim'}",
                    f"-I{ROOT / 'engine/src'}", f"-I{ROOT / 'engine/include'}",
                    tmp_path / "facex_mfn.c", ROOT / "engine/tests/check_kernels.c", "-o", program],
                   check=True, env=os.environ | {"ZIG_GLOBAL_CACHE_DIR": str(CACHE),
                                                 "ZIG_LOCAL_CACHE_DIR": str(CACHE)})
    done = subprocess.run([*node(), str(ROOT / "tools/foreign/wasi.mjs"), program.name, "--few"],
                          cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert row in done.stdout
