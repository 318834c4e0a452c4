# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The engine on another machine (AArch64 under qemu-user), and under valgrind.

tools/install_cross.sh installs what these tests want.
"""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from efm3 import sample

ROOT = Path(__file__).resolve().parent.parent
SOURCES = [*sorted((ROOT / "engine/src").glob("*.c")),
           *sorted((ROOT / "engine/src/kernels").glob("*.c"))]
WRAP = "-Wl,--wrap=malloc,--wrap=calloc,--wrap=posix_memalign,--wrap=pthread_create"


def need(*tools):
    missing = [t for t in tools if shutil.which(t) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed (tools/install_cross.sh)")


def build(compiler, out, main, *flags):
    done = subprocess.run(
        [compiler, "-std=c11", "-Wall", "-Wextra", "-Werror", *flags, "-I",
         ROOT / "engine/include", ROOT / main, *SOURCES, "-o", out, "-lm", "-lpthread"],
        capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out


def run(*command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False,
                          timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def arm(tmp_path_factory):
    need("aarch64-linux-gnu-gcc", "qemu-aarch64")
    return build("aarch64-linux-gnu-gcc", tmp_path_factory.mktemp("arm") / "mfn",
                 "engine/cli/mfn_cli.c", "-O3", "-static")


@pytest.mark.parametrize("isa", ["neon", "scalar"])
def test_aarch64_equals_the_originals(arm, vector, tmp_path, isa):
    want = np.load(vector.with_suffix(".npz"))
    want["x"][:1].astype(np.float32).tofile(tmp_path / "x.raw")
    lines = run("qemu-aarch64", arm, "--isa", isa, "embed", vector, tmp_path / "x.raw").split()
    assert np.abs(np.array(lines, float) - want["embedding"][0]).max() <= 1e-5


def test_aarch64_uses_neon(arm, vector):
    assert "neon" in run("qemu-aarch64", arm, "header", vector)


def test_aarch64_takes_hostile_bytes_and_misuse(tmp_path):
    need("aarch64-linux-gnu-gcc", "qemu-aarch64")
    program = build("aarch64-linux-gnu-gcc", tmp_path / "check", "engine/tests/check_engine.c",
                    "-O1", "-static", WRAP)
    (tmp_path / "small.bin").write_bytes(sample.base())
    # Not fork: qemu-user itself fails in a child of a process with threads.
    for verb in ("misuse", "nomem"):
        assert verb in run("qemu-aarch64", program, verb, tmp_path / "small.bin")


def test_aarch64_kernels_hold_their_bounds(tmp_path):
    need("aarch64-linux-gnu-gcc", "qemu-aarch64")
    program = build("aarch64-linux-gnu-gcc", tmp_path / "check", "engine/tests/check_kernels.c",
                    "-O2", "-static")
    assert "neon     dw3" in run("qemu-aarch64", program)


@pytest.mark.parametrize("isa", ["avx2", "scalar"])
def test_valgrind_sees_nothing(tmp_path, isa):
    need("valgrind", "cc")
    program = build("cc", tmp_path / "mfn", "engine/cli/mfn_cli.c", "-O1", "-g")
    (tmp_path / "small.bin").write_bytes(sample.base())
    np.zeros((3, 112, 112), np.float32).tofile(tmp_path / "x.raw")
    done = subprocess.run([program, "--isa", isa, "header", tmp_path / "small.bin"],
                          capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"this processor has no {isa}")
    run("valgrind", "-q", "--error-exitcode=9", "--leak-check=full", "--errors-for-leak-kinds=all",
        program, "--isa", isa, "embed", tmp_path / "small.bin", tmp_path / "x.raw")
