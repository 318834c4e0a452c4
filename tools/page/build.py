# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The folder of the page, ready to be served: our sources, the engine, Python, samples."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

from tools import ROOT
from tools.page import declared, memory, packed

SOURCES = ROOT / "page"
PYODIDE = ROOT / "build" / "browser" / "node_modules" / "pyodide"
PARTS = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip",
         "pyodide-lock.json", "README.md")
"""What Pyodide loads of its package, and where its licence is named."""
ENGINE = ROOT / "build" / "wasm"
"""The engine's package for the web, as `make wasm` leaves it."""
SAMPLE = "weights/facex_nano.bin"
OWN = (".html", ".css", ".js", ".svg")
WORKER, LIST = "service-worker.js", "const FILES = {};"
PYTHON, SIZE = "python-worker.js", "const MEMORY = 0;"


class Missing(Exception):
    """Something that the page is put together from is not there; the text says how to get it."""


def policy() -> str:
    """The content security policy that index.html states. Raises ValueError where there is none."""
    text = (SOURCES / "index.html").read_text(encoding="utf-8")
    found = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)
    if found is None:
        raise ValueError("index.html states no policy")
    return found[1]


def build(out: Path) -> dict[str, int]:
    """Write the page to a folder, in the place of what was there; path to size in bytes.

    Raises Missing.
    """
    if not (PYODIDE / PARTS[0]).is_file():
        raise Missing("no Pyodide: run tools/foreign/install_page.sh")
    if shutil.which("node") is None:
        raise Missing("no node, which starts Python for the page")
    engine = engine_files()
    shutil.rmtree(out, ignore_errors=True)
    files = own_files()
    files |= {f"pyodide/{name}": (PYODIDE / name).read_bytes() for name in PARTS}
    files |= {f"engine/{name}": data for name, data in engine.items()}
    files["python.zip"] = packed.archive(packed.members())
    files["python.memory"], size = memory.packed(PYODIDE, files["python.zip"])
    files[PYTHON] = _in_place(PYTHON, files[PYTHON], SIZE, f"const MEMORY = {size};")
    files |= {f"sample/{path.name}": path.read_bytes() for path in
              [ROOT / SAMPLE, *(ROOT / "examples" / name for name in declared.EXAMPLES)]}
    files[WORKER] = _with_list(files.pop(WORKER), files)
    # What some servers read, and send with each file: a worker is under its own answer's policy.
    files["_headers"] = f"/*\n  Content-Security-Policy: {policy()}\n".encode()
    for name, data in files.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(data)
    return {name: len(data) for name, data in sorted(files.items())}


def own_files() -> dict[str, bytes]:
    """Our own sources, and what is made of the declarations."""
    files = {p.name: p.read_bytes() for p in sorted(SOURCES.iterdir()) if p.suffix in OWN}
    return files | {"declared.js": declared.module().encode()}


def engine_files() -> dict[str, bytes]:
    """The engine's package for the web. Raises Missing."""
    if not list(ENGINE.glob("*.wasm")):
        raise Missing("no engine for the web: make wasm")
    return {p.name: p.read_bytes() for p in sorted(ENGINE.iterdir())
            if p.suffix in (".js", ".wasm")}


def _with_list(worker: bytes, files: dict[str, bytes]) -> bytes:
    """The service worker with the digest of each file that it keeps."""
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())
               if not name.endswith("README.md")}
    return _in_place(WORKER, worker, LIST, f"const FILES = {json.dumps(digests, indent=1)};")


def _in_place(name: str, program: bytes, old: str, new: str) -> bytes:
    """A program with a line that is made here."""
    text = program.decode()
    if text.count(old) != 1:
        raise ValueError(f"{name} has no {old}")
    return text.replace(old, new).encode()
