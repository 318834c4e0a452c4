# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 conformance verify-statement`: is a statement valid for this kit?"""

from __future__ import annotations

import json
import sys
from typing import TextIO

import click

from efm3.cli import styler
from efm3.findings import printable


@click.command("verify-statement")
@click.argument("statement", type=click.File("r", encoding="utf-8"))
@click.option("--json", "as_json", is_flag=True)
def command(statement: TextIO, as_json: bool) -> None:
    """Check that STATEMENT is complete, is about this kit's set of cases, and that its counts
    support its claims. A statement cannot prove that the program was really run: to know
    that, run it.

    Exit codes: 0 it holds, 1 it does not, 2 usage, 3 unreadable.
    """
    from efm3.conformance.statement import problems, words_of

    try:
        value = json.loads(statement.read())
    except (ValueError, RecursionError) as e:
        raise click.ClickException(f"STATEMENT is not JSON: {e}") from None
    found = list(problems(value))
    if as_json:
        click.echo(json.dumps({"ok": not found, "findings": [f.to_json() for f in found]},
                              indent=2))
        sys.exit(bool(found))
    style = styler()
    for f in found:
        click.echo(f"{style(f.code, fg='red', bold=True)}  {printable(f.path or 'statement')}: "
                   f"{printable(f.message)}")
        if f.found:
            click.echo(style(f"    found {printable(f.found)}, expected {printable(f.expected)}",
                             dim=True))
    if not found:
        about = value["implementation"]
        click.echo(printable(f"{about['name']} {about['version']}".strip()) + ": "
                   + ", ".join(words_of(c) for c in value["claims"]))
    click.echo(style("the statement holds" if not found else "the statement does NOT hold",
                     bold=True, fg="red" if found else "green"))
    sys.exit(bool(found))
