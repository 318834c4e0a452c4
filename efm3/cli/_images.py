# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Pictures from files, with what is to be said of them: uint8 RGB [112, 112, 3]."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from efm3.findings import printable
from efm3.pictures import SIDE, Picture
from efm3.pictures.load import array, crop
from efm3.source import read

if TYPE_CHECKING:
    from efm3.photos import Aligner


def load_image(path: str, resize: bool, align: Aligner | None = None) -> Picture:
    """A .npy file of uint8 [112, 112, 3], or a picture that Pillow reads, its face aligned by
    `align` where that is given.

    Its notes go to standard error too. Raises Efm3Error F009 to F015 and X002, Unreadable.
    """
    with warnings.catch_warnings():
        # Pillow warns of odd metadata; what matters of it is refused or noted.
        warnings.simplefilter("ignore")
        picture = crop(path, resize, align)
    note(path, picture.notes)
    return picture


def note(path: str, notes: tuple[str, ...]) -> None:
    """Say on standard error what is to be known of a picture."""
    for text in notes:
        click.echo(f"efm3: {printable(path)}: {printable(text)}", err=True)


def load_inputs(path: str) -> Any:
    """Network inputs, float32 [N, 3, 112, 112], from a .npy file of such or of uint8 pictures
    [N, 112, 112, 3]. Raises ClickException and Efm3Error F010."""
    from efm3.reference import prepare

    inputs = array(bytes(read(path)), path)
    if inputs.dtype == np.uint8 and inputs.ndim in (3, 4) and inputs.shape[-3:] == (SIDE, SIDE, 3):
        inputs = prepare(inputs)
    if (inputs.dtype != np.float32 or inputs.ndim != 4 or inputs.shape[1:] != (3, SIDE, SIDE)
            or not len(inputs)):
        raise click.ClickException(
            f"{printable(path)}: {inputs.dtype} {list(inputs.shape)}, not float32 "
            "[N, 3, 112, 112] or uint8 [N, 112, 112, 3]")
    return inputs
