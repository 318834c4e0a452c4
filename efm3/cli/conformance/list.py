# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 conformance list`: the cases, or one in full."""

from __future__ import annotations

import click

from efm3.cli import json_option, styler
from efm3.cli._kinds import CASES
from efm3.cli.conformance._none import none
from efm3.texts import dumps


@click.command("list")
@click.argument("words", nargs=-1, type=CASES, metavar="WORD...")
@json_option
def command(words: tuple[str, ...], as_json: bool) -> None:
    """List the cases that the WORDs name (as for `run --select`); a single ID is shown in full.

    \b
    efm3 conformance list smoke
    efm3 conformance list bad-h004-stem-kernel-4

    Exit codes: 0 listed, 1 nothing has that name, 2 usage.
    """
    from efm3.conformance.cases import named
    from efm3.conformance.export import describe
    from efm3.conformance.home import HOME

    chosen = named(words)
    if not chosen:
        none(words)
    if as_json:
        click.echo(dumps({"cases": [describe(c, full=False) for c in chosen]}, indent=2))
        return
    style = styler()
    if len(words) == len(chosen) == 1:
        case = chosen[0]
        path = HOME / "cases" / case.folder / f"{case.id}.toml"
        lines = path.read_text(encoding="utf-8").splitlines()
        click.echo("\n".join([style(case.id, bold=True), *(s for s in lines if s[:1] != "#")]))
        return
    from efm3.cli import _render

    _render.show(_render.grid(([c.id, (" ".join(c.tests[:3]), _render.LABEL), c.about]
                               for c in chosen), "<<<"))
    negative = sum(c.negative for c in chosen)
    click.echo(style(f"{len(chosen)} cases, {negative} of them negative", bold=True))
