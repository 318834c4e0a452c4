# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Pictures from files: uint8 RGB [112, 112, 3]."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from efm3.findings import printable, refuse
from efm3.pictures import ALIGN, SIDE, Picture, face
from efm3.source import open_regular, read

if TYPE_CHECKING:
    from efm3.photos import Aligner

NPY = b"\x93NUMPY"
HEADER = 1 << 12
"""Bytes that hold a .npy file's header."""


def load_image(path: str, resize: bool, align: Aligner | None = None) -> Picture:
    """A .npy file of uint8 [112, 112, 3], or a picture that Pillow reads, its face aligned by
    `align` where that is given.

    Its notes go to standard error too. Raises Efm3Error F009 to F015 and X002, Unreadable.
    """
    with open_regular(path) as f:
        head = f.read(HEADER)
    if not head.startswith(NPY):
        with warnings.catch_warnings():
            # Pillow warns of odd metadata; what matters of it is refused or noted.
            warnings.simplefilter("ignore")
            picture = align(path) if align else face(path, resize)
        for note in picture.notes:
            click.echo(f"efm3: {printable(path)}: {printable(note)}", err=True)
        return picture
    wanted = (np.dtype(np.uint8), (SIDE, SIDE, 3))
    if (found := _described(head, path)) != wanted:
        refuse("F012", f"an array of {found[0]} {list(found[1])}, not uint8 [112, 112, 3]; {ALIGN}",
               path, f"{found[0]} {list(found[1])}", "uint8 [112, 112, 3]")
    return Picture(_npy(path, bytes(read(path))), ())


def _described(head: bytes, path: str) -> tuple[Any, tuple[int, ...]]:
    """Type and shape that a .npy file's header states: what is read is known before it is."""
    stream = io.BytesIO(head)
    try:
        version = np.lib.format.read_magic(stream)
        reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else \
            np.lib.format.read_array_header_2_0
        shape, _, dtype = reader(stream)
    except Exception as e:
        # numpy parses the header as Python's tokens and syntax, and raises what these raise.
        refuse("F010", f"a damaged .npy file: {e}", path, "NPY", "a whole file")
    return dtype, shape


def _npy(path: str, data: bytes) -> Any:
    try:
        return np.load(io.BytesIO(data), allow_pickle=False)
    except Exception as e:
        refuse("F010", f"a damaged .npy file: {e}", path, "NPY", "a whole file")


def load_inputs(path: str) -> Any:
    """Network inputs, float32 [N, 3, 112, 112], from a .npy file of such or of uint8 pictures
    [N, 112, 112, 3]. Raises ClickException and Efm3Error F010."""
    from efm3.reference import prepare

    array = _npy(path, bytes(read(path)))
    if array.dtype == np.uint8 and array.ndim in (3, 4) and array.shape[-3:] == (SIDE, SIDE, 3):
        array = prepare(array)
    if (array.dtype != np.float32 or array.ndim != 4 or array.shape[1:] != (3, SIDE, SIDE)
            or not len(array)):
        raise click.ClickException(
            f"{printable(path)}: {array.dtype} {list(array.shape)}, not float32 [N, 3, 112, 112] "
            "or uint8 [N, 112, 112, 3]")
    return array
