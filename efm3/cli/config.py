# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 config`: the settings that hold here."""

from __future__ import annotations

import json

import click

from efm3.cli import json_option
from efm3.settings import KEYS, find
from efm3.texts import dumps, printable


@click.command("config")
@click.argument("folder", metavar="DIR", default=".", type=click.Path(exists=True, file_okay=False))
@json_option
def command(folder: str, as_json: bool) -> None:
    """Show the settings that `efm3 validate` has in DIR (default: the working folder), and where
    each comes from: efm3.toml or [tool.efm3] of pyproject.toml, there or in the nearest folder
    above, as far as the one with .git. Options of the command count more.

    \b
    efm3 config
    efm3 config models --json

    Exit codes: 0 shown, 2 usage, or settings that cannot be used, 3 unreadable.
    """
    found = find(folder)
    if as_json:
        click.echo(dumps(found.to_json(), indent=2))
        return
    click.echo(printable(f"file: {found.file}" if found.file else
                         "file: none (efm3.toml, or [tool.efm3] of pyproject.toml)"))
    width = max(map(len, KEYS))
    for key, row in found.to_json()["settings"].items():
        value = printable(json.dumps(row["value"], ensure_ascii=False))
        click.echo(f"{key:{width}} = {value}" + "  (default)" * (row["from"] == "default"))
