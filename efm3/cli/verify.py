# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 verify`: the engine against the float64 reference, or both against a source."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

import click

from efm3 import mirror
from efm3.arithmetic import TOLERANCE
from efm3.cli import Finite, json_option, needs_engine, source, styler
from efm3.cli._kinds import FILE, ISA
from efm3.cli._source import source_options
from efm3.findings import printable
from efm3.precision import LEAST, PRECISIONS
from efm3.texts import dumps

if TYPE_CHECKING:
    from efm3.model import Model
    from efm3.verification import Grade, Outcome


@click.command("verify")
@click.argument("file", type=FILE)
@click.option("--isa", type=ISA, default="all", show_default=True,
              help="one instruction set, or all")
@click.option("--against", metavar="SOURCE", type=FILE,
              help="a source in any format of `efm3 convert`, run by its own framework")
@source_options
@click.option("--inputs", metavar="X.npy", type=FILE,
              help="with --against: float32 [N, 3, 112, 112] or uint8 [N, 112, 112, 3]")
@click.option("--tolerance", type=Finite(0), metavar="X", default=TOLERANCE, show_default=True,
              help="largest absolute error of a component")
@click.option("--precision", type=click.Choice((*PRECISIONS, "all")), default="f32",
              show_default=True, help="which of the engine's precisions; docs/precision.md")
@json_option
def command(file: str, isa: str, against: str | None, inputs: str | None, tolerance: float,
            precision: str, as_json: bool, **stated: Any) -> None:
    """Run FILE's network on fixed inputs through the C engine and in numpy (float64).

    Prints the largest error and the smallest cosine; beyond the tolerance also the first
    layer that differs, with a guess at the cause. With --against, numpy and engine are
    compared with the source that FILE was made from. A --precision below f32 is graded by its
    cosines to float64 on drawn pictures, each instruction set for itself: one below what the
    precision promises fails, exit code 1. Those of pictures of one colour and of noise are told,
    and decide nothing.

    \b
    efm3 verify weights.bin
    efm3 verify weights.bin --against model.onnx

    Exit codes: 0 within the tolerance, 1 beyond it or refused, 2 usage, 3 unreadable.
    """
    from efm3 import verification
    from efm3.model import load

    if inputs and not against:
        raise click.UsageError("--inputs needs --against")
    lower = [p for p in LEAST if precision in (p, "all")]
    if against and precision != "f32":
        raise click.UsageError("--against is for f32")
    model = load(source(file), level="structure")
    isas = None if isa == "all" else [isa]
    framework = None
    with needs_engine():
        if against:
            found, framework = _against(model, against, stated, inputs, isas, tolerance)
        else:
            found = verification.verify(model, isas, tolerance) if len(lower) != 1 else []
        graded = verification.grades(model, lower, isas) if lower else []
    ok = all(o.ok for o in found) and all(g.ok for g in graded)
    if as_json:
        value: dict[str, Any] = {"file": file, "ok": ok, "tolerance": tolerance}
        if against:
            value |= {"against": against, "framework": framework}
        value["outcomes"] = [o.to_json() for o in found]
        if graded:
            value["precisions"] = [g.to_json() for g in graded]
        click.echo(dumps(value, indent=2, allow_nan=False))
        sys.exit(not ok)
    style = styler()
    word = "max_err =" if against else "max error"
    for o in found:
        click.echo(f"{_verdict(o.ok)} {o.isa:{9 if against else 10}} {word} {o.max_error:.2e}  "
                   f"cosine {o.min_cosine:.9f}")
        if against and not o.ok and o.max_error <= tolerance:
            click.echo("     its embeddings hardly differ from picture to picture: so small an "
                       "error shows nothing here; give pictures with --inputs")
        if o.stray:
            click.echo(f"     first differing layer: {o.stray.layer}, error "
                       f"{o.stray.max_error:.2e}, budget {o.stray.budget:.2e}; {o.stray.guess}")
    for g in graded:
        _show(g)
    used = mirror.meta_of(model.mirror).get("efm3.source_options")
    if against and not ok and used and not any(stated.values()):
        click.echo(f"     it was converted with {printable(str(used))}: give the same here")
    end = f" against {printable(against)} ({framework})" if against else ""
    click.echo(style(f"{printable(file)}: {'verified' if ok else 'NOT verified'}{end} "
                     f"(tolerance {tolerance:g})", bold=True))
    sys.exit(not ok)


def _verdict(ok: bool) -> str:
    style = styler()
    return style("ok  ", fg="green") if ok else style("FAIL", fg="red", bold=True)


def _show(g: Grade) -> None:
    click.echo(f"{_verdict(g.ok)} {g.isa:10} {g.precision} in {g.arithmetic:4} "
               f"cosine mean {g.mean_cosine:.6f} least {g.min_cosine:.6f}")
    click.echo(f"     max error {g.max_error:.2e}  no faces {g.constant_cosine:.6f}  "
               f"{g.weight_bytes:,} bytes")
    if math.isnan(g.min_cosine):
        click.echo("     embeddings that are not finite: weights that are not, or an overflow")
    elif not g.ok:
        click.echo(f"     below {LEAST[g.precision]:g}: use a better precision for this network")


def _against(model: Model, path: str, stated: dict[str, Any], inputs: str | None,
             isas: list[str] | None, tolerance: float) -> tuple[list[Outcome], str]:
    from efm3 import verification
    from efm3.cli._images import load_inputs
    from efm3.convert import Wanted
    from efm3.convert.formats import read_source
    from efm3.convert.matching import function_of

    wanted = Wanted(model.arch, **stated)
    function = function_of(read_source(path, wanted), wanted)
    x = load_inputs(inputs) if inputs else verification.inputs()
    found = verification.verify_against(model, function, x, isas, tolerance)
    return found, function.name
