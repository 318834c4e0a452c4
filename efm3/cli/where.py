# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 where`: byte to field and tensor, and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from efm3.cli import json_option, source
from efm3.cli._kinds import FILE, PLACE
from efm3.places import describe, find
from efm3.reading import scan_of
from efm3.texts import dumps

if TYPE_CHECKING:
    from efm3.cli._render import Cell


@click.command("where")
@click.argument("file", type=FILE)
@click.argument("place", type=PLACE, metavar="OFFSET|FIELD|TENSOR[I,J,...]")
@json_option
def command(file: str, place: str, as_json: bool) -> None:
    """Say what is at a byte of FILE, or at which bytes a field or weight is.

    \b
    efm3 where weights.bin 4096
    efm3 where weights.bin 'stem.conv.w[3,1,0,2]'
    efm3 where weights.bin 'arch.stages[2].t'

    Exit codes: 0 found, 2 no such place (or usage), 3 unreadable.
    """
    s = scan_of(source(file))
    try:
        offset, length = find(s, place)
        found = describe(s, offset) | {"asked": {"offset": offset, "length": length}}
    except ValueError as e:
        raise click.BadParameter(str(e), param_hint="PLACE") from None
    if as_json:
        click.echo(dumps(found, indent=2, allow_nan=False))
        return
    from efm3.cli import _render

    _render.show(_render.grid(_rows(found, s.size), "<<"))


def _rows(found: dict[str, Any], size: int) -> Iterator[list[Cell]]:
    offset, length = found["asked"]["offset"], found["asked"]["length"]
    many = f" + {length:,} = up to byte {offset + length - 1:,}" if length > 1 else ""
    yield [("byte", "dim"), (f"{offset:,}", "bold")]
    yield ["", (f"{offset:#x}{many} of {size:,}", "dim")]
    yield [("field", "dim"), (found["field"], "bold")]
    yield ["", (f"{found['doc']}; {found['length']:,} bytes from {found['start']:,}", "dim")]
    if found["tensor"]:
        yield [("tensor", "dim"), f"{found['tensor']}  {'×'.join(map(str, found['shape']))}"]
    if found["index"] is not None:
        part = f"  (byte {found['byte']} of its four)" if length == 1 else ""
        yield [("value", "dim"), f"[{','.join(map(str, found['index']))}] = {found['value']}{part}"]
    elif found["value"] is not None:
        yield [("value", "dim"), str(found["value"])]
    x = found["layer"]
    if x:
        kernel = f", {x['kernel']}×{x['kernel']} stride {x['stride']}" if x["kernel"] > 1 else ""
        yield [("layer", "dim"), f"{x['name']}: {x['kind']} {x['in_channels']} → "
               f"{x['out_channels']}{kernel}, map {x['in_side']} → {x['out_side']}"]
