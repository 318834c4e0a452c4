# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 explain`: what a rule means, why it is there, how to mend it."""

from __future__ import annotations

import json

import click

from efm3.cli import styler
from efm3.examples import example
from efm3.forms.rules_page import rows
from efm3.rules import GROUPS, Rule, load_rules


@click.command("explain", short_help="say what a rule means")
@click.argument("codes", nargs=-1, metavar="CODE...")
@click.option("--all", "every", is_flag=True, help="every rule")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def command(codes: tuple[str, ...], every: bool, form: str) -> None:
    """Print what, why, fix and an example of each CODE."""
    rules = load_rules()
    wanted = list(rules) if every else [c.upper() for c in codes]
    if not wanted:
        raise click.UsageError("give a CODE, or --all")
    unknown = [c for c in wanted if c not in rules]
    if unknown:
        near = [c for c in rules if c[0] == unknown[0][:1]]
        raise click.UsageError(f"no rule {unknown[0]}; rules of that letter: "
                               f"{', '.join(near) or 'none'}")
    if form == "json":
        click.echo(json.dumps(rows(wanted), indent=2))
    elif every:
        for group in GROUPS:
            click.echo(styler()(group, bold=True))
            for r in rules.values():
                if r.group == group:
                    click.echo(f"  {r.code}  {r.severity:8}{r.level:11}{r.what}")
    else:
        click.echo("\n".join(_page(rules[c]) for c in wanted))


def _page(r: Rule) -> str:
    style = styler()
    rows = [("what", r.what), ("why", r.why), ("fix", r.fix), ("example", example(r.code)[0]),
            ("level", r.level), ("clause", r.clause)]
    lines = [style(f"{r.code}  {r.severity}  ({r.group})", bold=True)]
    for k, v in rows:
        lines.append(click.formatting.wrap_text(v, 78, f"  {k:8} ", " " * 11))
    return "\n".join(lines) + "\n"
