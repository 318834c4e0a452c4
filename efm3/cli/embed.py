# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 embed`: embeddings of aligned faces."""

from __future__ import annotations

import io
import json

import click

from efm3.cli import needs_engine, source


@click.command("embed")
@click.argument("file")
@click.argument("images", nargs=-1, required=True)
@click.option("-o", "--output", help="X.npy, X.json or X.csv (default: JSON on standard output)")
@click.option("--resize", is_flag=True, help="scale pictures of another size to 112x112")
@click.option("--isa", help="force an instruction set")
@click.option("--threads", type=click.IntRange(1, 64), default=1, show_default=True)
def command(file: str, images: tuple[str, ...], output: str | None, resize: bool,
            isa: str | None, threads: int) -> None:
    """Embed IMAGES (112x112 aligned RGB faces, or .npy of uint8) with FILE's network."""
    kind = output.rsplit(".", 1)[-1] if output else "json"
    if kind not in ("npy", "json", "csv"):
        raise click.UsageError(f"{output}: the name must end in .npy, .json or .csv")
    import numpy as np

    from efm3.cli._images import load_image
    from efm3.engine import Engine
    from efm3.source import write_atomic

    with needs_engine():
        engine = Engine(source(file), isa=isa, threads=threads)
    found = engine.embed(np.stack([load_image(i, resize) for i in images]))
    if kind == "npy":
        buffer = io.BytesIO()
        np.save(buffer, found)
        data = buffer.getvalue()
    elif kind == "csv":
        rows = [",".join([json.dumps(name), *(repr(float(v)) for v in row)])
                for name, row in zip(images, found, strict=True)]
        data = "\n".join([*rows, ""]).encode()
    else:
        value = {"file": file, "isa": engine.isa, "embeddings": [
            {"image": name, "embedding": [float(v) for v in row]}
            for name, row in zip(images, found, strict=True)]}
        data = (json.dumps(value) + "\n").encode()
    if output:
        write_atomic(output, [data])
    else:
        click.echo(data, nl=False)
