# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 convert`: checkpoints, ONNX and other formats to EFM3, and back."""

from __future__ import annotations

import json
from typing import Any

import click

from efm3.arithmetic import TOLERANCE
from efm3.cli import Finite
from efm3.cli._arch import arch_of
from efm3.cli._kinds import ARCH, FILE
from efm3.cli._source import source_options
from efm3.convert import FORMATS, Wanted
from efm3.findings import printable
from efm3.texts import dumps

READS = [f.name for f in FORMATS.values() if f.reads]
WRITES = [f.name for f in FORMATS.values() if f.writes]
TABLE = "\n".join(["\b", *(
    f"{f.name:12} {' '.join(f.suffixes):12} "
    + " and ".join(w for w, can in (("in", f.reads), ("out", f.writes)) if can)
    + (f"; out needs the extra {f.extra}" if f.extra else "") for f in FORMATS.values())])


TENSORS = ("whoever runs these tensors must turn each picture by 180 degrees before; efm3 does it, "
           "by EFM3's metadata in the file")
KEPT = ("each picture is turned by 180 degrees before the network runs; meta says so, and the "
        "engine does it")
UPRIGHT = "the network took its picture turned by 180 degrees; this file takes it upright"
TURNED = {"bin": KEPT, "c_array": KEPT, "onnx": UPRIGHT, "ncnn": UPRIGHT}
"""What is said of a turned network, by the format that is written."""


def _meta(_: click.Context, param: click.Parameter, words: tuple[str, ...]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for word in words:
        key, eq, value = word.partition("=")
        if not eq or not key:
            raise click.BadParameter(f"{word!r} is not KEY=VALUE")
        # `trained` and `seed` are not texts: true, false and integers are parsed.
        number = value.lstrip("-").isdecimal() and len(value) < 20 and str(int(value)) == value
        out[key] = json.loads(value) if number or value in ("true", "false") else value
    return out


@click.command("convert",
               epilog=TABLE)
@click.argument("source", metavar="IN", type=FILE)
@click.argument("target", metavar="OUT", type=FILE)
@click.option("--arch", "word", default="auto", show_default=True, type=ARCH,
              metavar="NAME|FILE|auto",
              help="what the network must be: a published size, an EFM3 file, a mirror's JSON")
@click.option("--name", metavar="NAME",
              help="the network's name (default: the size's own, or custom)")
@click.option("--meta", multiple=True, callback=_meta, metavar="KEY=VALUE",
              help="set a key of the mirror's meta, e.g. licence=Apache-2.0")
@click.option("--from", "from_format", type=click.Choice(READS),
              help="IN's format (default: by its bytes)")
@click.option("--to", "to_format", type=click.Choice(WRITES),
              help="OUT's format (default: by its suffix)")
@click.option("--fold/--no-fold", default=False, show_default=True,
              help="fold BatchNorm into the convolutions (ONNX, ncnn out)")
@source_options
@click.option("--strict", is_flag=True, help="refuse what has to be assumed, rounded or dropped")
@click.option("--verify/--no-verify", default=True, show_default=True,
              help="compare OUT with IN on fixed inputs before it is written")
@click.option("--tolerance", type=Finite(0), metavar="X", default=TOLERANCE, show_default=True,
              help="largest absolute error of a component")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text",
              show_default=True, help="of what is said on standard output")
def command(source: str, target: str, word: str, name: str | None, meta: dict[str, Any],
            from_format: str | None, to_format: str | None, fold: bool, strict: bool, verify: bool,
            tolerance: float, form: str, **stated: Any) -> None:
    """Convert a MobileFaceNet from IN to OUT: IN's bytes, OUT's suffix determine the formats.

    A source's layers are matched by structure and shape, whatever their names. OUT is read
    back and compared with IN; it is written atomically, and only if correct.

    \b
    efm3 convert model.onnx weights.bin
    efm3 convert weights.bin model.onnx

    Exit codes: 0 converted, 1 refused or OUT would be wrong, 2 usage, 3 unreadable.
    """
    from efm3.convert.checked import convert

    wanted = Wanted(None if word == "auto" else arch_of(word), **stated)
    done = convert(source, target, wanted=wanted, name=name, meta=meta, from_format=from_format,
                   to_format=to_format, fold=fold, strict=strict, verify=verify,
                   tolerance=tolerance)
    if form == "json":
        click.echo(dumps(done.to_json(), indent=2))
        return
    a = done.arch
    stages = " ".join(f"({s.t},{s.n},{s.s})" for s in a.stages)
    names = " and ".join(filter(None, (target, done.beside)))
    click.echo(f"{printable(names)}: {done.to_format}, {done.size:,} bytes")
    click.echo(f"  {printable(a.name)}: {a.stem_channels}/{a.block_channels}/{a.final_channels} "
               f"channels, stages {stages}, embedding {a.embedding_dim}")
    if done.turned:
        click.echo(f"  turned: {TURNED.get(done.to_format, TENSORS)}")
    for note in done.assumed:
        click.echo(f"  assumed: {printable(note)}", err=True)
    if done.check is None:
        click.echo("  not verified")
        return
    if not done.check.verified and done.check.max_error == 0:
        click.echo("  read back: every tensor is the same; not verified, as nothing else ran IN")
        return
    if not done.check.verified:
        click.echo("  not verified: IN gives nearly one embedding for every picture, so that the "
                   f"error {done.check.max_error:.2e} shows nothing")
        return
    under = ", if what is assumed holds" if done.assumed else ""
    click.echo(f"  verified{under}: {done.check.result} against {done.check.source}, max_err = "
               f"{done.check.max_error:.2e}  cosine {done.check.min_cosine:.9f}")
