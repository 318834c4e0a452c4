# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 examples`: a weight file and some pictures, to try the other verbs with."""

from __future__ import annotations

import click

from efm3 import shipped
from efm3.cli import json_option
from efm3.texts import dumps, printable


@click.command("examples")
@click.argument("folder", metavar="DIR", type=click.Path())
@click.option("--force", is_flag=True, help="overwrite files that are there and are others")
@json_option
def command(folder: str, force: bool, as_json: bool) -> None:
    """Copy a weight file and drawn faces into DIR, which is made if it is not there: a network of
    the smallest size, DIR/weights/facex_nano.bin, and pictures of three identities, two of each,
    DIR/examples/a_1.png to c_2.png. The network was trained on drawn heads alone: it is not fit for
    recognising people.

    A file that is there already is left where it is the same, and refused where it is another.
    Nothing is written through a link that is there in place of a file or of one of the two folders.

    \b
    efm3 examples try
    efm3 inspect try/weights/facex_nano.bin

    Exit codes: 0 copied, or all there already; 1 a file or a link is in the way; 2 usage; 3 DIR
    cannot be written.
    """
    try:
        copied = shipped.copy(folder, force=force)
    except shipped.Differs as e:
        raise click.ClickException(f"{printable(e.filename)} {e.strerror}") from None
    if as_json:
        click.echo(dumps({"folder": folder, "files": [
            {"path": str(c.path), "bytes": c.size, "written": c.written} for c in copied]}))
        return
    for c in copied:
        click.echo(f"{'wrote' if c.written else 'there already:'} {printable(str(c.path))}")
