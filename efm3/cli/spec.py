# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 spec`: the format's texts and machine-readable forms."""

from __future__ import annotations

import click

from efm3.cli._kinds import FORM
from efm3.cli._names import meant
from efm3.forms import FORMS
from efm3.texts import dumps, printable


@click.command("spec")
@click.argument("name", required=False, type=FORM, metavar="[NAME]")
@click.option("--json", "as_json", is_flag=True,
              help="the list, the rules, or the form's text, as JSON")
def command(name: str | None, as_json: bool) -> None:
    """Print the text or the form NAME; without NAME, list them.

    Each is the file of the repository that the list names. A program can be written from
    `efm3 spec text` and tested as `efm3 spec conformance` says. `hexpat` is for the ImHex hex
    editor, `ksy` for Kaitai Struct, `magic` for file(1); the list says how to use them.

    \b
    efm3 spec
    efm3 spec text | less

    Exit codes: 0 printed, 2 nothing has that name.
    """
    if name is None:
        if as_json:
            click.echo(dumps({"forms": [_row(n) for n in FORMS]}, indent=2))
        else:
            width = max(map(len, FORMS))
            for n, form in FORMS.items():
                click.echo(f"{n:{width}}  {form.description}  ({form.path})")
                if form.use:
                    click.echo(f"{'':{width}}  use: {form.use}")
    elif name not in FORMS:
        raise click.UsageError(f"there is no {printable(name)!r}" + (
            meant(name, FORMS) or "; `efm3 spec` lists what there is"))
    elif as_json and name == "rules":
        from efm3.forms.codes_page import rows

        click.echo(dumps(rows(), indent=2))
    elif as_json and not FORMS[name].path.endswith(".json"):
        click.echo(dumps(_row(name) | {"text": FORMS[name].text()}, indent=2))
    else:
        click.echo(FORMS[name].text(), nl=False)


def _row(name: str) -> dict[str, str]:
    form = FORMS[name]
    return {"name": name, "path": form.path, "description": form.description,
            "use": form.use}
