# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""No sum of a product leaves its register in the innermost loops that the compilers here write.

clang comes with tools/evidence/install_fuzz.sh; without it gcc's loops alone are looked at.
"""

import re
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
KERNELS = ROOT / "engine" / "src" / "kernels"
LINE = re.compile(r"^\s+([0-9a-f]+):\s+(\S+)\s*(.*)$")
FUNCTION = re.compile(r"<(\w+)>:\n(.*?)(?:\n\n|\Z)", re.DOTALL)
REDUCED = (re.compile(r"product_(i|bf)\w+"), re.compile(r"vdpbf16ps|vpdp(busd|wssd)|vpmaddwd"))
FLOATS = (re.compile(r"f32_(gemm|fc)__\w+"), re.compile(r"vfmadd"))
"""The functions, and the instruction that a loop of theirs is for."""

ROWS = {"avx2": 1, "avxvnni": 2, "avx512": 1, "avx512vnni": 2, "avx512bf16": 1}
"""Row to the number of its products of reduced precision."""

SPILLS = {("clang", "avx512"): "clang gives the tile of 24 columns more registers than there are"}
"""Compiler and row whose float32 loops are known to use the stack: they are slower, not wrong."""


def need(compiler):
    for name in (compiler, "objdump"):
        if shutil.which(name) is None:
            pytest.skip(f"no {name} (tools/evidence/install_fuzz.sh)")
    machine = subprocess.run([compiler, "-dumpmachine"], capture_output=True, text=True, check=True)
    if not machine.stdout.startswith("x86_64"):
        pytest.skip(f"{compiler} does not compile for x86-64")


def loops(text, kind):
    """The innermost loops around the kind's instruction: lists of (instruction, on the stack).

    %rbp points at the stack where the function sets it so, and is a register like others where not.
    """
    functions, wanted = kind
    out = []
    for name, body in FUNCTION.findall(text):
        if not functions.fullmatch(name):
            continue
        rows = [m.groups() for m in map(LINE.match, body.splitlines()) if m]
        frame = "sb" if re.search(r"mov\s+%rsp,%rbp", body) else "s"
        on_stack = re.compile(rf"%[xyz]mm.*\(%r[{frame}]p|\(%r[{frame}]p.*%[xyz]mm")
        where = {address: i for i, (address, _, _) in enumerate(rows)}
        found = []
        for end, (_, jump, rest) in enumerate(rows):
            start = where.get(rest.split()[0]) if jump.startswith("j") and rest else None
            if start is not None and start <= end:
                found.append((start, end))
        for a, b in found:
            if any(a <= c and d <= b and (c, d) != (a, b) for c, d in found):
                continue
            lines = [f"{op} {rest}" for _, op, rest in rows[a:b + 1]]
            if any(map(wanted.search, lines)):
                out.append([(line, bool(on_stack.search(line))) for line in lines])
    return out


def spilled(found):
    return ["\n".join(line for line, _ in loop) for loop in found if any(bad for _, bad in loop)]


def listing(compiler, source, out, *flags):
    command = [compiler, "-O2", "-std=c11", "-Werror", *flags, "-I", ROOT / "engine/include", "-c",
               source, "-o", out]
    subprocess.run(list(map(str, command)), check=True)
    return subprocess.run(["objdump", "-d", "--no-show-raw-insn", str(out)], check=True,
                          capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def listed(tmp_path_factory):
    home = tmp_path_factory.mktemp("objects")
    return lru_cache(maxsize=None)(
        lambda compiler, row: listing(compiler, KERNELS / f"{row}.c", home / "x.o"))


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("row", ROWS)
def test_no_inner_loop_below_float32_uses_the_stack(listed, compiler, row):
    need(compiler)
    found = loops(listed(compiler, row), REDUCED)
    # Tiles of full height, of less, of two and of one, for one and two vectors at least.
    assert len(found) >= 8 * ROWS[row]
    assert not spilled(found)


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("row", ["avx2", "avx512"])
def test_no_inner_loop_of_floats_uses_the_stack(listed, compiler, row):
    need(compiler)
    if (compiler, row) in SPILLS:
        pytest.skip(SPILLS[compiler, row])
    found = loops(listed(compiler, row), FLOATS)
    assert len(found) >= 12
    assert not spilled(found)


def test_a_spill_is_seen(tmp_path):
    """Twice the rows than there are registers for."""
    need("gcc")
    shutil.copytree(ROOT / "engine", tmp_path / "engine")
    source = tmp_path / "engine/src/kernels/avx2.c"
    text = source.read_text()
    for old, new, kind in (("#define INT_TALL 6", "#define INT_TALL 12", REDUCED),
                           ("#define TALL 6", "#define TALL 12", FLOATS)):
        assert old in text
        source.write_text(text.replace(old, new))
        assert spilled(loops(listing("gcc", source, tmp_path / "x.o"), kind))


@pytest.mark.parametrize("row", ROWS)
def test_the_intrinsics_compile_too(tmp_path, row):
    """For compilers without statements of assembly; they may spill."""
    need("gcc")
    assert loops(listing("gcc", KERNELS / f"{row}.c", tmp_path / "x.o", "-DMFN_NO_ASM"), REDUCED)
