# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 help`: what `VERB --help` prints."""

from __future__ import annotations

import click

from efm3.cli._kinds import VERB


@click.command("help")
@click.argument("words", nargs=-1, type=VERB, metavar="[VERB]...")
@click.pass_context
def command(ctx: click.Context, words: tuple[str, ...]) -> None:
    """Print the help of a VERB, as `efm3 VERB --help` does; without one, of efm3.

    \b
    efm3 help inspect
    efm3 help conformance run

    Exit codes: 0 printed, 2 no such verb.
    """
    at = ctx.find_root()
    for word in words:
        if not isinstance(at.command, click.Group):
            raise click.UsageError(f"`{at.command_path}` has no verbs of its own", ctx)
        name, found, _ = at.command.resolve_command(at, [word])
        if found is not None:
            at = click.Context(found, at, name, **found.context_settings)
    click.echo(at.get_help())
