# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Planted mistakes in the kernels: `python -m tools.mutants.kernels [ROW ...]` says which are seen.

A mistake is compiled into one row alone, and engine/tests/check_kernels.c has to refuse the slot
that it breaks.
The rows of AArch64 run under an emulator; a row that no processor here has is left out, and named.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tools import ROOT
from tools.cc import SRC, cc

SLOTS = {"avx512bf16": ("bf16",), "avx512vnni": ("i8", "i16"), "avx512": ("i16",),
         "avxvnni": ("i8", "i16"), "avx2": ("i16",), "neondot": ("i8",), "neon": (),
         "wasmrelaxed": (), "wasmsimd": (),
         "scalar": ("i8", "i16")}
"""Row of isa.def to the products below float32 that it has of its own."""

FLOATS = ("gemm", "u8", "dw3", "widen", "stem")

CHECKER = [ROOT / "engine/tests/check_kernels.c", SRC / "dispatch.c", SRC / "cpu.c",
           SRC / "pack_int.c", SRC / "platform_machine.c"]
"""What is linked with the kernels."""

ABSENT = 77
"""check_kernels' exit code where the processor lacks the row."""

_X86 = ("avx512vnni", "avx512", "avxvnni", "avx2")
_INTEGERS = (*_X86, "neondot")
_ALL = (*_INTEGERS, "avx512bf16")
_YMM, _ZMM = ("avxvnni", "avx2"), ("avx512vnni", "avx512")


class Mistake(NamedTuple):
    """Text of a file below engine/src that is replaced, where `old` is first.

    `rows` are those it is planted in, in turn; `slots` those that it breaks there: "i8-q" makes the
    levels of 8 bits, "i8" their products, and so on.
    """

    file: str
    old: str
    new: str
    rows: tuple[str, ...]
    slots: tuple[str, ...]

    @property
    def name(self) -> str:
        """How it is listed."""
        return f"{self.file}: {self.old} -> {self.new or 'nothing'}"

    def slots_in(self, row: str) -> tuple[str, ...]:
        """The slots that it breaks in one of its rows."""
        return tuple(s for s in self.slots if s in FLOATS or s.removesuffix("-q") in SLOTS[row])


_Q, _P = ("i8-q", "i16-q"), ("i8", "i16")


def _shared(old: str, new: str, slots: tuple[str, ...],
            rows: tuple[str, ...] = _INTEGERS) -> Mistake:
    return Mistake("kernels/simd_int.h", old, new, rows, slots)


def _in(file: str, row: str, slots: tuple[str, ...], *pairs: tuple[str, str]) -> list[Mistake]:
    return [Mistake(file, old, new, (row,), slots) for old, new in pairs]


MISTAKES: list[Mistake] = [
    # float32
    Mistake("kernels/simd.h", "return vprelu(x, slope)", "return vmul(slope, x)",
            ("avx2", "avx512"), ("gemm",)),
    Mistake("kernels/ymm.h", "_mm256_fmadd_ps", "_mm256_fmsub_ps", ("avx2",), ("gemm",)),
    Mistake("kernels/simd.h", "+ MFN_BLOCK, vbf16(half + MFN_BLOCK + lane)", ", vbf16(half + lane)",
            ("avx2", "avx512"), ("widen",)),
    Mistake("kernels/avx2.c", "for (; i + 16 <= n; i += 16) {", "for (; i < n; i += 16) {",
            ("avx2",), ("u8",)),
    Mistake("kernels/scalar.c", "- 127.5f", "- 127.0f", ("scalar",), ("u8",)),
    Mistake("kernels/scalar.c", "at > d->w_in", "at > d->w_in + 1", ("scalar",), ("dw3",)),
    # The range of a group, the levels.
    Mistake("integer.h", "if (width > FLT_MAX) return r;", "", (*_INTEGERS, "scalar"),
            ("i8-q",)),
    Mistake("integer.h", "(uint32_t)most >= infinity || ", "", (*_X86, "scalar"), ("i16-q",)),
    _shared("vidup(INT32_MAX)", "vidup(-1)", ("i16-q",), _X86),
    _shared("vimaxu(*least, x)", "vimaxs(*least, x)", ("i8-q",)),
    _shared("+ MFN_BLOCK - rest", "+ MFN_BLOCK - rest / 2", _Q),
    _shared("if (!r.finite) {", "if (r.finite && r.scale < 0) {", ("i16-q",), _X86),
    _shared("q->scale[at + i] = r.scale", "q->scale[at] = r.scale", _Q),
    Mistake("kernels/ymm.h", "_mm256_cvtps_epi32", "_mm256_cvttps_epi32", _YMM, _Q),
    Mistake("kernels/zmm.h", "_mm512_cvtps_epi32", "_mm512_cvttps_epi32", _ZMM, _Q),
    # The products.
    _shared("const size_t depth = (p->k + STEP - 1) / STEP;", "const size_t depth = p->k / STEP;",
            (*_P, "bf16"), _ALL),
    _shared("if (p->residual) {", "if (p->residual && p->act) {", (*_P, "bf16"), _ALL),
    _shared("vfma(vmin0(x[r][c]), s, x[r][c])", "vfma(x[r][c], s, x[r][c])", (*_P, "bf16"), _ALL),
    _shared("m += (size_t)(height))", "m += (size_t)(height) + 1)", (*_P, "bf16"), _ALL),
    _shared("m + (size_t)(height) <= end, height", "true, height", _P),
    _shared("if (!one) factor", "if (one) factor", _P),
    _shared("line = p->a_px * LEVEL_BYTES", "line = p->k * LEVEL_BYTES", (*_P, "bf16"), _ALL),
    _shared("p->taps[k] * LEVEL_BYTES", "p->taps[k / 2] * LEVEL_BYTES", ("stem",), ("avx2",)),
    _shared("if (p->m < tall) {", "if (p->m < 2) {", ("stem",), ("avx2",)),
    _shared("m + tall <= p->m ? m : p->m - tall", "m", ("stem",), ("avx2",)),
    *(Mistake(f"kernels/{row}.c", "vidup(-(p)->zero[m])", "vidup((p)->zero[m])", (row,), ("i8",))
      for row in ("avx512vnni", "avxvnni")),
    *(Mistake(f"kernels/{row}.c", "vpdpbusd %2, %1", "vpdpbusd %1, %2", (row,), ("i8",))
      for row in ("avx512vnni", "avxvnni")),
    *(Mistake(f"kernels/{row}.c", "vpdpwssd", "vpdpbusd", (row,), ("i16",))
      for row in ("avx512vnni", "avxvnni")),
    *(Mistake(f"kernels/{row}.c", "\"vpmaddwd %3", "\"vpmulhw %3", (row,), ("i16",))
      for row in ("avx512", "avx2")),
    *_in("kernels/neondot.c", "neondot", ("i8-q",), ("vcvtnq_s32_f32", "vcvtmq_s32_f32")),
    *_in("kernels/neondot.c", "neondot", ("i8",), ("LEVEL_OFFSET - (p)->zero[m]", "- (p)->zero[m]"),
         ("vdotq_s32(sum,", "vdotq_s32(vizero(),")),
    # Plain C.
    *_in("kernels/scalar.c", "scalar", ("i8-q",),
         ("MFN_TOP_8 - r.zero) v", "MFN_TOP_8 + 1 - r.zero) v"),
         ("(uint32_t)x > least", "x > (int32_t)least")),
    *_in("kernels/scalar.c", "scalar", _Q, ("if (x > most) most = x;", ""),
         ("c < q->channels) {", "c + 1 < q->channels) {"), ("lrintf(x)", "(long)x"),
         ("q->zero[i] = r.zero", "q->zero[at] = r.zero + (bits == 16)")),
    *_in("kernels/scalar.c", "scalar", _P, ("if (p->act) x += bent;", "x += bent;"),
         ("x += bias[j];", ""), ("acc[j] += level", "acc[j] -= level"),
         ("(x > 0 ? 0 : x)", "x"), ("p->residual ? x", "p->residual && p->act ? x")),
    *_in("kernels/scalar.c", "scalar", ("i8",), ("(int8_t)*w", "*w")),
    *_in("kernels/scalar.c", "scalar", ("i16",), ("    int16_t v;", "    uint16_t v;")),
    # bfloat16.
    *_in("kernels/avx512bf16.c", "avx512bf16", ("bf16-q",),
         ("if (q->channels % STEP)", "if (q->channels % STEP > 1)"),
         ("i < q->m * px; i", "i + MFN_BLOCK < q->m * px; i"),
         ("(i * px + q->channels) *", "(i * px + q->channels - 1) *"),
         ("(__m256i)_mm512_cvtneps_pbh(vload(q->in + i))", "_mm512_cvtepi32_epi16("
          "_mm512_srli_epi32(_mm512_castps_si512(vload(q->in + i)), 16))")),
    *_in("kernels/avx512bf16.c", "avx512bf16", ("bf16",),
         ("(head)->bias + at", "(head)->scale + at"), ("vdpbf16ps %2, %1", "vdpbf16ps %2, %2")),
]
"""Every mistake; each row has at least four in each of its slots below float32."""


class Here(NamedTuple):
    """A compiler with its flags, and what runs its programs."""

    compiler: str
    flags: tuple[str, ...]
    emulator: tuple[str, ...]


def machine(row: str) -> Here:
    """What a row is compiled by and runs on."""
    if row.startswith("neon"):
        return Here("aarch64-linux-gnu-gcc", ("-static",), ("qemu-aarch64", "-cpu", "max"))
    return Here("cc", (), ())


def missing(row: str) -> str:
    """The programs that a row wants and that are not installed; "" where all are."""
    here = machine(row)
    return ", ".join(p for p in (here.compiler, *here.emulator[:1]) if not shutil.which(p))


class Bench:
    """The kernels built for one machine in a folder, where one row after another can be spoilt."""

    def __init__(self, here: Here, folder: Path) -> None:
        self._here, self._folder = here, folder
        self._engine = folder / "engine"
        shutil.copytree(ROOT / "engine", self._engine)
        self._sources = [self._engine / p.relative_to(ROOT / "engine") for p in CHECKER]
        self._sources += sorted((self._engine / "src/kernels").glob("*.c"))
        wrong = "".join(self._compile(s) for s in self._sources)
        if wrong:
            raise RuntimeError(wrong[:2000])

    def _cc(self, *words: object) -> str:
        # Without optimisation: a mistake is one all the same, and gcc takes a third of the time.
        return cc("-O0", "-w", *self._here.flags, *words, compiler=self._here.compiler)

    def _object(self, source: Path) -> Path:
        return self._folder / f"{source.stem}.o"

    def _compile(self, source: Path) -> str:
        return self._cc("-c", source, "-o", self._object(source))

    def check(self, row: str, *slot: str) -> subprocess.CompletedProcess[str]:
        """What check_kernels says of a row, or of a product of its. Raises RuntimeError where it
        does not link."""
        program = self._folder / "check"
        wrong = self._cc(*map(self._object, self._sources), "-o", program, "-lm")
        if wrong:
            raise RuntimeError(wrong[:2000])
        return subprocess.run([*self._here.emulator, program, "--few", row, *slot], check=False,
                              capture_output=True, text=True, timeout=600)

    def killers(self, mistake: Mistake, row: str) -> Iterator[tuple[str, str]]:
        """Each slot that the mistake breaks in the row, and what check_kernels says ("" where it
        takes it). Raises RuntimeError where the mistake does not compile, or has no place."""
        path = self._engine / "src" / mistake.file
        text = path.read_text(encoding="utf-8")
        if mistake.old not in text:
            raise RuntimeError(f"{mistake.name}: no such text")
        source = self._engine / "src/kernels" / f"{row}.c"
        path.write_text(text.replace(mistake.old, mistake.new, 1), encoding="utf-8")
        try:
            wrong = self._compile(source)
        finally:
            path.write_text(text, encoding="utf-8")
        if wrong:
            raise RuntimeError(f"{mistake.name}: {wrong[:2000]}")
        for slot in mistake.slots_in(row):
            done = self.check(row, *() if slot in FLOATS else (slot.removesuffix("-q"),))
            said = (done.stderr.splitlines() or [f"exit {done.returncode}"])[0]
            yield slot, said if done.returncode else ""


def of(row: str) -> list[Mistake]:
    """The mistakes that are planted in a row."""
    return [m for m in MISTAKES if row in m.rows]


def kill(row: str) -> Iterator[tuple[Mistake, str, str]]:
    """Each mistake of a row, the slot it breaks, and what sees it ("": nothing).

    Raises LookupError where the row cannot run here.
    """
    if missing(row):
        raise LookupError(f"{missing(row)} not installed (tools/foreign/install_cross.sh)")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(machine(row), Path(folder))
        sound = bench.check(row)
        if sound.returncode == ABSENT:
            raise LookupError(f"this processor has no {row}")
        if sound.returncode:
            raise RuntimeError(f"{row} as it stands: {sound.stderr}")
        for mistake in of(row):
            for slot, by in bench.killers(mistake, row):
                yield mistake, slot, by


def main(rows: list[str]) -> int:
    """Print each mistake of the rows (none: all); returns how many nothing sees."""
    alive = 0
    for row in rows or [r for r in SLOTS if of(r)]:
        try:
            for mistake, slot, by in kill(row):
                alive += not by
                print(f"{row} {slot}: {mistake.name}: {by or 'ALIVE'}", flush=True)
        except LookupError as e:
            print(f"{row}: {e}")
    return alive


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)
