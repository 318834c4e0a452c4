# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The memory of the page's Python after its start: what a browser need not do again.

Node starts Pyodide, imports what the verbs need and writes the memory down. `build/page-memory`
keeps one, for as long as what it is made of stays the same.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import tempfile
from pathlib import Path

from tools import ROOT

PROGRAM = ROOT / "tools" / "page" / "memory.mjs"
KEPT = ROOT / "build" / "page-memory"
WEIGHTS = ROOT / "weights" / "facex_nano.bin"
"""A file that every verb is asked about once, so that what they import late is there too."""
MINUTES = 10


def packed(pyodide: Path, archive: bytes) -> tuple[bytes, int]:
    """The memory in gzip, and its size. Node is needed. Raises CalledProcessError."""
    parts = [archive, PROGRAM.read_bytes(), (pyodide / "package.json").read_bytes(),
             WEIGHTS.read_bytes()]
    digest = hashlib.sha256(b"".join(hashlib.sha256(p).digest() for p in parts)).hexdigest()
    data, told = KEPT / "memory.gz", KEPT / "memory.json"
    if not told.is_file() or json.loads(told.read_text(encoding="utf-8"))["of"] != digest:
        KEPT.mkdir(parents=True, exist_ok=True)
        told.unlink(missing_ok=True)
        memory = _made(pyodide, archive)
        data.write_bytes(gzip.compress(memory, mtime=0))
        told.write_text(json.dumps({"of": digest, "size": len(memory)}), encoding="utf-8")
    return data.read_bytes(), json.loads(told.read_text(encoding="utf-8"))["size"]


def _made(pyodide: Path, archive: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as scratch:
        given, out = Path(scratch) / "python.zip", Path(scratch) / "memory"
        given.write_bytes(archive)
        subprocess.run(["node", PROGRAM, pyodide, given, WEIGHTS, out], check=True,
                       timeout=60 * MINUTES)
        return out.read_bytes()
