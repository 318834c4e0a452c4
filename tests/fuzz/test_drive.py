# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The fuzz target, driven without coverage feedback: the corpus replayed, and mutated inputs."""

import shutil
import subprocess
from pathlib import Path

import pytest

from efm3.conformance.runner import cases_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def drive(tmp_path_factory):
    """The driver, built; call it with its words."""
    cc = shutil.which("cc")
    if cc is None:
        pytest.skip("no C compiler")
    program = tmp_path_factory.mktemp("fuzz") / "drive"
    sources = [*(ROOT / "tests/fuzz").glob("*.c"), *(ROOT / "engine/src").glob("*.c"),
               *(ROOT / "engine/src/kernels").glob("*.c")]
    subprocess.run([cc, "-std=c11", "-O1", "-DFUZZ_DRIVER", f"-I{ROOT}/engine/include",
                    f"-I{ROOT}/engine/src",
                    *sources, "-o", program, "-lm", "-lpthread"], check=True)
    return lambda *words: subprocess.run([program, *map(str, words)], capture_output=True,
                                         text=True, check=True).stdout


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Every reader case of up to 1 MiB as a file, by ID."""
    home = tmp_path_factory.mktemp("cases")
    out = {}
    for case in cases_of("reader"):
        data = case.data()
        if len(data) <= 1 << 20:
            out[case] = home / f"{case.id}.bin"
            out[case].write_bytes(data)
    return out


def test_the_corpus_is_replayed_with_the_expected_status(drive, files):
    lines = drive("replay", *files.values()).splitlines()
    assert lines == [f"{case.id}.bin {case.status}" for case in files]


def test_mutated_inputs_break_no_promise_and_repeat(drive, files):
    seeds = [f for f in files.values() if f.stat().st_size < 4096]
    assert drive("random", 200000, 3, *seeds) == "random: 200000 inputs\n"
