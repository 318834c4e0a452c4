# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 embed`: embeddings of aligned faces."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import click

from efm3.cli import needs_engine, precision_option, source
from efm3.cli._photos import aligner, alignment

if TYPE_CHECKING:
    from efm3.arrays import Floats
    from efm3.photos import Which


@click.command("embed")
@click.argument("file")
@click.argument("images", nargs=-1, required=True)
@click.option("-o", "--output", help="X.npy, X.json or X.csv (default: JSON on standard output)")
@click.option("--resize", is_flag=True, help="scale pictures of another size to 112x112")
@alignment("one")
@click.option("--isa", help="force an instruction set")
@precision_option
@click.option("--threads", type=click.IntRange(1, 64), default=1, show_default=True)
def command(file: str, images: tuple[str, ...], output: str | None, resize: bool,
            align: bool, face: Which, detector: str, isa: str | None, precision: str,
            threads: int) -> None:
    """Embed IMAGES (photographs with --align; without it pictures of aligned faces, 112x112, or
    .npy of uint8) with FILE's network.

    Pictures are shown as viewers show them: turned by their EXIF orientation, in sRGB,
    transparent parts white. --align finds the face and cuts it out aligned; without it another
    size is refused, or scaled with --resize, which finds no face. A .csv has a line of names,
    then one for each picture.

    Exit codes: 0 done, 1 input that is refused or a library that is missing, 2 usage,
    3 unreadable.
    """
    kind = output.rsplit(".", 1)[-1] if output else "json"
    if kind not in ("npy", "json", "csv"):
        raise click.UsageError(f"{output}: the name must end in .npy, .json or .csv")
    import numpy as np

    from efm3.cli._images import load_image
    from efm3.engine import Engine
    from efm3.source import write_atomic

    with needs_engine():
        engine = Engine(source(file), isa=isa, precision=precision, threads=threads)
    finder = aligner(align, resize, face, detector)
    pictures = [load_image(i, resize, finder) for i in images]
    found = engine.embed(np.stack([p.pixels for p in pictures]))
    if kind == "npy":
        buffer = io.BytesIO()
        np.save(buffer, found)
        data = buffer.getvalue()
    elif kind == "csv":
        data = _csv(images, found)
    else:
        value = {"file": file, "isa": engine.isa, "precision": precision, "embeddings": [
            {"image": name, "embedding": [float(v) for v in row], "notes": picture.notes}
            for name, picture, row in zip(images, pictures, found, strict=True)]}
        data = (json.dumps(value) + "\n").encode()
    if output:
        write_atomic(output, [data])
    else:
        click.echo(data, nl=False)


def _csv(images: tuple[str, ...], found: Floats) -> bytes:
    """A line of names, then one for each picture: its path, and its embedding's numbers.

    Bytes of a path that are no UTF-8 are written as escapes, so that the file is text.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", *(f"e{i}" for i in range(found.shape[1]))])
    for name, row in zip(images, found, strict=True):
        writer.writerow([name, *(repr(float(v)) for v in row)])
    return text.getvalue().encode("utf-8", "backslashreplace")
