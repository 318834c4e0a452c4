# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 diff`: compare two files, tensor by tensor."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from efm3.cli import json_option, source
from efm3.cli._kinds import FILE
from efm3.cli._names import apart
from efm3.findings import printable
from efm3.reading import scan_of
from efm3.scan import Scan
from efm3.source import Unreadable
from efm3.texts import dumps

if TYPE_CHECKING:
    from rich.text import Text

    from efm3.cli._render import Cell
    from efm3.diffing import Diff

LONGEST = 40
"""Columns of a path, and of a value."""


@click.command("diff")
@click.argument("a", type=FILE)
@click.argument("b", type=FILE)
@click.option("--all", "every", is_flag=True, help="list the identical tensors too")
@json_option
def command(a: str, b: str, every: bool, as_json: bool) -> None:
    """Compare the headers, mirrors and tensors of A and B (one may be -).

    \b
    efm3 diff before.bin after.bin

    Exit codes, as of diff(1): 0 the bytes are the same, 1 they differ, 2 trouble.
    """
    from efm3.diffing import diff

    if a == b == "-":
        raise click.UsageError("standard input can be read only once")
    found = diff(_open(a), _open(b), a, b)
    if as_json:
        click.echo(dumps(found, indent=2, allow_nan=False))
    else:
        from efm3.cli import _render

        _render.show(_lines(found, every))
    sys.exit(0 if found["identical"] else 1)


def _open(file: str) -> Scan:
    try:
        s = scan_of(source(file))
    except Unreadable as e:
        click.echo(f"efm3: {printable(str(e))}", err=True)
        sys.exit(2)
    if not s.whole:
        allowed = f"allows {s.stated:,}" if s.stated else "states no length"
        click.echo(f"efm3: {printable(file)}: {'at least ' * s.more}{s.size:,} bytes, its header "
                   f"{allowed}; see `efm3 validate`", err=True)
        sys.exit(2)
    if s.arch is None and not s.tensors:
        click.echo(f"efm3: {printable(file)}: nothing in it can be compared; see `efm3 validate`",
                   err=True)
        sys.exit(2)
    return s


def _lines(found: Diff, every: bool) -> Iterator[Text]:
    from efm3.cli._render import grid, text

    for title, changes in (("header", found["header"]), ("mirror", found["mirror"])):
        if changes:
            rows: list[list[Cell]] = [[(title, "bold"), ("a", "dim"), ("b", "dim")]]
            paths = apart([_said(c["path"]) for c in changes], LONGEST)
            for path, c in zip(paths, changes, strict=True):
                one, two = apart([_said(c["a"]), _said(c["b"])], LONGEST)
                rows.append([path, (one, "red"), (two, "green")])
            yield from grid(rows, "<<<")
    tensors = found["tensors"]
    shown = [t for t in tensors if every or t["state"] != "identical"]
    if shown:
        rows = [[("tensor", "bold"), *((h, "dim") for h in (
            "differing", "max abs", "max ULP", "cosine", ""))]]
        for t in shown:
            bad = f"{t['non_finite']} with NaN or Inf" if t["non_finite"] else ""
            state = t["state"] if t["state"] not in ("different",) else bad
            values = t["max_abs"] is not None or t["state"] == "different"
            rows.append([t["name"], f"{t['differing']:,}/{t['count']:,}" if values else "",
                         _number(t["max_abs"]),
                         "" if t["max_ulp"] is None else f"{t['max_ulp']:,}",
                         "" if t["cosine"] is None else f"{t['cosine']:.9f}", (state, "yellow")])
        yield from grid(rows, "<>>>><")
    same = sum(t["state"] == "identical" for t in tensors)
    words = ("the files are identical" if found["identical"] else
             f"{same} of {len(tensors)} tensors identical, {len(found['header'])} header fields "
             f"and {len(found['mirror'])} mirror keys differ")
    yield text((words, "bold"))
    if found["elsewhere"]:
        yield text("the bytes differ in the mirror's white space or after the table")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _said(value: Any) -> str:
    """A value of a mirror, but a text as JSON has it; a point where there is none."""
    return "·" if value is None else printable(
        value if isinstance(value, str) else dumps(value, ensure_ascii=False))
