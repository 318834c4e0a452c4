# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 verify`: the engine against the float64 reference, on every instruction set."""

from __future__ import annotations

import json
import sys

import click

from efm3.cli import needs_engine, source, styler


@click.command("verify", short_help="check the engine against the reference")
@click.argument("file")
@click.option("--isa", default="all", show_default=True, help="one instruction set, or all")
@click.option("--tolerance", type=click.FloatRange(0), default=1e-5, show_default=True,
              help="greatest absolute error of a component")
@click.option("--json", "as_json", is_flag=True)
def command(file: str, isa: str, tolerance: float, as_json: bool) -> None:
    """Run FILE's network on fixed inputs through the C engine and in numpy (float64).

    Prints the greatest error and the least cosine; beyond the tolerance also the first
    layer that goes astray, with a guess at the cause.
    Exit codes: 0 within the tolerance, 1 beyond it or refused, 2 usage, 3 unreadable.
    """
    from efm3 import verification
    from efm3.model import load

    with needs_engine():
        found = verification.verify(load(source(file), level="structure"),
                                    None if isa == "all" else [isa], tolerance)
    ok = all(o.ok for o in found)
    if as_json:
        click.echo(json.dumps({"file": file, "ok": ok, "tolerance": tolerance,
                               "outcomes": [o.to_json() for o in found]}, indent=2))
        sys.exit(not ok)
    style = styler()
    for o in found:
        word = style("ok  ", fg="green") if o.ok else style("FAIL", fg="red", bold=True)
        click.echo(f"{word} {o.isa:8} max error {o.max_error:.2e}  cosine {o.min_cosine:.9f}")
        if o.stray:
            click.echo(f"     first astray: {o.stray.layer}, error {o.stray.max_error:.2e}, "
                       f"budget {o.stray.budget:.2e}; {o.stray.guess}")
    click.echo(style(f"{file}: {'verified' if ok else 'NOT verified'} (tolerance {tolerance:g})",
                     bold=True))
    sys.exit(not ok)
