# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The engine built for other machines and run there under qemu-user, and a big-endian Python.

tools/foreign/install_cross.sh installs the compilers and emulators; `missing` names those that are
not there.
Sizes are bytes, embeddings float32.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from efm3.conformance.results import Answer
from efm3.conformance.subject import Subject
from tools import ROOT
from tools.cc import SOURCES, SRC, WRAP, cc

PROGRAMS: dict[str, tuple[list[str], list[str]]] = {
    "mfn": (["engine/cli/mfn_cli.c"], []),
    "drive": (["tests/fuzz/drive.c", "tests/fuzz/fuzz_load.c", "tests/fuzz/mutate.c"],
              ["-DFUZZ_DRIVER"]),
    "kernels": (["engine/tests/check_kernels.c"], []),
    "engine": (["engine/tests/check_engine.c"], [WRAP, "-DLINKED_STATICALLY"]),
}
"""Program to its sources beside the engine's, and its own flags."""

LOADER = ["engine/tests/check_loader.c", "engine/src/loader.c", "engine/src/network.c",
          "engine/src/status.c"]


class Machine(NamedTuple):
    """A compiler with its flags, and the emulator of one processor.

    `isas` are the instruction sets that must be supported there, best first; `refused` those that
    the engine knows and must not use. `order` is numpy's sign of the byte order.
    """

    name: str
    compiler: str
    flags: tuple[str, ...]
    emulator: tuple[str, ...]
    isas: tuple[str, ...] = ("scalar",)
    refused: tuple[str, ...] = ()
    order: str = "<"


def _x86(name: str, cpu: str, isas: tuple[str, ...], bits: int = 64, *flags: str) -> Machine:
    compiler, emulator = (("x86_64-linux-gnu-gcc", "qemu-x86_64") if bits == 64 else
                          ("i686-linux-gnu-gcc", "qemu-i386"))
    return Machine(name, compiler, flags, (emulator, "-cpu", cpu), isas,
                   tuple(i for i in ("avx512", "avx2") if i not in isas))


_WIDE = ("avx2", "scalar")
MACHINES = (
    Machine("aarch64", "aarch64-linux-gnu-gcc", (), ("qemu-aarch64", "-cpu", "cortex-a53"),
            ("neon", "scalar"), ("neondot",)),
    Machine("armhf", "arm-linux-gnueabihf-gcc", (), ("qemu-arm",)),
    Machine("riscv64", "riscv64-linux-gnu-gcc", (), ("qemu-riscv64",)),
    Machine("s390x", "s390x-linux-gnu-gcc", (), ("qemu-s390x",), order=">"),
    _x86("i686 (x87)", "pentium2", ("scalar",), 32),
    _x86("i686 (SSE2)", "max", _WIDE, 32, "-msse2", "-mfpmath=sse"),
)
"""Architectures. i686 twice: sums in x87 registers on a processor without SSE, and in SSE2's."""

PROCESSORS = (
    _x86("qemu64", "qemu64", ("scalar",)),
    _x86("Nehalem (no AVX)", "Nehalem", ("scalar",)),
    _x86("SandyBridge (AVX)", "SandyBridge", ("scalar",)),
    _x86("Haswell (AVX2)", "Haswell", _WIDE),
    _x86("without AVX2", "max,-avx2", ("scalar",)),
    _x86("without FMA", "max,-fma", ("scalar",)),
    _x86("without XSAVE", "max,-xsave", ("scalar",)),
    _x86("everything the emulator has", "max", _WIDE),
    Machine("aarch64 (dot product)", "aarch64-linux-gnu-gcc", (), ("qemu-aarch64", "-cpu", "max"),
            ("neondot", "neon", "scalar")),
)
"""x86-64 processors that lack something (the emulator has no AVX-512), and one of AArch64 that has
what MACHINES' lacks. Those of one compiler run the same programs."""


def build_once(machine: Machine, folder: Path, optimize: str = "-O2") -> Path:
    """The folder below `folder` with a processor's command and kernel check, built where they are
    not yet. Raises RuntimeError with the compiler's words."""
    home = folder / machine.compiler
    if not home.exists():
        home.mkdir()
        build(machine, home, ["mfn", "kernels"], optimize)
    return home


def missing(machine: Machine) -> str:
    """The programs that are not installed, "" where all are."""
    return ", ".join(t for t in (machine.compiler, machine.emulator[0]) if not shutil.which(t))


def _call(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False,
                          timeout=1800)


def _compile(machine: Machine, *words: object) -> None:
    # An emulator has no foreign libraries to load; valgrind wants the C library's own.
    static = ["-static"] if machine.emulator else []
    wrong = cc(*static, "-Wall", "-Wextra", "-Werror", *machine.flags, f"-I{SRC}", *words,
               compiler=machine.compiler)
    if wrong:
        raise RuntimeError(f"{machine.name}: {wrong[:2000]}")


def build(machine: Machine, folder: Path, programs: Iterable[str] = PROGRAMS,
          optimize: str = "-O2") -> None:
    """Compile the engine once, and each of the programs with it, into `folder`.

    Raises RuntimeError with the compiler's words.
    """
    objects = []
    for source in SOURCES:
        objects.append(folder / f"{source.stem}.{source.parent.name}.o")
        _compile(machine, optimize, "-c", source, "-o", objects[-1])
    for name in programs:
        sources, flags = PROGRAMS[name]
        _compile(machine, "-O1", *flags, *(ROOT / s for s in sources), *objects, "-o",
                 folder / name, "-lm", "-lpthread")


def build_loader(machine: Machine, folder: Path) -> None:
    """Compile the loader's own checks to `folder`/loader. Raises RuntimeError."""
    _compile(machine, "-O1", *(ROOT / s for s in LOADER), "-o", folder / "loader")


def run(machine: Machine, program: Path, *words: object) -> str:
    """What a program prints there; raises RuntimeError where its exit code is not 0."""
    done = _call(*machine.emulator, program, *words)
    if done.returncode:
        raise RuntimeError(f"{machine.name}: {program.name} {' '.join(map(str, words))[:80]}: "
                           f"exit {done.returncode}: {done.stdout[-300:]}{done.stderr[-1000:]}")
    return done.stdout


def verdicts(machine: Machine, drive: Path, files: Iterable[Path]) -> dict[str, str]:
    """File name to the loader's status name."""
    lines = run(machine, drive, "replay", *files).splitlines()
    return {name: status for name, status in map(str.split, lines)}


def refuses(machine: Machine, mfn: Path, model: Path, isa: str) -> bool:
    """Whether an instruction set is refused there, with its status, when it is asked for."""
    done = _call(*machine.emulator, mfn, "--isa", isa, "header", model)
    return done.returncode == 1 and "E_ISA" in done.stderr


def chosen(machine: Machine, mfn: Path, model: Path) -> str:
    """The instruction set that the engine takes there of its own."""
    line = next(t for t in run(machine, mfn, "header", model).splitlines() if "multiply" in t)
    return line.split()[-1]


class Foreign(Subject):
    """The engine of another machine, as an Engine; every embedding is counted."""

    def __init__(self, machine: Machine, mfn: Path, folder: Path, isa: str,
                 precision: str = "f32") -> None:
        super().__init__()
        self._precision = precision
        self._own, self._mfn, self._folder, self._isa = machine, mfn, folder, isa
        self.embeddings = 0

    def embed(self, model: bytes, x: Any) -> Answer:
        """See Subject; `x` is written to a file in the machine's byte order."""
        import numpy as np

        path, picture = self._folder / "model.bin", self._folder / "x.raw"
        path.write_bytes(model)
        np.asarray(x).astype(f"{self._own.order}f4").tofile(picture)
        done = _call(*self._own.emulator, self._mfn, "--isa", self._isa, "--precision",
                     self._precision, "--as-given", "embed", path, picture)
        if done.returncode:
            return Answer("broken", f"exit {done.returncode}: {done.stderr[-300:]}")
        self.embeddings += 1
        return Answer("ok", value=(np.array(done.stdout.split(), np.float32), {}))


BIG_ENDIAN = ROOT / "build" / "s390x"
"""Where tools/foreign/install_cross.sh lays a Python of s390x with numpy."""


def big_endian_python() -> list[str]:
    """The command of the big-endian Python, empty where it or its emulator is not installed."""
    python = BIG_ENDIAN / "usr/bin/python3"
    if not python.exists() or not shutil.which("qemu-s390x"):
        return []
    libraries = ":".join(f"/usr/lib/s390x-linux-gnu/{lib}" for lib in ("blas", "lapack"))
    return ["qemu-s390x", "-L", str(BIG_ENDIAN), "-E", f"LD_LIBRARY_PATH={libraries}",
            "-E", "PYTHONDONTWRITEBYTECODE=1", str(python.resolve())]


_THERE = ("import runpy, site, sys; [site.addsitedir(p) for p in {packages!r}]; "
          "runpy.run_module('tools.foreign.same_bytes', run_name='__main__')")


def same_bytes(*words: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What tools.foreign.same_bytes prints on the big-endian Python and on this one.

    Pure Python packages come from this one's folders, after the other's own.
    """
    packages = [p for p in sys.path if p.endswith("site-packages")]
    commands = ([*big_endian_python(), "-c", _THERE.format(packages=packages)],
                [sys.executable, "-m", "tools.foreign.same_bytes"])
    there, here = (json.loads(subprocess.run(
        [*command, *words], capture_output=True, text=True, check=True, cwd=ROOT).stdout)
        for command in commands)
    return there, here
