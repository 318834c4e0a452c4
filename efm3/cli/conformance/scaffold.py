# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 conformance scaffold`: a working program to start from."""

from __future__ import annotations

from pathlib import Path

import click

from efm3.cli import json_option
from efm3.conformance import scaffold as scaffolds
from efm3.texts import dumps, printable


@click.command("scaffold")
@click.argument("kind", type=click.Choice([*scaffolds.KINDS, *scaffolds.ALIASES]))
@click.option("--lang", type=click.Choice(list(scaffolds.LANGUAGES)), required=True,
              help="the programming language")
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
              help="where to write (default: efm3-KIND)")
@click.option("--force", is_flag=True, help="overwrite existing files")
@json_option
def command(kind: str, lang: str, output: Path | None, force: bool, as_json: bool) -> None:
    """Write a reader, exporter, editor or engine in one source file, which passes the kit, with
    a README that says how to build and test it. Replace it by your own code piece by piece.
    (The editor is there in Python alone, with the reader beside it.)

    \b
    efm3 conformance scaffold reader --lang python -o my-reader

    Exit codes: 0 written, 1 a file exists already, 2 usage, 3 DIR cannot be written.
    """
    word = scaffolds.kind_of(kind)
    folder = output or Path(f"efm3-{word}")
    try:
        files = scaffolds.write(word, lang, folder, force=force)
    except KeyError as e:
        raise click.UsageError(e.args[0]) from None
    except FileExistsError as e:
        raise click.ClickException(f"{e.filename}: {e.strerror}") from None
    build = scaffolds.build(word, lang)
    run = scaffolds.run_command(word, lang)
    if as_json:
        click.echo(dumps({"kind": word, "language": lang, "folder": str(folder),
                               "files": [str(f) for f in files], "build": build, "run": run}))
        return
    for file in files:
        click.echo(f"wrote {printable(str(file))}")
    steps = (printable(step) for step in (f"cd {folder}", build, run) if step)
    click.echo("next:\n" + "\n".join(f"  {step}" for step in steps))
