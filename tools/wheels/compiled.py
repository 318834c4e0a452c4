# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The extension compiled for another system, from one C text that serves all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from elftools.elf.elffile import ELFFile

from efm3 import machine
from tools import ROOT
from tools.foreign import platforms
from tools.release import BuildFailed
from tools.wheels.targets import TARGETS, Target

CACHE = ROOT / "build" / "zig-cache"
MADE = Path("build", "extensions")
"""Where the extensions are made, in the copy of the project that wheels are built of."""
CONFIG = Path(__file__).with_name("windows") / "pyconfig.h"

COMPILE = ("-g0", "-DNDEBUG", "-fwrapv")
"""Beside what efm3/_engine_build.py says, as Python compiles its own modules; without debugging
information, which names folders."""

MACHINES = {"x86_64": "i386:x86-64", "aarch64": "arm64"}
"""Processor in a target to its name for the program that makes import libraries."""


def run(words: list[str], folder: Path) -> str:
    """What a program of the build prints, run in `folder`. Raises BuildFailed with its errors."""
    env = os.environ | {"ZIG_GLOBAL_CACHE_DIR": str(CACHE), "ZIG_LOCAL_CACHE_DIR": str(CACHE)}
    done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildFailed(f"{' '.join(words[:5])} ...: exit {done.returncode}\n{done.stderr}")
    return done.stdout


class Sources(NamedTuple):
    """C files, relative to the project's folder `root`, and how they are compiled."""

    root: Path
    files: list[str]
    flags: list[str]


def sources(root: Path) -> Sources:
    """What the extension of the project in `root` is made of; its C text is written to root/build.

    Raises BuildFailed.
    """
    # In a process of its own: efm3/_engine_build.py tells of the project that it lies in.
    text = ("import json; from efm3 import _engine_build as b; e = b.builder().distutils_extension("
            "); print(json.dumps([e.sources, e.include_dirs, e.extra_compile_args]))")
    files, folders, flags = json.loads(run([sys.executable, "-c", text], root).splitlines()[-1])
    return Sources(root, files, [*flags, *(f"-I{folder}" for folder in folders), *COMPILE])


def headers(root: Path, folder: Path) -> dict[bool, Path]:
    """Python's headers copied below `folder`, which is relative to `root`, as is what is returned:
    for systems like this one, and (True) for Windows.

    Python.h takes the pyconfig.h that lies beside it, so that each needs a copy of its own.
    """
    out = {False: folder / "include", True: folder / "include-windows"}
    include = Path(sysconfig.get_path("include"))
    for windows, copy in out.items():
        shutil.copytree(include, root / copy)
        shutil.copy(CONFIG if windows else configuration(include), root / copy / "pyconfig.h")
    return out


def configuration(include: Path) -> Path:
    """The pyconfig.h of this machine's Python, whose headers are in a folder.

    Debian's there is a page of includes, one for each machine, of which none is on the path of a
    compiler for another. Those of all Linux systems of 64 bits say the same to this extension.
    """
    machine_s = include.parent / str(sysconfig.get_config_var("MULTIARCH")) / include.name
    own = machine_s / "pyconfig.h"
    return own if own.is_file() else include / "pyconfig.h"


def python_names(shared: Path) -> list[str]:
    """The names that a shared library for Linux wants of Python, sorted."""
    with open(shared, "rb") as f:
        symbols = ELFFile(f).get_section_by_name(".dynsym")
        return sorted({s.name for s in symbols.iter_symbols() if s["st_shndx"] == "SHN_UNDEF"
                       and s.name.startswith(("Py", "_Py"))})


def import_library(names: list[str], target: Target, folder: Path) -> None:
    """Make the library in `folder` that says that these names are in python3.dll."""
    definition = folder / "python3.def"
    definition.write_text("LIBRARY python3.dll\nEXPORTS\n" + "".join(f"    {n}\n" for n in names),
                          encoding="ascii", newline="")
    run([str(platforms.ZIG), "dlltool", "-m", MACHINES[target.triple.partition("-")[0]], "-d",
         definition.name, "-l", "libpython3.a"], folder)


def _link(target: Target, folder: Path) -> list[str]:
    """What the linker is told besides the objects."""
    if target.windows:
        return [f"-L{folder}", "-lpython3"]
    if target.macos:
        # Or else the library's name for itself is the path where it is made.
        return ["-undefined", "dynamic_lookup",
                f"-Wl,-install_name,@rpath/{Path(target.member).name}"]
    return ["-lm", "-lpthread"]


def undated(dll: bytes) -> bytes:
    """A DLL without the time at which it was linked, which the linker cannot be told to leave out.
    """
    at = int.from_bytes(dll[60:64], "little") + 8
    return dll[:at] + bytes(4) + dll[at + 4:]


def extension(target: Target, made: Sources, include: Path, names: Callable[[], list[str]]) -> Path:
    """Compile and link the extension for a target in a folder of its own; its path.

    `include`, relative to the project, holds Python's headers; `names` gives those of Python that
    the extension for Linux wants. The project's place is in no word of the compiler, and so in
    nothing that is made. Raises BuildFailed.
    """
    compiler = [str(platforms.ZIG), "cc", "-target", target.triple]
    position = [] if target.windows else ["-fPIC"]
    folder = MADE / target.triple
    (made.root / folder).mkdir()
    objects = []
    for name in made.files:
        objects.append(str(folder / f"{Path(name).stem}.o"))
        run([*compiler, *made.flags, *position, f"-I{include}", "-c", name, "-o", objects[-1]],
            made.root)
    if target.windows:
        import_library(names(), target, made.root / folder)
    out = folder / Path(target.member).name
    run([*compiler, "-shared", "-s", *objects, *_link(target, folder), "-o", str(out)], made.root)
    return made.root / out


def extensions(root: Path, chosen: Sequence[Target]) -> dict[Target, bytes]:
    """The extension of the project in `root`, which is written to, for each target.

    Raises BuildFailed.
    """
    shutil.rmtree(root / MADE, ignore_errors=True)
    made, include = sources(root), headers(root, MADE)
    # What Windows must be told of Python is read from the extension for the first Linux.
    first = [TARGETS[0]] if any(t.windows for t in chosen) else []
    # Whole targets at a time: what is slow of a first run, the C library, is made by one thread.
    with ThreadPoolExecutor(machine.cores()) as pool:
        paths: dict[Target, Future[Path]] = {}

        def names() -> list[str]:
            return python_names(paths[TARGETS[0]].result())

        for target in dict.fromkeys([*first, *chosen]):
            paths[target] = pool.submit(extension, target, made, include[target.windows], names)
        made_of = {target: paths[target].result().read_bytes() for target in chosen}
    return {target: undated(data) if target.windows else data for target, data in made_of.items()}
