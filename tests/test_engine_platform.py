# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the engine asks of an operating system: in platform.h and the files that answer, alone."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from efm3.conformance import sample
from tools.cc import SOURCES, SRC, cc

ENGINE = SRC.parent
ANSWERS = {"arguments.h", "platform.h", "platform_file.c", "platform_machine.c",
           "platform_thread.c", "platform_windows.c"}
SYSTEM = re.compile(r"^ *#.*\b(_WIN32|WIN32|_WIN64|__linux__|__APPLE__|__ANDROID__|__unix__|"
                    r"__wasi__|__wasm__|__FreeBSD__|__MINGW\w+|__CYGWIN__|_MSC_VER|MFN_WINDOWS|"
                    r"MFN_POSIX)\b", re.MULTILINE)
HEADER = re.compile(r"^ *# *include <(?:sys/|unistd|fcntl|pthread|sched|errno|time|windows|malloc|"
                    r"process|io|direct)[\w/]*\.h>", re.MULTILINE)
needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")


def files(folder: Path):
    return sorted(p for p in folder.rglob("*") if p.suffix in (".c", ".h", ".def"))


def test_no_other_file_asks_which_system_it_is_compiled_for():
    seen = {p.name for p in files(ENGINE) if SYSTEM.search(p.read_text(encoding="utf-8"))}
    assert seen <= ANSWERS and {"platform.h", "platform_machine.c", "platform_windows.c"} <= seen


def test_no_other_source_includes_a_header_of_a_system():
    """The checks may: they map pages, fork, and fail calls."""
    seen = {p.name for folder in ("src", "cli", "examples", "include")
            for p in files(ENGINE / folder) if HEADER.search(p.read_text(encoding="utf-8"))}
    assert seen <= ANSWERS and "platform_file.c" in seen


@needs_cc
def test_without_threads_it_is_the_same_embedding(tmp_path):
    """Of a batch that asks for threads: engine/examples, whole, with the pool and without it."""
    (tmp_path / "small.bin").write_bytes(sample.base())
    said, calls = [], []
    for name, flags in (("with", []), ("without", ["-DMFN_NO_THREADS"])):
        program = tmp_path / name
        assert cc("-O1", "-DMFN_NO_SIMD", "-Wall", "-Wextra", "-Werror", *flags,
                  ENGINE / "tests/check_platform.c", *SOURCES, "-o", program, "-lm",
                  "-lpthread") == ""
        done = subprocess.run([program, tmp_path / "small.bin", tmp_path], capture_output=True,
                              text=True, check=False)
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
        calls.append(b"pthread_create" in program.read_bytes())
    assert said[0] == said[1] and calls == [True, False]
