# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The whole file as a C array, for firmware: mfn_engine_init_memory takes it as it is."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterable, Iterator
from typing import cast

from efm3.convert._base import Source, Wanted
from efm3.convert.bin import same_shape
from efm3.findings import refuse
from efm3.model import Model, load
from efm3.source import open_regular

ROW = 16
"""Bytes a line."""
ALIGN = 64
"""Alignment of the array: a cache line."""
OPEN, CLOSE = b"[] = {\n", b"};\n"

TOP = """\
// Written by `efm3 convert`: the EFM3 file "{title}", {size} bytes.
// Pass {name} and {name}_size to mfn_engine_init_memory.
{guard}#include <stddef.h>

#ifdef __cplusplus
#define {macro} alignas({align})
#else
#define {macro} _Alignas({align})
#endif

{declare}{macro} {static}const unsigned char {name}"""
END = """\
{static}const size_t {name}_size = sizeof {name};
#undef {macro}
"""
# In C++ a const at namespace scope has internal linkage unless it is declared extern.
EXTERN = """\
#ifdef __cplusplus
extern "C" {{
#endif
extern const unsigned char {name}[];
extern const size_t {name}_size;
#ifdef __cplusplus
}}
#endif

"""


def parts(model: Model, path: str, fold: bool) -> Iterable[bytes]:
    """The text, in pieces. A .h holds `static` definitions, a .c external ones."""
    pieces = model.parts()
    header = path.lower().endswith(".h")
    name = re.sub(r"\W", "_", os.path.splitext(os.path.basename(path))[0], flags=re.ASCII)
    name = name if re.match(r"[A-Za-z]", name) else f"efm3_{name}"
    title = re.sub(r"[^ -!#-\[\]-~]", "?", model.arch.name)
    words = {"name": name, "macro": f"{name.upper()}_ALIGN", "align": str(ALIGN), "title": title,
             "size": str(sum(map(len, pieces))), "static": "static " if header else "",
             "guard": "#pragma once\n" if header else "",
             "declare": "" if header else EXTERN.format(name=name)}
    yield TOP.format(**words).encode() + OPEN
    yield from _rows(pieces)
    yield CLOSE + END.format(**words).encode()


def _rows(pieces: list[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        data = rest + piece
        whole = len(data) // ROW * ROW
        rest = data[whole:]
        # 3 characters per byte from hex(), which then become "0xNN,".
        lines = (data[i:i + ROW].hex(",") for i in range(0, whole, ROW))
        yield "".join(f"0x{line.replace(',', ',0x')},\n" for line in lines).encode()
    if rest:
        yield f"0x{rest.hex(',').replace(',', ',0x')},\n".encode()


def read(path: str, wanted: Wanted) -> Source:
    """The file in an array that `parts` wrote. Raises Efm3Error."""
    data = bytearray()
    inside, whole = False, False
    with open_regular(path) as raw:
        f = io.BufferedReader(cast(io.RawIOBase, raw))
        while lines := f.readlines(1 << 20):
            text = b"".join(lines)
            if not inside:
                _, inside_, text = text.partition(OPEN)
                inside = bool(inside_)
            if inside:
                text, whole_, _ = text.partition(CLOSE)
                data += _bytes(text, path)
                whole = bool(whole_)
            if whole:
                break
    if not whole:
        refuse("X003", f"{path} holds no array as `efm3 convert` writes it", path)
    model = load(bytes(data))
    same_shape(model, wanted.arch, path)
    return Source(model=model)


def _bytes(text: bytes, path: str) -> bytes:
    try:
        return bytes.fromhex(text.replace(b"0x", b"").replace(b",", b"").decode("ascii"))
    except ValueError as e:
        refuse("X003", f"{path} holds no array of bytes: {e}", path)
