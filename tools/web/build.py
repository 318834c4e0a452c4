# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The engine as WebAssembly, a module for each row of instructions, and the package around them.

A virtual machine checks a module whole before it runs any of it, so that one with instructions it
does not know is no module to it: hence three. They import nothing, and are the same bytes wherever
and whenever they are made.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from efm3 import format as fmt
from efm3.version import __version__
from tools import ROOT
from tools.foreign.platforms import CACHE, ZIG
from tools.gen import amalgamation

HOME = ROOT / "engine" / "wasm"
OUT = ROOT / "build" / "wasm"
FILES = ("index.js", "index.d.ts", "package.json", "README.md")
"""What the package holds beside the modules, its licence and fields.js."""
ROWS = {"wasmrelaxed": ("-msimd128", "-mrelaxed-simd"), "wasmsimd": ("-msimd128",), "scalar": ()}
"""Each module by the name of its row in engine/src/isa.def, best first, and its flags."""
LEFT_OUT = {"mfn_engine_forward", "mfn_engine_init", "mfn_engine_init_file", "mfn_engine_profile",
            "mfn_engine_trace", "mfn_fma_peak", "mfn_isa_count", "mfn_isa_name",
            "mfn_isa_supported", "mfn_similarity", "mfn_turn_180", "mfn_turn_180_u8"}
"""Functions of the header that a page does not need, or that need files or a clock."""
MOST = 1 << 30
"""Bytes of memory that a module takes at most."""
LIMIT, LIMIT_GZ = 120 << 10, 40 << 10
"""Bytes that a module has at most, as it is and as gzip sends it."""
FLAGS = ("-target", "wasm32-wasi", "-mexec-model=reactor", "-std=c11", "-Os", "-DNDEBUG",
         "-fno-sanitize=all", "-Wall", "-Wextra", "-Werror", "-Dgetenv=mfn_web_getenv",
         # Each row's arithmetic is its own: nothing is contracted where it says otherwise.
         "-ffp-contract=off", "-s", f"-Wl,--max-memory={MOST}", "-Wl,-z,stack-size=131072")


def exports() -> list[str]:
    """The functions of the public header that a module gives; scan.c says its own."""
    text = (ROOT / "engine/include/facex_mfn.h").read_text(encoding="utf-8")
    names = set(re.findall(r"^[a-z][\w *]*?\b(mfn_\w+)\(", text, re.MULTILINE))
    return sorted(names - LEFT_OUT)


def compile_row(row: str, path: Path, *flags: str) -> None:
    """One module, to `path`; `flags` come last. Raises RuntimeError with the compiler's words."""
    with tempfile.TemporaryDirectory() as folder:
        amalgamation.write(Path(folder))
        words = [*FLAGS, *ROWS[row], f"-I{folder}", f"-I{ROOT / 'engine/include'}", *flags,
                 f"{folder}/facex_mfn.c", str(HOME / "src/scan.c"),
                 *(f"-Wl,--export={name}" for name in [*exports(), "malloc", "free"]),
                 "-o", str(path)]
        done = subprocess.run([str(ZIG), "cc", *words], capture_output=True, text=True,
                              check=False, env=os.environ | {"ZIG_GLOBAL_CACHE_DIR": str(CACHE),
                                                             "ZIG_LOCAL_CACHE_DIR": str(CACHE)})
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:] or f"zig cc: exit {done.returncode}")


def fields() -> str:
    """fields.js: the fixed fields of a file, from their declaration."""
    rows = [f"  [{f.path!r}, {f.offset}, {f.size}, {f.con.legal!r}]," if f.path != "magic" else
            f"  ['magic', 0, {f.size}, {fmt.MAGIC.decode()!r}]," for f in fmt.FIELDS.values()]
    return "\n".join(["// Made by tools.web from efm3/format.py; do not edit.",
                      "// [path, offset, bytes, what is allowed]", "export const FIELDS = [",
                      *rows, "];", f"export const PREFIX_SIZE = {fmt.PREFIX_SIZE};",
                      f"export const INPUT_SIDE = {fmt.INPUT_SIDE};", ""])


def package(out: Path = OUT, rows: Iterable[str] = ROWS) -> list[str]:
    """Writes the package to `out`, which is emptied first; a line for each module.

    Raises RuntimeError where a module does not compile or is larger than it may be.
    """
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    for name in FILES:
        text = (HOME / name).read_text(encoding="utf-8")
        (out / name).write_text(text.replace("0.0.0-made", __version__), encoding="utf-8")
    shutil.copyfile(ROOT / "LICENSE", out / "LICENSE")
    (out / "fields.js").write_text(fields(), encoding="utf-8")
    lines = []
    for row in rows:
        path = out / f"{row}.wasm"
        compile_row(row, path)
        plain = path.read_bytes()
        size, packed = len(plain), len(gzip.compress(plain, 9, mtime=0))
        lines.append(f"{row}.wasm: {size} bytes, {packed} in gzip")
        if size > LIMIT or packed > LIMIT_GZ:
            raise RuntimeError(f"{lines[-1]}: allowed are {LIMIT} and {LIMIT_GZ}")
    return lines
