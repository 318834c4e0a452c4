# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Builds the extension efm3._engine from engine/: API mode, stable ABI, cdefs from the header."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from cffi import FFI

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted(str(p.relative_to(ROOT)) for part in ("src", "src/kernels")
                 for p in (ROOT / "engine" / part).glob("*.c"))
DEPENDS = sorted(str(p.relative_to(ROOT)) for p in (ROOT / "engine").rglob("*.[hd]*"))


def declarations() -> str:
    """The text between the header's two cdef marks."""
    text = (ROOT / "engine" / "include" / "facex_mfn.h").read_text(encoding="utf-8")
    found = re.search(r"/\* cdef-begin \*/(.*?)/\* cdef-end \*/", text, re.DOTALL)
    if found is None:
        raise RuntimeError("facex_mfn.h has lost its cdef marks")
    return found[1]


def builder() -> FFI:
    """The cffi builder; setup.py asks it for the extension."""
    ffi = FFI()
    ffi.cdef(declarations())
    ffi.set_source("efm3._engine", '#include "facex_mfn.h"\n', sources=SOURCES, depends=DEPENDS,
                   include_dirs=["engine/include"], py_limited_api=True,
                   extra_compile_args=["-std=c11", "-O2", "-fvisibility=hidden", "-Wall"],
                   libraries=[] if sys.platform == "win32" else ["m", "pthread"])
    return ffi
