# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The rows of AVX-512 where a processor has AVX2 alone: their intrinsics come from
engine/tests/emulated, all else is the code that runs with AVX-512."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from efm3 import _engine_build
from efm3 import engine as engines

ROOT = Path(__file__).resolve().parent.parent
CC = shutil.which("gcc")
HERE = engines.isas() if engines.available() else {}
pytestmark = [
    pytest.mark.skipif(CC is None, reason="no gcc: the header leans on its vector types"),
    pytest.mark.skipif(not HERE.get("avx2"), reason="no AVX2, which emulates AVX-512"),
]
ROWS = ("avx512bf16", "avx512vnni", "avx512")
TARGET = re.compile(r'target\("avx512[^"]*"\)')
FEATURES = "return found & ~(unsigned)KNOWN;"
EMULATED = ("return (found & ~(unsigned)KNOWN) | MFN_CPU_AVX512 | MFN_CPU_AVX512VNNI | "
            "MFN_CPU_AVX512BF16;")
FLAGS = ("-std=c11", "-O1", "-fPIC", "-Wall", "-Wextra", "-Werror", "-Wno-psabi", "-DMFN_NO_ASM")


def changed(path, old, new):
    """The file with the words replaced, which must be there."""
    text = path.read_text()
    assert old in text, old
    path.write_text(text.replace(old, new, 1))


def tree(folder):
    """The engine's sources, with the rows compiled for AVX2 and said to be supported."""
    shutil.copytree(ROOT / "engine", folder / "engine")
    for row in ROWS:
        path = folder / f"engine/src/kernels/{row}.c"
        text, count = TARGET.subn('target("avx2,fma")', path.read_text())
        assert count == 2  # clang's words and gcc's
        path.write_text(text)
    changed(folder / "engine/src/cpu.c", FEATURES, EMULATED)
    return folder / "engine"


def compiled(engine, sources, out):
    """An object of each source, made two at a time; their paths."""
    out.mkdir(exist_ok=True)
    left, running = list(sources), []
    while left or running:
        while left and len(running) < 2:
            source = left.pop()
            command = [CC, *FLAGS, "-I", engine / "tests/emulated", "-I", engine / "include", "-c",
                       source, "-o", out / f"{source.stem}.o"]
            running.append(subprocess.Popen(list(map(str, command))))
        assert running.pop(0).wait() == 0
    return [out / f"{s.stem}.o" for s in sources]


def sources(engine):
    return [*sorted((engine / "src").glob("*.c")), *sorted((engine / "src/kernels").glob("*.c"))]


def linked(objects, out, *flags):
    command = [CC, *flags, "-o", out, *objects, "-lm", "-lpthread"]
    subprocess.run(list(map(str, command)), check=True)
    return out


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of the sources, with an object of each and of the check."""
    folder = tmp_path_factory.mktemp("emulated")
    engine = tree(folder)
    compiled(engine, [*sources(engine), engine / "tests/check_kernels.c"], folder / "objects")
    return folder


def check(program):
    return subprocess.run([program, "--few"], capture_output=True, text=True, check=False,
                          timeout=600)


def test_every_row_holds_its_bound_beside_a_faulting_page(built):
    done = check(linked(sorted((built / "objects").glob("*.o")), built / "check"))
    assert done.returncode == 0, done.stderr
    seen = {tuple(x.split()[:2]) for x in done.stdout.splitlines()}
    for row, slots in (("avx512bf16", ("bf16", "bf16-q", "i8")),
                       ("avx512vnni", ("i8", "i16-q", "stem")),
                       ("avx512", ("gemm", "dw3", "i16", "stem"))):
        assert {(row, s) for s in slots} <= seen


BF16 = "src/kernels/avx512bf16.c"
VNNI = "src/kernels/avx512vnni.c"
PLANTED = [
    (BF16, "if (q->channels % STEP)", "if (q->channels % STEP > 1)"),
    (BF16, "i < q->m * px; i", "i + MFN_BLOCK < q->m * px; i"),
    (BF16, "viload((head)->bias + at)", "viload((head)->scale + at)"),
    (BF16, "#define STEP 2", "#define STEP 4"),
    (BF16, "(i * px + q->channels) *", "(i * px + q->channels - 1) *"),
    (BF16, "__m512bh)a, (__m512bh)b", "__m512bh)a, (__m512bh)(b + b)"),
    (VNNI, "#define ZERO_APART 1", "#define ZERO_APART 0"),
    (VNNI, "vidup(zero)", "vidup(-zero)"),
    (VNNI, "epi16((short)zero)", "epi16((short)-zero)"),
    (VNNI, "(0, 4, 8, 12, 1,", "(0, 4, 8, 12, 2,"),
    ("tests/emulated/immintrin.h", "half % 2);", "half % 2 == 0);"),
    ("tests/emulated/immintrin.h", "_mm256_slli_epi32(y.part[i], 16)", "y.part[i]"),
]


@pytest.mark.parametrize("file,old,new", PLANTED, ids=range(len(PLANTED)))
def test_the_check_sees_a_broken_kernel(built, tmp_path, file, old, new):
    engine = tmp_path / "engine"
    shutil.copytree(built / "engine", engine)
    changed(engine / file, old, new)
    row = engine / (file if file.endswith(".c") else BF16)
    objects = [x for x in (built / "objects").glob("*.o") if x.stem != row.stem]
    objects += compiled(engine, [row], tmp_path / "objects")
    assert check(linked(objects, tmp_path / "check")).returncode != 0


def test_the_engine_and_its_precisions(built, tmp_path):
    """What is tested of the precisions and of the stem, for these rows."""
    left_out = shutil.ignore_patterns("_engine*.so", "__pycache__")
    for name in ("efm3", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=left_out)
    for name in ("weights", "spec"):
        (tmp_path / name).symlink_to(ROOT / name)
    _engine_build.builder().emit_c_code(str(tmp_path / "_engine.c"))
    subprocess.run(list(map(str, [
        CC, "-std=c11", "-O1", "-fPIC", "-I", built / "engine/include", "-I",
        sysconfig.get_path("include"), "-c", tmp_path / "_engine.c", "-o", tmp_path / "x.o"])),
        check=True)
    own = [x for x in (built / "objects").glob("*.o") if x.stem != "check_kernels"]
    linked([tmp_path / "x.o", *own], tmp_path / "efm3/_engine.abi3.so", "-shared")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist",
         "tests/test_engine_precision.py", "tests/test_engine_stem.py", "-k",
         "avx512bf16 or avx512vnni"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=1200,
        env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert done.returncode == 0, done.stdout
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 50
