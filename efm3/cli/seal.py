# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 seal`: write the tensor table's digest into a file."""

from __future__ import annotations

import os

import click

import efm3
from efm3.cli import json_option
from efm3.cli._kinds import FILE
from efm3.texts import dumps, printable


@click.command("seal")
@click.argument("file", type=FILE)
@click.option("-o", "--output", metavar="OUT", type=FILE, help="write here instead of over FILE")
@click.option("--align/--no-align", default=None,
              help="pad the mirror so that tensors are 4-byte aligned (default: as it is)")
@json_option
def command(file: str, output: str | None, align: bool | None, as_json: bool) -> None:
    """Write the SHA-256 of FILE's tensor table to meta.sha256, over an older one too.

    The weights keep their bytes; the file is replaced atomically.

    \b
    efm3 seal weights.bin

    Exit codes: 0 sealed, 1 FILE is broken, 2 usage, 3 unreadable, or OUT cannot be written.
    """
    model = efm3.load(file, level="structure")
    if not model.mirror:
        raise click.ClickException(f"{file}: the mirror cannot be read; see `efm3 validate`")
    if align is None:
        align = model.aligned
    target = output or file
    model.save(target, align=align, finite=False, seal=True)
    digest = efm3.load(target).mirror["meta"]["sha256"]
    if as_json:
        click.echo(dumps({"file": target, "sha256": digest, "aligned": align,
                               "size": os.path.getsize(target)}))
    else:
        click.echo(f"{printable(target)}: sealed {digest}")
