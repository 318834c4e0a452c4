# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""engine/CMakeLists.txt: built, installed, found by others, and for another processor."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from efm3.conformance import sample
from efm3.engine import Engine
from tools.cc import SOURCES
from tools.foreign import machines, platforms

ROOT = Path(__file__).resolve().parents[2]
ENGINE = ROOT / "engine"
LISTS = (ENGINE / "CMakeLists.txt").read_text(encoding="utf-8")
NANO = ROOT / "weights/facex_nano.bin"
CONSUMER = """cmake_minimum_required(VERSION 3.16)
project(consumer LANGUAGES C)
find_package(facex_mfn 0.1 REQUIRED)
add_executable(consumer example_mfn.c)
target_link_libraries(consumer PRIVATE facex_mfn::facex_mfn m)
"""
INSIDE = """cmake_minimum_required(VERSION 3.16)
project(firmware LANGUAGES C)
set(MFN_NO_THREADS ON)
set(MFN_NO_SIMD ON)
add_subdirectory({engine} engine)
add_executable(firmware example_mfn.c)
target_link_libraries(firmware PRIVATE facex_mfn::facex_mfn m)
"""
TOOLCHAIN = """set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L {sysroot})
"""
pytestmark = pytest.mark.skipif(
    shutil.which("cmake") is None or shutil.which("cc") is None,
    reason="no cmake (tools/foreign/install_zig.sh) or no C compiler")


def run(*words, **env):
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=False,
                          timeout=1200, env=os.environ | env)
    assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-1500:]
    return done.stdout


def configure(source, build, *words):
    return run("cmake", "-S", source, "-B", build, "-DCMAKE_BUILD_TYPE=Debug", *words)


def make(build, *words):
    run("cmake", "--build", build, "-j", platforms.JOBS, *words)


def example(folder, lists):
    folder.mkdir()
    shutil.copy(ENGINE / "examples/example_mfn.c", folder)
    (folder / "CMakeLists.txt").write_text(lists, encoding="utf-8")
    return folder


def test_sources_and_version_are_declared_once():
    """It takes every source, as tools.cc does, names none, and reads the header's version."""
    assert not [s.name for s in SOURCES if s.name in LISTS]
    globs = re.search(r"file\(GLOB sources CONFIGURE_DEPENDS (.*?)\)", LISTS, re.DOTALL)[1].split()
    taken = [p for g in globs
             for p in ENGINE.glob(g.removeprefix("${CMAKE_CURRENT_SOURCE_DIR}/"))]
    assert sorted(taken) == sorted(SOURCES) and "MFN_VERSION_STRING" in LISTS
    code = " ".join(p.read_text(encoding="utf-8")
                    for p in (*SOURCES, *ENGINE.glob("src/**/*.h")))
    for macro in set(re.findall(r"MFN_(?:NO|BAND)_\w+", LISTS)):
        assert re.search(rf"#ifn?def {macro}\b|\bdefined\({macro}\)", code), macro


@pytest.mark.parametrize("shared", [False, True], ids=["static", "shared"])
def test_installed_it_is_found_by_cmake_and_by_pkg_config(shared, tmp_path):
    """Moved after it was installed, too; the program is the example, with nano."""
    build, first, home = tmp_path / "build", tmp_path / "first", tmp_path / "a place"
    configure(ENGINE, build, f"-DBUILD_SHARED_LIBS={'ON' if shared else 'OFF'}",
              f"-DCMAKE_INSTALL_PREFIX={first}")
    make(build)
    assert "platform" in run("ctest", "--test-dir", build, "-N")
    run("ctest", "--test-dir", build, "-R", "platform", "--output-on-failure")
    run("cmake", "--install", build)
    first.rename(home)
    (library,) = {p.resolve() for p in home.rglob("libfacex_mfn.*") if p.suffix != ".pc"}
    found = run("nm", *(["-D"] if shared else []), "--defined-only", library)
    given = set(re.findall(r" T (mfn_\w+)", found))
    assert given == platforms.declared() if shared else given > platforms.declared()
    assert "256" in run(home / "bin/mfn-cli", "header", NANO)
    consumer = example(tmp_path / "consumer", CONSUMER)
    configure(consumer, tmp_path / "out", f"-DCMAKE_PREFIX_PATH={home}")
    make(tmp_path / "out")
    assert "256 values each" in run(tmp_path / "out/consumer", NANO)
    if not shutil.which("pkg-config"):
        pytest.skip("no pkg-config (tools/foreign/install_zig.sh): tried with find_package alone")
    (pc,) = home.rglob("facex_mfn.pc")
    words = run("pkg-config", "--define-prefix", "--cflags", "--libs", "facex_mfn",
                PKG_CONFIG_PATH=str(pc.parent))
    subprocess.run(f"cc -std=c11 -o by example_mfn.c {words.strip()} -lm", shell=True,
                   cwd=consumer, check=True)
    assert "256 values each" in run(consumer / "by", NANO, LD_LIBRARY_PATH=str(library.parent))


def test_a_folder_of_another_project_without_threads_and_vectors(tmp_path):
    """The library alone: no checks, no command; its own flags do not reach the others."""
    source = example(tmp_path / "firmware", INSIDE.format(engine=ENGINE))
    configure(source, tmp_path / "out")
    make(tmp_path / "out")
    assert "256 values each" in run(tmp_path / "out/firmware", NANO)
    symbols = run("nm", tmp_path / "out/firmware")
    assert "pthread_create" not in symbols and "mfn_pool_run" in symbols
    assert not list(tmp_path.rglob("mfn-cli")) and not list(tmp_path.rglob("check_*"))


def test_bands_of_another_size_change_no_bit(tmp_path):
    """Of the portable kernels, with bands of one row; the picture is check_platform's last."""
    configure(ENGINE, tmp_path / "out", "-DMFN_BAND_BYTES=1", "-DMFN_NO_SIMD=ON")
    make(tmp_path / "out", "--target", "check_platform")
    said = run(tmp_path / "out/check_platform", NANO, tmp_path).split()
    i = np.arange(4 * 37632, 5 * 37632, dtype=np.uint64)
    x = (i * np.uint64(2654435761) >> np.uint64(8)) % np.uint64(65536)
    x = x.astype(np.float32) / np.float32(32768) - np.float32(1)
    want = Engine(NANO, isa="scalar").embed(x.reshape(3, 112, 112))
    assert said == [f"{bits:08x}" for bits in want.view(np.uint32)]


def test_for_another_processor_by_a_toolchain_file(tmp_path):
    """AArch64 by Debian's compiler; CTest runs the check under the emulator."""
    machine = machines.MACHINES[0]
    if machines.missing(machine) or not platforms.ARM.is_dir():
        pytest.skip(f"no {machines.missing(machine) or platforms.ARM} "
                    "(tools/foreign/install_cross.sh)")
    toolchain, small = tmp_path / "aarch64.cmake", tmp_path / "small.bin"
    small.write_bytes(sample.base())
    toolchain.write_text(TOOLCHAIN.format(sysroot=platforms.ARM), encoding="utf-8")
    configure(ENGINE, tmp_path / "out", f"-DCMAKE_TOOLCHAIN_FILE={toolchain}",
              "-DCMAKE_BUILD_TYPE=Release", f"-DMFN_TEST_WEIGHTS={small}")
    make(tmp_path / "out", "--target", "check_platform")
    assert "100% tests passed" in run("ctest", "--test-dir", tmp_path / "out", "-R", "platform")
