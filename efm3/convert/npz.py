# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""NumPy archives: our names, and the arch and the mirror as text beside them.

An entry's own header is read by its one grammar, not evaluated, and compared with the bytes that
follow it.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from efm3.arrays import Array
from efm3.convert import _named
from efm3.convert._base import Source, Wanted
from efm3.convert._meta import MAX_TEXT, texts
from efm3.convert._zip import Archive
from efm3.findings import refuse
from efm3.model import Model
from efm3.source import open_regular

MAGIC = b"\x93NUMPY"
MOST_RANK = 4
_HEADER = re.compile(
    rb"\{\s*'descr'\s*:\s*'([<>|=]?[a-zA-Z][0-9]{0,9})'\s*,\s*'fortran_order'\s*:\s*(True|False)"
    rb"\s*,\s*'shape'\s*:\s*\(([0-9, L]{0,200})\)\s*,?\s*\}\s*")
_WIDTHS = {"f": (2, 4, 8, 16), "i": (1, 2, 4, 8), "u": (1, 2, 4, 8), "b": (1,)}


def read(path: str, wanted: Wanted) -> Source:
    """The network in an archive. Raises Efm3Error."""
    found: dict[str, Any] = {}
    with open_regular(path) as f:
        archive = Archive(f, path)
        for name in archive.entries:
            if not name.endswith("/"):
                found[name.removesuffix(".npy")] = _entry(archive.read(name),
                                                          name.removesuffix(".npy"))
    shapes = {k: v.shape for k, v in found.items() if not isinstance(v, str)}
    return _named.source_of(shapes, found.__getitem__, found, wanted, path, archive.size)


def _entry(data: bytes, key: str) -> Array | str:
    """An entry's array, or its text where it is EFM3's metadata. Raises X003, X006, X012."""
    wide = 4 if data[6:7] in (b"\2", b"\3") else 2
    start = 8 + wide
    end = start + int.from_bytes(data[8:start], "little")
    match = _HEADER.fullmatch(data[start:end]) if data.startswith(MAGIC) else None
    if match is None or end > len(data):
        refuse("X003", f"{key} is no NumPy array that is read here: its header is damaged or has "
                       "another form", key)
    kind, width = match[1].decode().lstrip("<>|="), len(data) - end
    letter, size = kind[0], int(kind[1:] or 0)
    shape = [int(n) for n in re.findall(rb"[0-9]+", match[3])]
    if key in _named.TEXT_KEYS:
        if letter != "U" or shape or width != 4 * size or size > MAX_TEXT:
            refuse("X012", f"{key} is {kind} {shape}, not one text", key)
        return _text(data[end:], key, big=match[1][:1] == b">")
    if size not in _WIDTHS.get(letter, ()) or len(shape) > MOST_RANK:
        refuse("X006", f"{key} is {kind} {shape[:8]}, not numbers of at most {MOST_RANK} "
                       "dimensions", key)
    if size * math.prod(shape) != width:
        refuse("X006", f"{key} states {shape} of {kind} and holds {width} bytes", key)
    array = np.frombuffer(data, np.dtype(match[1].decode()), math.prod(shape), end)
    return array.reshape(shape, order="F" if match[2] == b"True" else "C")


def _text(data: bytes, key: str, *, big: bool) -> str:
    try:
        return data.decode("utf-32-be" if big else "utf-32-le", "surrogatepass").rstrip("\0")
    except UnicodeDecodeError as e:
        refuse("X012", f"{key} is not text: {e.reason} at its byte {e.start}", key)


def parts(model: Model, path: str, fold: bool) -> Iterable[memoryview]:
    """The archive's bytes, in pieces: stored, not compressed."""
    stream = io.BytesIO()
    # The mirror's trailing spaces, which align the tensors, are kept: numpy strips only NULs.
    entries: dict[str, Any] = {k: np.array(v) for k, v in texts(model).items()}
    np.savez(stream, **entries, **model.tensors)
    yield stream.getbuffer()
