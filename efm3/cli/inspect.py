# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 inspect`: what is in a file, broken ones included."""

from __future__ import annotations

import click

from efm3.cli import source
from efm3.cli._kinds import FILE, PLACE, TENSOR
from efm3.inspection import inspect
from efm3.reading import scan_of
from efm3.scan import Scan
from efm3.source import name_of, path_of
from efm3.texts import dumps, printable


@click.command("inspect")
@click.argument("file", required=False, type=FILE)
@click.option("--tensors", metavar="[GLOB]", is_flag=False, flag_value="*", type=TENSOR,
              help="statistics and a histogram of each tensor, or of those that match GLOB")
@click.option("--hex", "part", metavar="[FIELD|RANGE]", is_flag=False, flag_value="", type=PLACE,
              help="annotated bytes of a field, tensor or range (92:120, 0x5c+16)")
@click.option("--json", "as_json", is_flag=True,
              help="everything as JSON (spec/inspect.schema.json)")
@click.pass_context
def command(ctx: click.Context, file: str | None, tensors: str | None, part: str | None,
            as_json: bool) -> None:
    """Show what FILE (- is standard input) holds, as far as it can be read.

    \b
    efm3 inspect weights.bin
    efm3 inspect weights.bin --tensors 'stage3.*.conv.w'
    efm3 inspect weights.bin --hex arch.stages
    efm3 inspect weights.bin --json | jq .card

    Exit codes: 0 shown (a broken file too: its verdict says so), 1 no tensor matches GLOB,
    2 usage, 3 unreadable.
    """
    # `inspect --tensors FILE`: the optional value has swallowed the file.
    if file is None and part:
        file, part = part, ""
    elif file is None and tensors not in (None, "*"):
        file, tensors = tensors, "*"
    if file is None:
        raise click.UsageError("give a FILE", ctx)
    stream = source(file)
    s = scan_of(stream)
    name, path = name_of(stream), path_of(stream)
    try:
        if as_json:
            seen = inspect(s, name, tensors=tensors or "*", part=part or None, fields=True,
                           path=path)
            click.echo(dumps(seen, indent=2, allow_nan=False))
            _matched(s, tensors, len(seen["tensors"]))
            return
        from efm3.cli import _hex, _render

        if part == "":
            part = _hex.default_part(s)
        seen = inspect(s, name, tensors=tensors, part=part, path=path)
        _matched(s, tensors, len(seen["tensors"]))
    except ValueError as e:
        raise click.BadParameter(str(e), ctx, param_hint="--hex") from None
    out = _render.console()
    if part is not None:
        _render.show(_hex.dump(s, seen["bytes"], out.width), out)
    if tensors is not None:
        _render.show(_render.tensors(seen["tensors"], out.width), out)
    if part is None and tensors is None:
        _render.show(_render.everything(seen, out.width), out)


def _matched(s: Scan, glob: str | None, count: int) -> None:
    """Raises ClickException where GLOB names no tensor."""
    if glob in (None, "*") or count:
        return
    from efm3.cli._names import meant

    names = [t.name for t in s.tensors if t.name]
    raise click.ClickException(f"no tensor matches {printable(glob)!r}"
                               + meant(glob.strip("*?"), names))
