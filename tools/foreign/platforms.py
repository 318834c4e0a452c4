# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The engine built for other systems by one compiler, and run where something runs them.

    python -m tools.foreign.platforms [SYSTEM ...]

Each is given engine/tests/check_platform.c, whose scalar embedding must have this machine's bits,
and mfn-cli. What nothing runs here is linked alone, and said to be. Exit 1 where one fails.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tools import ROOT
from tools.cc import SOURCES, cc

ZIG = ROOT / "build" / "zig" / "ziglang" / "zig"
WINE = "/usr/lib/wine/wine64"
CHECK, CLI = ROOT / "engine/tests/check_platform.c", ROOT / "engine/cli/mfn_cli.c"
NAME = "gewichte-\u00e4\u6f22.bin"
"""A name that is not ASCII; each system must open it."""


class System(NamedTuple):
    """A target of the compiler, the ending of its programs, and what runs them, if anything."""

    target: str
    ending: str = ""
    runner: tuple[str, ...] | None = None


SYSTEMS = (
    System("x86_64-linux-gnu.2.17", runner=()),
    System("aarch64-linux-gnu.2.17"),
    System("x86_64-linux-musl", runner=()),
    System("aarch64-linux-musl", runner=("qemu-aarch64",)),
    System("x86_64-windows-gnu", ".exe", (WINE,)),
    System("aarch64-windows-gnu", ".exe"),
    System("x86_64-macos"),
    System("aarch64-macos"),
    System("wasm32-wasi", ".wasm", ("node", "--no-warnings",
                                    str(ROOT / "tools/foreign/wasi.mjs"))),
)


def runs(system: System, machine: str) -> bool:
    """Whether something here runs the programs of a system; `machine` is this one's processor."""
    if system.runner == ():
        return sys.platform == "linux" and system.target.startswith(machine)
    return system.runner is not None and shutil.which(system.runner[0]) is not None


def _build(system: System, source: Path, out: Path) -> str:
    # Not every system's linker knows the names of libraries that its C library holds.
    libraries = ["-lshell32"] if "windows" in system.target else []
    done = subprocess.run([ZIG, "cc", "-target", system.target, "-std=c11", "-O1", "-Wall",
                           "-Wextra", "-Werror", f"-I{ROOT / 'engine' / 'include'}", source,
                           *SOURCES, *libraries, "-o", out],
                          capture_output=True, text=True, check=False)
    return done.stderr[-1500:] if done.returncode else ""


def _said(command: list[str], work: Path) -> str:
    """What a program prints in a folder; raises RuntimeError with its words where it fails."""
    environment = os.environ | {"WINEPREFIX": str(work / "wine"), "WINEDEBUG": "-all"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=work,
                          env=environment)
    if done.returncode:
        raise RuntimeError(f"{command[-3:]}: exit {done.returncode}: {done.stderr[-500:]}")
    return done.stdout


def attempt(system: System, work: Path, want: str) -> str:
    """Build both programs and run the check; a line of what was done. Raises RuntimeError.

    `work` holds NAME; `want` is what the check prints here.
    """
    programs = {p: work / f"{p.stem}-{system.target}{system.ending}" for p in (CHECK, CLI)}
    for source, out in programs.items():
        wrong = _build(system, source, out)
        if wrong:
            raise RuntimeError(wrong)
    if not runs(system, os.uname().machine):
        return "linked, not run: nothing here runs it"
    runner = [*(system.runner or ()), programs[CHECK].name if system.runner else
              str(programs[CHECK])]
    if _said([*runner, NAME, "."], work) != want:
        raise RuntimeError("the scalar embedding has other bits")
    return "run: the same bits"


def main() -> int:
    """The command."""
    from efm3.conformance import sample

    if not ZIG.exists():
        print("platforms: skipped, no build/zig (tools/foreign/install_zig.sh)")
        return 0
    chosen = [s for s in SYSTEMS if s.target in sys.argv[1:] or not sys.argv[1:]]
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / NAME).write_bytes(sample.base())
        wrong = cc("-O1", CHECK, *SOURCES, "-o", work / "here", "-lm", "-lpthread")
        if wrong:
            raise RuntimeError(wrong)
        want = _said([str(work / "here"), NAME, "."], work)
        for system in chosen:
            try:
                print(f"{system.target:24} {attempt(system, work, want)}", flush=True)
            except RuntimeError as e:
                failed = 1
                print(f"{system.target:24} FAILED: {e}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
