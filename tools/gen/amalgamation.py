# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Write the engine as one facex_mfn.c and one facex_mfn.h into a folder.

    python -m tools.gen.amalgamation FOLDER
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tools import ROOT

ENGINE = ROOT / "engine"
INCLUDE = re.compile(r'^#include "([^"]+)"$')
DEFINE = re.compile(r"^#define (\w+)")
# Included at each use, every time with other macros around it.
TEMPLATES = {"isa.def", "status.def", "simd.h", "simd_int.h", "neon.h", "wasm.h", "ymm.h", "zmm.h"}


def expand(path: Path, seen: set[Path]) -> list[str]:
    """The file's lines with our own headers in place, each once (templates at every use)."""
    out = [f"/* {path.relative_to(ENGINE)} */"]
    for line in path.read_text(encoding="utf-8").splitlines():
        found = INCLUDE.match(line.strip())
        if found is None:
            out.append(line)
            continue
        name = found[1]
        if name == "facex_mfn.h":
            out.append('#include "facex_mfn.h"')
            continue
        target = (path.parent / name).resolve()
        if target.name in TEMPLATES or target not in seen:
            seen.add(target)
            out += expand(target, seen)
    return out


def macros(path: Path) -> list[str]:
    """Names that the file defines."""
    return [m[1] for m in map(DEFINE.match, path.read_text(encoding="utf-8").splitlines()) if m]


def write(folder: Path) -> None:
    """Write both files."""
    folder.mkdir(parents=True, exist_ok=True)
    seen: set[Path] = set()
    # Baseline code first: a kernel file's target options end with it.
    sources = sorted((ENGINE / "src").glob("*.c")) + sorted((ENGINE / "src/kernels").glob("*.c"))
    platform = (ENGINE / "src/platform.h").resolve()
    seen.add(platform)
    lines = ["/* Made by tools.gen.amalgamation from the engine's sources; do not edit. */",
             *expand(platform, seen)]
    for source in sources:
        own = expand(source, seen)
        lines += own
        # A source's macros end with it, as they do where it is compiled alone.
        from_headers = {m for h in (ENGINE / "src").glob("*.h") for m in macros(h)}
        lines += [f"#undef {m}" for m in dict.fromkeys(
            m[1] for m in map(DEFINE.match, own) if m) if m not in from_headers]
    (folder / "facex_mfn.c").write_text("\n".join(lines) + "\n", encoding="utf-8")
    header = (ENGINE / "include/facex_mfn.h").read_text(encoding="utf-8")
    (folder / "facex_mfn.h").write_text(header, encoding="utf-8")


def main() -> None:
    """The command."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: python -m tools.gen.amalgamation FOLDER")
    write(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
