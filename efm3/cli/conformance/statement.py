# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 conformance statement`: state what an implementation passed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TextIO

import click

from efm3.source import write_atomic


@click.command("statement")
@click.argument("results", type=click.File("r", encoding="utf-8"))
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path),
              help="write it here instead of to standard output")
@click.option("--badge", type=click.Path(dir_okay=False, path_type=Path), help="write an SVG here")
@click.option("--name", default="", help="the implementation's name, where the run has none")
@click.option("--version", default="", help="its version, where the run has none")
def command(results: TextIO, output: Path | None, badge: Path | None, name: str,
            version: str) -> None:
    """Make a statement of RESULTS, which `efm3 conformance run --format json` wrote (- reads
    standard input). The statement is JSON (spec/statement.schema.json): the kit's version, the
    set's digest, and for each class what was passed.

    Exit codes: 0 made, 1 RESULTS are not results, 2 usage, 3 unreadable.
    """
    from efm3.conformance import statement

    try:
        value = json.loads(results.read())
    except (ValueError, RecursionError) as e:
        raise click.ClickException(f"RESULTS are not JSON: {e}") from None
    made = statement.make(value if isinstance(value, dict) else {}, name, version)
    text = json.dumps(made, indent=2) + "\n"
    if badge:
        write_atomic(badge, [statement.badge(made).encode()])
    if output:
        write_atomic(output, [text.encode()])
    else:
        click.echo(text, nl=False)
