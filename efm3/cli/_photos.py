# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the verbs that take photographs share: options, names of files, crops on a terminal."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

from efm3.cli._kinds import FILE
from efm3.findings import printable

if TYPE_CHECKING:
    from efm3.arrays import Pixels
    from efm3.photos import Aligner, Which

WHICH = ("one", "largest", "central")
DETECTOR = click.option("--detector", metavar="NAME|X.onnx", type=FILE, default="centerface",
                        show_default=True, help="what finds faces; a YuNet's file, for another")
LONGEST_STEM = 100
"""Characters of a photograph's name that are kept in the names of its crops."""


def alignment(default: str, *more: str) -> Callable[[Any], Any]:
    """The options --align, --face and --detector; `default` is what --face is without them, and
    `more` (all) is what it may be besides WHICH."""
    def add(f: Any) -> Any:
        for option in (
            DETECTOR,
            click.option("--face", type=click.Choice((*WHICH, *more)), default=default,
                         show_default=True, help="with --align, of several faces: refuse them, "
                         "the largest, or the one nearest the middle"
                         + "; or a row for each" * bool(more)),
            click.option("--align", is_flag=True, help="find the face in each photograph, and cut "
                         "it out aligned"),
        ):
            f = option(f)
        return f
    return add


def aligner(align: bool, resize: bool, face: Which, detector: str) -> Aligner | None:
    """What --align asks for, None without it. Raises UsageError, and Efm3Error F015, X002."""
    if align and resize:
        raise click.UsageError("--align finds the face, --resize takes the picture as it is: "
                               "give one of them")
    if not align:
        return None
    from efm3.photos import Aligner, open_detector
    from efm3.pictures import pillow

    opened = open_detector(detector)  # first: its extra brings Pillow too
    pillow()
    return Aligner(opened, face)


def save(path: str, pixels: Pixels) -> None:
    """Write the pixels as a PNG file. Raises OSError, with the path."""
    from efm3.pictures import pillow
    from efm3.source import write_atomic

    buffer = io.BytesIO()
    pillow().fromarray(pixels).save(buffer, "PNG")
    try:
        write_atomic(path, [buffer.getvalue()])
    except OSError as e:
        raise OSError(e.errno, e.strerror, path) from None


class Stems:
    """Base names for what is made of photographs: safe in every folder, and none twice, on systems
    too that do not tell letters by case."""

    def __init__(self) -> None:
        self._taken: dict[str, int] = {}

    def of(self, path: str) -> str:
        """The name for one path more."""
        base = os.path.splitext(os.path.basename(path))[0][:LONGEST_STEM]
        plain = "".join(c if c.isalnum() or c in "-_. ()+" else "_" for c in base)
        plain = plain.lstrip(".-").rstrip(". ") or "photo"
        key, stem = plain.casefold(), plain
        number = self._taken.get(key, 0)
        while stem.casefold() in self._taken:
            number += 1
            stem = f"{plain}_{number + 1}"
        self._taken[key] = number
        self._taken.setdefault(stem.casefold(), 0)
        return stem


def free(paths: Iterable[str], force: bool) -> None:
    """Raises ClickException where a file is there already, and `force` does not allow that."""
    for path in paths:
        if not force and os.path.lexists(path):
            raise click.ClickException(f"{printable(path)} is there already; --force overwrites it")
