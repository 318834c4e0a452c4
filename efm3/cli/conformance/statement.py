# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 conformance statement`: state what an implementation passed."""

from __future__ import annotations

import json
from pathlib import Path

import click

from efm3.cli import separate, source
from efm3.cli._kinds import FILE
from efm3.source import write_atomic
from efm3.texts import dumps


@click.command("statement")
@click.argument("results", type=FILE)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path),
              metavar="OUT", help="write it here instead of to standard output")
@click.option("--badge", type=click.Path(dir_okay=False, path_type=Path), metavar="X.svg",
              help="write an SVG here")
@click.option("--name", default="", metavar="NAME",
              help="the implementation's name, where the run has none")
@click.option("--version", default="", metavar="VERSION",
              help="its version, where the run has none")
@click.option("--language", default="", metavar="NAME",
              help="what it is written in, where the run does not say")
def command(results: str, output: Path | None, badge: Path | None, name: str, version: str,
            language: str) -> None:
    """Make a statement of RESULTS, which `efm3 conformance run --format json` wrote (- reads
    standard input). The statement is JSON (spec/statement.schema.json): the kit's version, the
    set's digest, and for each class what was passed and which cases were not.

    It is an unsigned claim: the digest shows damage, and nothing shows who wrote it.

    \b
    efm3 conformance statement run.json -o statement.json --badge badge.svg

    Exit codes: 0 made, 1 RESULTS are not results, 2 usage, 3 unreadable.
    """
    from efm3.conformance import badges, statement
    from efm3.source import read

    separate([results], [output, badge])

    try:
        value = json.loads(bytes(read(source(results))))
    except (ValueError, RecursionError) as e:
        raise click.ClickException(f"RESULTS are not JSON: {e}") from None
    made = statement.make(value if isinstance(value, dict) else {}, name, version, language)
    text = dumps(made, indent=2) + "\n"
    if badge:
        write_atomic(badge, [badges.badge(made).encode()])
    if output:
        write_atomic(output, [text.encode()])
    else:
        click.echo(text, nl=False)
