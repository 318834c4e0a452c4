# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 spec`: the format's machine-readable forms."""

from __future__ import annotations

import json

import click

from efm3.forms import FORMS


@click.command("spec")
@click.argument("name", required=False, type=click.Choice(list(FORMS)), metavar="[NAME]")
@click.option("--json", "as_json", is_flag=True,
              help="the list, the rules, or the form's text, as JSON")
def command(name: str | None, as_json: bool) -> None:
    """Print the form NAME; without NAME, list the forms.

    Each is made here from the format's declaration, and is the file of the repository
    that the list names.
    """
    if name is None:
        if as_json:
            click.echo(json.dumps({"forms": [_row(n) for n in FORMS]}, indent=2))
        else:
            for n, form in FORMS.items():
                click.echo(f"{n:15} {form.description}  ({form.path})")
    elif as_json and name == "rules":
        from efm3.forms.codes_page import rows

        click.echo(json.dumps(rows(), indent=2))
    elif as_json and not FORMS[name].path.endswith(".json"):
        click.echo(json.dumps(_row(name) | {"text": FORMS[name].text()}, indent=2))
    else:
        click.echo(FORMS[name].text(), nl=False)


def _row(name: str) -> dict[str, str]:
    form = FORMS[name]
    return {"name": name, "path": form.path, "description": form.description}
