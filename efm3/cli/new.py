# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 new`: an untrained file of a given arch."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import click

from efm3.arch import ARCHS, LIMIT_CODES, Arch, Stage, last_side
from efm3.cli import json_option, separate
from efm3.cli._arch import arch_of
from efm3.cli._kinds import ARCH, FILE
from efm3.texts import dumps, printable

FIELDS = tuple(k for k in LIMIT_CODES if k not in ("t", "n", "s"))
"""Header fields that --set takes."""


def _fields(_: click.Context, param: click.Parameter, words: tuple[str, ...]) -> dict[str, int]:
    out: dict[str, int] = {}
    for word in words:
        key, _eq, value = word.partition("=")
        if key not in FIELDS or not value.isdecimal():
            raise click.BadParameter(f"{word!r} is not KEY=NUMBER with KEY one of "
                                     + ", ".join(FIELDS))
        out[key] = int(value)
    return out


def _stages(_: click.Context, param: click.Parameter,
            words: tuple[str, ...]) -> tuple[Stage, ...]:
    for word in words:
        if word.count(",") != 2 or not all(p.isdecimal() for p in word.split(",")):
            raise click.BadParameter(f"{word!r} is not T,N,S as in 2,5,2")
    return tuple(Stage(*map(int, word.split(","))) for word in words)


def _changed(arch: Arch, numbers: dict[str, int], stages: tuple[Stage, ...]) -> Arch:
    """`arch` with these fields; gdc_kernel follows the last feature map unless it is given.

    Raises Efm3Error for a shape that the format does not allow.
    """
    if not numbers and not stages:
        return arch
    new: dict[str, Any] = vars(arch) | numbers | ({"stages": stages} if stages else {})
    # Values that are out of range have no side; Arch names the field at fault.
    if "gdc_kernel" not in numbers and new["stem_stride"] and all(s.s for s in new["stages"]):
        new["gdc_kernel"] = last_side(SimpleNamespace(**new))
    return Arch(**new | {"name": "custom"})


@click.command("new")
@click.argument("arch", type=ARCH, metavar="ARCH|FILE|JSON")
@click.option("-o", "--output", required=True, metavar="OUT", type=FILE, help="where to write")
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), default=1, show_default=True,
              metavar="N",
              help="seed of the weights")
@click.option("--set", "numbers", multiple=True, callback=_fields, metavar="KEY=NUMBER",
              help="change a header field, e.g. stem_stride=1; gdc_kernel follows")
@click.option("--stage", "stages", multiple=True, callback=_stages, metavar="T,N,S",
              help="replace the stages by these, one option each")
@click.option("--name", metavar="NAME",
              help="the network's name (default: the arch's own, custom if changed)")
@click.option("--align/--no-align", default=True, show_default=True,
              help="pad the mirror so that tensors are 4-byte aligned")
@json_option
def command(arch: str, output: str, seed: int, numbers: dict[str, int], stages: tuple[Stage, ...],
            name: str | None, align: bool, as_json: bool) -> None:
    """Write seeded weights for ARCH (nano, tiny, standard, xs), or for the arch of an EFM3
    FILE, or of a mirror's JSON text.

    The same arch and seed give the same bytes on every machine. These weights
    are untrained: they are for conformance and speed, not for recognising people.

    \b
    efm3 new nano -o weights.bin --seed 7
    efm3 new xs -o small.bin --set embedding_dim=128

    Exit codes: 0 written, 1 an arch that is refused, 2 usage, 3 unreadable, or OUT cannot be
    written.
    """
    from efm3 import untrained
    from efm3.source import write_atomic

    if arch not in ARCHS:
        separate([arch], [output])
    network = _changed(arch_of(arch), numbers, stages)
    if name is not None:
        network = replace(network, name=name)
    data = untrained.dumps(network, seed, align=align)
    write_atomic(output, [data])
    digest = hashlib.sha256(data).hexdigest()
    if as_json:
        click.echo(dumps({"file": output, "size": len(data), "sha256": digest, "seed": seed}))
    else:
        click.echo(f"{printable(output)}: {len(data):,} bytes, sha256 {digest}")
