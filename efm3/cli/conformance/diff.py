# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 conformance diff`: find files on which two readers disagree."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from efm3.cli import json_option, styler
from efm3.codes import LEVELS
from efm3.findings import printable
from efm3.source import write_atomic
from efm3.texts import dumps


@click.command("diff")
@click.option("--a", "a", required=True, metavar="CMD", help="a reader, or @python, @engine")
@click.option("--b", "b", required=True, metavar="CMD", help="the other")
@click.option("--protocol", type=click.Choice(["simple", "lines"]), default="simple",
              show_default=True, help="one process per file, or one for all files")
@click.option("--level", type=click.Choice(LEVELS), default="structure", show_default=True,
              help="how strict the readers are")
@click.option("--files", type=click.IntRange(1), default=1000, show_default=True,
              help="how many to try")
@click.option("--seconds", type=click.FloatRange(0), default=0, metavar="S",
              help="stop after this time (default: no limit)")
@click.option("--seed", type=int, default=0, show_default=True, metavar="N",
              help="other files for another seed")
@click.option("--enough", type=click.IntRange(1), default=5, show_default=True,
              help="stop after this many disagreements")
@click.option("--timeout", type=click.FloatRange(0.01), default=10.0, show_default=True,
              metavar="S", help="seconds for one file")
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path),
              metavar="DIR", help="write each case (.toml) and its file (.bin) into this folder")
@json_option
def command(a: str, b: str, protocol: str, level: str, files: int, seconds: float, seed: int,
            enough: int, timeout: float, output: Path | None, as_json: bool) -> None:
    """Mutate valid files, field by field, and ask both readers; where they disagree, reduce
    the mutation to a minimum and print it as a case.

    \b
    efm3 conformance diff --a @python --b 'python3 reader.py' --files 200

    Exit codes: 0 they agree on all files, 1 they disagree, 2 usage, 3 one cannot be run.
    """
    from efm3.conformance import author, disagree
    from efm3.conformance.recipe import render
    from efm3.conformance.runner import subject

    try:
        one, two = (subject(c, protocol, timeout, tested="reader") for c in (a, b))
    except ValueError as e:
        raise click.UsageError(printable(str(e))) from None
    end = time.monotonic() + seconds if seconds else float("inf")
    tried = 0

    def tick() -> bool:
        nonlocal tried
        tried += time.monotonic() < end
        return time.monotonic() < end
    style, rows = styler(), list[dict[str, Any]]()
    try:
        for found in disagree.search(one, two, files, level, seed, enough, tick):
            text = author.text(found.recipe, found.words.split(":")[0])
            rows.append({"words": found.words, "case": text})
            if output:
                output.mkdir(parents=True, exist_ok=True)
                write_atomic(output / f"found-{len(rows)}.toml", [text.encode()])
                write_atomic(output / f"found-{len(rows)}.bin", [render(found.recipe)])
            if not as_json:
                click.echo(style(printable(found.words), bold=True))
                click.echo(text.removeprefix(author.HEAD))
    finally:
        one.close()
        two.close()
    if as_json:
        click.echo(dumps({"agree": not rows, "files": tried, "found": rows}, indent=2))
    else:
        click.echo(style(f"{tried} files: " + (f"{len(rows)} disagreements" if rows else
                                               "no disagreement"), bold=True))
    sys.exit(bool(rows))
