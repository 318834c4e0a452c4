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
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from elftools.elf.elffile import ELFFile

from efm3 import machine
from tools import ROOT
from tools.foreign import platforms
from tools.release import BuildFailed
from tools.wheels.targets import TARGETS, Target

CACHE = ROOT / "build" / "zig-cache"
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


def headers(folder: Path) -> dict[bool, Path]:
    """Python's headers copied below `folder`: for systems like this one, and (True) for Windows.

    Python.h takes the pyconfig.h that lies beside it, so that each needs a copy of its own.
    """
    out = {False: folder / "include", True: folder / "include-windows"}
    for copy in out.values():
        shutil.copytree(sysconfig.get_path("include"), copy)
    shutil.copy(CONFIG, out[True] / "pyconfig.h")
    return out


def python_names(shared: Path) -> list[str]:
    """The names that a shared library for Linux wants of Python, sorted."""
    with open(shared, "rb") as f:
        symbols = ELFFile(f).get_section_by_name(".dynsym")
        return sorted({s.name for s in symbols.iter_symbols() if s["st_shndx"] == "SHN_UNDEF"
                       and s.name.startswith(("Py", "_Py"))})


def import_library(names: list[str], target: Target, folder: Path) -> Path:
    """The library, made in `folder`, that says that these names are in python3.dll."""
    definition = folder / "python3.def"
    definition.write_text("LIBRARY python3.dll\nEXPORTS\n" + "".join(f"    {n}\n" for n in names),
                          encoding="ascii", newline="")
    run([str(platforms.ZIG), "dlltool", "-m", MACHINES[target.triple.partition("-")[0]], "-d",
         str(definition), "-l", str(folder / "libpython3.a")], folder)
    return folder


def _link(target: Target, names: list[str], folder: Path) -> list[str]:
    """What the linker is told besides the objects."""
    if target.windows:
        return [f"-L{import_library(names, target, folder)}", "-lpython3"]
    if target.macos:
        return ["-undefined", "dynamic_lookup"]
    return ["-lm", "-lpthread"]


def extension(target: Target, made: Sources, include: Path, names: list[str],
              folder: Path) -> Path:
    """Compile and link the extension for a target in the empty `folder`; its path.

    `include` holds Python's headers, `names` those of Python that the extension for Linux wants.
    Raises BuildFailed.
    """
    compiler = [str(platforms.ZIG), "cc", "-target", target.triple]
    position = [] if target.windows else ["-fPIC"]
    maps = [f"-ffile-prefix-map={path}=." for path in (made.root, include.parent)]

    def one(name: str) -> str:
        out = folder / f"{Path(name).stem}.o"
        run([*compiler, *made.flags, *position, *maps, f"-I{include}", "-c", name, "-o", str(out)],
            made.root)
        return str(out)

    with ThreadPoolExecutor(machine.cores()) as pool:
        objects = list(pool.map(one, made.files))
    out = folder / Path(target.member).name
    run([*compiler, "-shared", "-s", *objects, *_link(target, names, folder), "-o", str(out)],
        folder)
    return out


def extensions(root: Path, chosen: Sequence[Target], folder: Path) -> dict[Target, bytes]:
    """The extension of the project in `root`, which is written to, for each target; made in the
    empty `folder`. Raises BuildFailed."""
    made, include = sources(root), headers(folder)
    out: dict[Target, bytes] = {}
    names: list[str] = []
    # What Windows must be told of Python is read from the extension for the first Linux.
    first = [TARGETS[0]] if any(t.windows for t in chosen) else []
    for i, target in enumerate(dict.fromkeys([*first, *chosen])):
        work = folder / str(i)
        work.mkdir()
        path = extension(target, made, include[target.windows], names, work)
        if target == TARGETS[0]:
            names = python_names(path)
        out[target] = path.read_bytes()
    return {target: out[target] for target in chosen}
