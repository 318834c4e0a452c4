# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 layout`: the tensors of an arch, in stored order."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from efm3 import format as fmt
from efm3.cli import json_option
from efm3.cli._arch import arch_of
from efm3.cli._kinds import ARCH
from efm3.network import tensor_layout
from efm3.texts import dumps

if TYPE_CHECKING:
    from efm3.cli._render import Cell


@click.command("layout")
@click.argument("arch", type=ARCH, metavar="ARCH|FILE|JSON")
@json_option
def command(arch: str, as_json: bool) -> None:
    """List what an exporter writes for ARCH (nano, tiny, standard, xs) or the arch of an EFM3
    FILE, or of a mirror's JSON text.

    In stored order: each tensor's shape (C order), its count of float32 values, and the
    offset of its first value, counted from the byte after n_tensors. Each tensor has
    its size in bytes, as a u32, right before its values.

    \b
    efm3 layout nano
    efm3 layout weights.bin --json

    Exit codes: 0 listed, 1 FILE's header holds no arch, 2 usage, 3 unreadable.
    """
    known = arch_of(arch)
    rows, at = [], 0
    for i, (name, shape) in enumerate(tensor_layout(known)):
        n = math.prod(shape)
        rows.append({"number": i, "name": name, "shape": list(shape), "count": n,
                     "size": 4 * n, "offset": at + fmt.COUNT_SIZE})
        at += fmt.COUNT_SIZE + 4 * n
    if as_json:
        click.echo(dumps({"arch": asdict(known), "table_size": at, "tensors": rows},
                              indent=2))
        return
    from efm3.cli import _render

    table: list[list[Cell]] = [[(h, "dim") for h in ("", "tensor", "shape", "bytes", "offset")]]
    for r in rows:
        table.append([(str(r["number"]), "dim"), str(r["name"]),
                      "×".join(map(str, r["shape"])),  # type: ignore[call-overload]
                      f"{r['size']:,}", f"{r['offset']:,}"])
    _render.show(_render.grid(table, "><<>>"))
    _render.show([_render.text((f"{len(rows)} tensors, {at:,} bytes of table", "dim"))])
