# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 explain`: what a code means, why it exists, how to fix it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from efm3.cli import styler
from efm3.cli._kinds import CODE
from efm3.codes import CODES, GROUPS, Code, near
from efm3.findings import printable
from efm3.texts import dumps

if TYPE_CHECKING:
    from efm3.cli._render import Lines


def _named(_: click.Context, __: click.Parameter, words: tuple[str, ...]) -> list[Code]:
    found = []
    for word in words:
        code = CODES.get(word) or CODES.get(word.upper())
        if code is None:
            likely = near(word)
            hint = f"did you mean {' or '.join(likely)}?" if likely else "--all lists every code"
            raise click.BadParameter(f"no code {printable(word)}; {hint}")
        found.append(code)
    return found


@click.command("explain")
@click.argument("codes", nargs=-1, metavar="CODE...", type=CODE, callback=_named)
@click.option("--all", "every", is_flag=True, help="every code")
@click.option("--format", "form", type=click.Choice(["text", "json", "md"]), default="text",
              show_default=True, help="of the pages on standard output")
def command(codes: list[Code], every: bool, form: str) -> None:
    """Print what, why and fix of each CODE that any part of efm3 reports.

    Rules on files (C001, T012), requirements on programs (R004), refusals of converters (X005),
    of evaluation and training data (F002), of the conformance kit (K006), and statuses of the C
    engine (E_MAGIC).

    \b
    efm3 explain T012 X005
    efm3 explain --all

    Exit codes: 0 printed, 2 no such code.
    """
    wanted = list(CODES.values()) if every else codes
    if not wanted:
        raise click.UsageError("give a CODE, or --all")
    if form != "text":
        from efm3.forms import codes_page

        click.echo(dumps(codes_page.rows(wanted), indent=2) if form == "json" else
                   codes_page.markdown(wanted), nl=form == "json")
    elif every:
        from efm3.cli import _render

        _render.show(_list())
    else:
        click.echo("\n".join(_page(c) for c in wanted))


def _list() -> Lines:
    """Every code on a line, by groups."""
    from efm3.cli._render import grid, text

    ordered = [c for group in GROUPS for c in CODES.values() if c.group == group]
    rows = grid(([f"  {c.code}", c.severity, c.level, c.what] for c in ordered), "<<<<")
    group = ""
    for c, row in zip(ordered, rows, strict=True):
        if c.group != group:
            group = c.group
            yield text((group, "bold"))
        yield row


def _page(c: Code) -> str:
    rows = [("what", c.sentence), ("why", c.why), ("fix", c.fix), ("example", c.example),
            ("level", c.level), ("clause", c.clause)]
    lines = [styler()(f"{c.code}  {c.severity}  ({c.group})", bold=True)]
    for k, v in rows:
        if v:
            lines.append(click.formatting.wrap_text(v, 78, f"  {k:8} ", " " * 11))
    return "\n".join(lines) + "\n"
