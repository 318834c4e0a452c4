# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Pictures from files: uint8 RGB [112, 112, 3]."""

from __future__ import annotations

from typing import Any

import click
import numpy as np

from efm3.findings import printable
from efm3.pictures import SIDE, BadPicture, decode
from efm3.source import read


def load_image(path: str, resize: bool) -> Any:
    """A .npy file of uint8 [112, 112, 3], or a picture that Pillow reads. Raises ClickException."""
    data = bytes(read(path))
    if not data.startswith(b"\x93NUMPY"):
        try:
            return decode(data, resize)
        except BadPicture as e:
            raise click.ClickException(f"{printable(path)}: {printable(str(e))}") from None
    image = _npy(path, data)
    if image.dtype != np.uint8 or image.shape != (SIDE, SIDE, 3):
        raise click.ClickException(
            f"{printable(path)}: {image.dtype} {list(image.shape)}, not uint8 [112, 112, 3]")
    return image


def _npy(path: str, data: bytes) -> Any:
    import io

    try:
        return np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError, MemoryError) as e:
        raise click.ClickException(f"{printable(path)}: {printable(str(e))}") from None


def load_inputs(path: str) -> Any:
    """Network inputs, float32 [N, 3, 112, 112], from a .npy file of such or of uint8 pictures
    [N, 112, 112, 3]. Raises ClickException."""
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
