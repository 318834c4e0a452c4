# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The engine built for other systems by one compiler, looked at, and run where something runs it.

    python -m tools.foreign.platforms [TARGET ...]

Each is given mfn-cli, a shared library and engine/tests/check_platform.c, whose scalar embedding
must have this machine's bits; Linux has check_kernels.c too. Whether something runs them or not,
the files must be of the right kind, ask for no library that the system may lack, and give the names
of the header. Exit 1 where one fails; docs/firmware.md tells what is run, linked and compiled.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tools import ROOT
from tools.cc import SOURCES, cc
from tools.foreign import binaries

ZIG = ROOT / "build" / "zig" / "ziglang" / "zig"
CACHE = ROOT / "build" / "zig-cache"
"""Kept between runs: C libraries and objects that did not change are not compiled again."""
HEADERS = ZIG.parent / "lib" / "libc" / "include"
WINE = "/usr/lib/wine/wine64"
ARM = Path("/usr/aarch64-linux-gnu")
"""Where Debian lays glibc of AArch64."""
CHECK, CLI = ROOT / "engine/tests/check_platform.c", ROOT / "engine/cli/mfn_cli.c"
KERNELS = ROOT / "engine/tests/check_kernels.c"
NAME = "gewichte-\u00e4\u6f22.bin"
"""A name that is not ASCII; each system must open it."""
JOBS = min(2, os.cpu_count() or 1)


class System(NamedTuple):
    """A target of the compiler, what runs its programs, if anything, and the libraries that they
    may ask for, as a pattern; None: the compiler has no C library for it, so objects alone are
    made, with the headers of another one, and without the sources that want more."""

    target: str
    libraries: str | None
    runner: tuple[str, ...] | None = None
    headers: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    @property
    def kind(self) -> tuple[str, str]:
        """The format of its files and the processor."""
        machine, system = self.target.split("-", 1)
        kinds = {"linux": "ELF", "windows": "PE", "macos": "Mach-O", "wasi": "wasm"}
        return ("COFF" if system == "windows-msvc" else kinds[system.split("-")[0]]), machine

    @property
    def endings(self) -> tuple[str, str]:
        """Of programs and of shared libraries."""
        return {"ELF": ("", ".so"), "PE": (".exe", ".dll"), "Mach-O": ("", ".dylib"),
                "wasm": (".wasm", ".reactor.wasm")}[self.kind[0]]


GLIBC = r"lib(c|m|pthread|dl|rt)\.so\.\d|ld-linux-[\w-]+\.so\.\d"
CRT = r"(kernel32|shell32|api-ms-win-crt-\w+-l1-1-0)\.dll"
DARWIN = r"/usr/lib/libSystem\.B\.dylib"
SYSTEMS = (
    System("x86_64-linux-gnu.2.17", GLIBC, ()),
    System("aarch64-linux-gnu.2.17", GLIBC, ("qemu-aarch64", "-L", str(ARM))),
    System("x86_64-linux-musl", r"libc\.so", ()),
    System("aarch64-linux-musl", r"libc\.so", ("qemu-aarch64",)),
    System("x86_64-windows-gnu", CRT, (WINE,)),
    System("aarch64-windows-gnu", CRT),
    System("x86_64-macos", DARWIN),
    System("aarch64-macos", DARWIN),
    System("wasm32-wasi", "wasi_snapshot_preview1",
           ("node", "--no-warnings", str(ROOT / "tools/foreign/wasi.mjs"))),
    System("aarch64-linux-android", None,
           headers=("aarch64-linux-musl", "generic-musl", "any-linux-any")),
    # The headers of mingw are for gcc or for a Visual C++ of long ago; they have no windows.h and
    # no vector types for clang in its place.
    System("x86_64-windows-msvc", None, headers=("any-windows-any",),
           flags=("-fmsc-version=1100", "-DMFN_NO_SIMD"),
           without=("platform_windows.c",)),
)


def runs(system: System, machine: str) -> bool:
    """Whether something here runs the programs of a system; `machine` is this one's processor."""
    if system.runner == ():
        return sys.platform == "linux" and system.target.startswith(f"{machine}-")
    if system.runner is None or not shutil.which(system.runner[0]):
        return False
    return str(ARM) not in system.runner or ARM.is_dir()


def declared() -> set[str]:
    """The functions of the public header."""
    text = (ROOT / "engine/include/facex_mfn.h").read_text(encoding="utf-8")
    return set(re.findall(r"^[a-z][\w *]*?\b(mfn_\w+)\(", text, re.MULTILINE))


def amiss(system: System, found: binaries.Binary, library: bool) -> str:
    """What is wrong with a linked file, "" where nothing."""
    if found[:2] != system.kind:
        return f"is {found.kind} of {found.machine}, not {' of '.join(system.kind)}"
    if system.libraries is None:
        return ""
    strange = sorted(n for n in found.libraries if not re.fullmatch(system.libraries, n))
    if strange:
        return f"asks for {', '.join(strange)}"
    if system.target.endswith("gnu.2.17") and not (0, 0) < found.glibc <= (2, 17):
        return f"asks for glibc {found.glibc[0]}.{found.glibc[1]}"
    given = {n for n in found.exports if n.startswith("mfn_")}
    if library and given != declared():
        return f"gives other names than the header: {', '.join(sorted(given ^ declared()))}"
    return ""


def _zig(system: System, *words: object) -> None:
    """Raises RuntimeError with the compiler's words."""
    done = subprocess.run([str(ZIG), "cc", "-target", system.target, *map(str, words)],
                          capture_output=True, text=True, check=False,
                          env=os.environ | {"ZIG_GLOBAL_CACHE_DIR": str(CACHE),
                                            "ZIG_LOCAL_CACHE_DIR": str(CACHE)})
    if done.returncode:
        raise RuntimeError(done.stderr[-1500:] or f"zig cc: exit {done.returncode}")


def _objects(system: System, sources: Iterable[Path], work: Path, run: bool) -> list[Path]:
    """Each source compiled once; optimized where it will run."""
    chosen = [s for s in sources if s.name not in system.without]
    # The rows of vector instructions take longest and go first.
    chosen.sort(key=lambda s: s.parent.name != "kernels")
    out = [work / f"{s.parent.name}.{s.stem}.o" for s in chosen]
    pic = [] if system.kind[0] in ("PE", "COFF", "wasm") else ["-fPIC"]
    flags = ["-std=c11", *(["-O1"] if run else ["-O0", "-fno-sanitize=all"]), "-Wall", "-Wextra",
             # It gives itself words that are not for every system.
             "-Werror", "-Wno-unused-command-line-argument",
             "-fvisibility=hidden", *pic, *system.flags,
             *(w for h in system.headers for w in ("-isystem", HEADERS / h)),
             f"-I{ROOT / 'engine' / 'include'}", f"-I{ROOT / 'engine' / 'src'}"]
    with ThreadPoolExecutor(JOBS) as pool:
        for _ in pool.map(lambda pair: _zig(system, *flags, "-c", pair[0], "-o", pair[1]),
                          zip(chosen, out, strict=True)):
            pass
    return out


def _said(command: list[str], work: Path) -> str:
    """What a program prints in a folder; raises RuntimeError with its words where it fails."""
    environment = os.environ | {"WINEPREFIX": str(work / "wine"), "WINEDEBUG": "-all"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=work,
                          env=environment)
    if done.returncode:
        raise RuntimeError(f"{command[-3:]}: exit {done.returncode}: {done.stderr[-500:]}")
    return done.stdout


def _look(system: System, path: Path, library: bool = False) -> None:
    wrong = amiss(system, binaries.look(path.read_bytes()), library)
    if wrong:
        raise RuntimeError(f"{path.name} {wrong}")


def _link(system: System, work: Path, mains: list[Path], objects: list[Path]) -> list[Path]:
    """A program of each of `mains`, and the shared library; looked at."""
    # Not every system's linker knows the names of libraries that its C library holds.
    libraries = {"PE": ["-lshell32"], "ELF": ["-lm", "-lpthread"]}.get(system.kind[0], [])
    shared = (["-mexec-model=reactor", "-Wl,--export-dynamic"] if system.kind[0] == "wasm" else
              ["-shared"])
    program, library = system.endings
    out = [work / f"{m.stem.split('.')[-1]}{program}" for m in mains] + [work / f"mfn{library}"]
    for main, path in zip([*mains, None], out, strict=True):
        words = [main] if main else shared
        _zig(system, *words, *objects, *libraries, "-o", path)
        _look(system, path, library=main is None)
    return out


def attempt(system: System, work: Path, want: str) -> str:
    """Build, look, and run the checks; a line of what was done. Raises RuntimeError.

    `work` holds NAME; `want` is what check_platform prints here.
    """
    home = work / system.target
    home.mkdir()
    run = runs(system, os.uname().machine)
    if system.libraries is None:
        for path in _objects(system, SOURCES, home, run):
            _look(system, path)
        left = f", but for {', '.join(system.without)}" if system.without else ""
        return f"compiled, not linked: no C library of it here{left}"
    mains = [CHECK, CLI, *([KERNELS] if run and system.kind[0] == "ELF" else [])]
    objects = _objects(system, [*SOURCES, *mains], home, run)
    own = [o for o in objects if o.stem.split(".")[-1] in {m.stem for m in mains}]
    programs = {p.stem: p for p in
                _link(system, home, own, [o for o in objects if o not in own])}
    if not run:
        return "linked and looked at, not run: nothing here runs it"
    runner = [*(system.runner or ())]
    if _said([*runner, os.path.relpath(programs[CHECK.stem], work) if runner else
              str(programs[CHECK.stem]), NAME, "."], work) != want:
        raise RuntimeError("the scalar embedding has other bits")
    if KERNELS not in mains:
        return "run: the same bits"
    _said([*runner, str(programs[KERNELS.stem]), "--few"], work)
    return "run: the same bits, and the kernels"


def main() -> int:
    """The command."""
    from efm3.conformance import sample

    unknown = set(sys.argv[1:]) - {s.target for s in SYSTEMS}
    if unknown:
        print(f"platforms: no such target: {', '.join(sorted(unknown))}; there are "
              f"{', '.join(s.target for s in SYSTEMS)}", file=sys.stderr)
        return 3
    if not ZIG.exists():
        print("platforms: skipped, no build/zig (tools/foreign/install_zig.sh)")
        return 0
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / NAME).write_bytes(sample.base())
        wrong = cc("-O1", CHECK, *SOURCES, "-o", work / "here", "-lm", "-lpthread")
        if wrong:
            raise RuntimeError(wrong)
        want = _said([str(work / "here"), NAME, "."], work)
        for system in SYSTEMS:
            if sys.argv[1:] and system.target not in sys.argv[1:]:
                continue
            start = time.monotonic()
            try:
                line = attempt(system, work, want)
            except (RuntimeError, ValueError) as e:
                failed, line = 1, f"FAILED: {e}"
            print(f"{system.target:24} {time.monotonic() - start:5.0f} s  {line}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
