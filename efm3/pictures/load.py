# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a network takes, from a file or from bytes: a picture of any form, or a .npy array."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np

from efm3.findings import refuse
from efm3.pictures import ALIGN, SIDE, Picture, _bytes, face

NPY = b"\x93NUMPY"
HEADER = 1 << 12
"""Bytes that hold a .npy file's header."""
WANTED = (np.dtype(np.uint8), (SIDE, SIDE, 3))
Cut = Callable[[bytes, str], Picture]
"""A photograph's bytes and name to its aligned crop."""


def crop(source: str | bytes, resize: bool = False, align: Cut | None = None,
         place: str | None = None) -> Picture:
    """uint8 RGB [112, 112, 3] of a path's file or of bytes, which `place` names in messages.

    A .npy file holds just that; an encoded picture is cut by `align`, where that is given, else
    taken as `efm3.pictures.face` does. Raises BadPicture (F009 to F014), Efm3Error F010, F012 and
    X002, Unreadable.
    """
    place = place if place is not None else source if isinstance(source, str) else ""
    data = contents(source) if isinstance(source, str) else source
    if data.startswith(NPY):
        return Picture(_pixels(data, place), ())
    return align(data, place) if align else face(data, resize, place=place)


def contents(path: str) -> bytes:
    """What a picture's file holds, cut after one byte more than is decoded. Raises Unreadable."""
    return _bytes(path)


def _pixels(data: bytes, place: str) -> Any:
    if (found := _described(data[:HEADER], place)) != WANTED:
        refuse("F012", f"an array of {found[0]} {list(found[1])}, not uint8 [112, 112, 3]; {ALIGN}",
               place, f"{found[0]} {list(found[1])}", "uint8 [112, 112, 3]")
    return array(data, place)


def _described(head: bytes, place: str) -> tuple[Any, tuple[int, ...]]:
    """Type and shape that a .npy file's header states: what is read is known before it is."""
    stream = io.BytesIO(head)
    try:
        version = np.lib.format.read_magic(stream)
        reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else \
            np.lib.format.read_array_header_2_0
        shape, _, dtype = reader(stream)
    except Exception as e:
        # numpy parses the header as Python's tokens and syntax, and raises what these raise.
        refuse("F010", f"a damaged .npy file: {e}", place, "NPY", "a whole file")
    return dtype, shape


def array(data: bytes, place: str) -> Any:
    """The array of a .npy file. Raises Efm3Error F010."""
    try:
        return np.load(io.BytesIO(data), allow_pickle=False)
    except Exception as e:
        # As above, and what numpy's reader has to say of sizes.
        refuse("F010", f"a damaged .npy file: {e}", place, "NPY", "a whole file")
