# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 doctor`: the installation, for a bug report."""

from __future__ import annotations

import shutil
import sys

import click

from efm3.cli import json_option, styler
from efm3.texts import dumps

PIPE = 80
"""Columns where nobody watches: the text is to be pasted."""


@click.command("doctor")
@click.option("--quick", is_flag=True, help="only read what is installed; try no library")
@json_option
@click.pass_context
def command(ctx: click.Context, quick: bool, as_json: bool) -> None:
    """Say what is installed and what is broken: versions, the engine and its instruction sets,
    extras, folders, terminal. Paste it into a bug report; nothing is sent anywhere.

    Libraries are imported, in a process of their own, and the engine is compared with the
    reference on a small network. What is not installed is not broken.

    \b
    efm3 doctor
    efm3 doctor --json | jq .problems

    Exit codes: 0 nothing is broken, 1 something is, 2 usage.
    """
    from efm3.doctor import examine

    found = examine(quick, styler()("x", bold=True) != "x")
    if as_json:
        click.echo(dumps(found.to_json(), indent=2))
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPE
        click.echo(found.text(width), nl=False)
    ctx.exit(int(not found.ok))
