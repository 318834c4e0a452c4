# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""No sum of a product leaves its register in the innermost loops that the compilers here write."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
KERNELS = ROOT / "engine" / "src" / "kernels"
LINE = re.compile(r"^\s+([0-9a-f]+):\s+(\S+)\s*(.*)$")
DOT = re.compile(r"vdpbf16ps|vpdp(busd|wssd)|vpmaddwd")
VECTOR_ON_STACK = re.compile(r"%[xyz]mm.*\(%r[sb]p|\(%r[sb]p.*%[xyz]mm")
COMPILERS = [c for c in ("gcc", "clang") if shutil.which(c)]
ROWS = {"avx2": 1, "avxvnni": 2, "avx512": 1, "avx512vnni": 2, "avx512bf16": 1}
"""Row to the number of its products in integers."""

pytestmark = pytest.mark.skipif(
    not COMPILERS or shutil.which("objdump") is None, reason="no compiler, or no objdump")


def loops(text):
    """The innermost loops of the functions product_*, as lists of instructions."""
    out = []
    for body in re.findall(r"<product_(?:i|bf)\w+>:\n(.*?)(?:\n\n|\Z)", text, re.DOTALL):
        rows = [m.groups() for m in map(LINE.match, body.splitlines()) if m]
        where = {address: i for i, (address, _, _) in enumerate(rows)}
        found = []
        for end, (_, name, rest) in enumerate(rows):
            start = where.get(rest.split()[0]) if name.startswith("j") and rest else None
            if start is not None and start <= end:
                found.append((start, end))
        out += [[f"{name} {rest}" for _, name, rest in rows[a:b + 1]] for a, b in found
                if not any(a <= c and d <= b and (c, d) != (a, b) for c, d in found)]
    return out


def spilled(loop):
    return [x for x in loop if VECTOR_ON_STACK.search(x)]


def listing(compiler, source, out, *flags):
    command = [compiler, "-O2", "-std=c11", "-Werror", *flags, "-I", ROOT / "engine/include", "-c",
               source, "-o", out]
    subprocess.run(list(map(str, command)), check=True)
    return subprocess.run(["objdump", "-d", "--no-show-raw-insn", str(out)], check=True,
                          capture_output=True, text=True).stdout


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("row", ROWS)
def test_no_inner_loop_uses_the_stack(tmp_path, compiler, row):
    machine = subprocess.run([compiler, "-dumpmachine"], capture_output=True, text=True, check=True)
    if not machine.stdout.startswith("x86_64"):
        pytest.skip("not a compiler for x86-64")
    text = listing(compiler, KERNELS / f"{row}.c", tmp_path / "x.o")
    dots = [x for x in loops(text) if any(map(DOT.search, x))]
    # Tiles of full height, of less, of two and of one, for one and two vectors at least.
    assert len(dots) >= 8 * ROWS[row]
    for loop in dots:
        assert not spilled(loop), "\n".join(loop)


def test_a_spill_is_seen(tmp_path):
    """Twice the rows than there are registers for."""
    shutil.copytree(ROOT / "engine", tmp_path / "engine")
    source = tmp_path / "engine/src/kernels/avx2.c"
    text = source.read_text()
    assert "#define INT_TALL 6" in text
    source.write_text(text.replace("#define INT_TALL 6", "#define INT_TALL 12"))
    found = loops(listing(COMPILERS[0], source, tmp_path / "x.o"))
    assert any(map(spilled, found))


@pytest.mark.parametrize("row", ROWS)
def test_the_intrinsics_compile_too(tmp_path, row):
    """For compilers without statements of assembly; they may spill."""
    text = listing(COMPILERS[0], KERNELS / f"{row}.c", tmp_path / "x.o", "-DMFN_NO_ASM")
    assert any(DOT.search(x) for loop in loops(text) for x in loop)
