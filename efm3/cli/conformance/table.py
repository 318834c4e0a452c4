# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 conformance table`: statements side by side."""

from __future__ import annotations

from pathlib import Path

import click

from efm3.cli import separate, source
from efm3.cli._kinds import FILE
from efm3.source import name_of, write_atomic
from efm3.texts import dumps


@click.command("table")
@click.argument("statements", metavar="STATEMENT...", nargs=-1, required=True,
                type=FILE)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path),
              metavar="OUT", help="write it here instead of to standard output")
@click.option("--format", "form", type=click.Choice(["md", "html", "json"]),
              help="by default what the output's name ends in, else md")
def command(statements: tuple[str, ...], output: Path | None, form: str | None) -> None:
    """Make a page of who passes what: a row for each implementation, a column for each class,
    level and precision, and below them the cases that did not pass. Statements of different
    sets of cases stand in different tables. HTML is one file without a script.

    The page repeats what the statements claim. They are not signed: see verify-statement.

    \b
    efm3 conformance table a.json b.json -o table.html

    Exit codes: 0 made, 1 a STATEMENT is none or contradicts itself, 2 usage, 3 unreadable.
    """
    from efm3.conformance import _table_html, statement, tables

    if len(statements) > tables.MAX_STATEMENTS:
        raise click.UsageError(f"more than {tables.MAX_STATEMENTS} statements")
    separate(statements, [output])
    read = {name_of(source(s)): statement.read(source(s)) for s in statements}
    sets = tables.table(read)
    form = form or (output.suffix[1:].lower() if output else "md")
    text = (dumps(tables.to_json(sets), indent=2) + "\n" if form == "json" else
            _table_html.page(sets) if form in ("html", "htm") else tables.markdown(sets))
    if output:
        write_atomic(output, [text.encode()])
    else:
        click.echo(text, nl=False)
