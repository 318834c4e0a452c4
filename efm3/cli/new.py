# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 new`: an untrained file of a given arch."""

from __future__ import annotations

import hashlib
import json

import click

import efm3
from efm3.cli._arch import arch_of


@click.command("new", short_help="write an untrained file of a given arch")
@click.argument("arch", metavar="ARCH|FILE|JSON")
@click.option("-o", "--output", required=True, metavar="FILE", help="where to write")
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), default=1, show_default=True)
@click.option("--name", help="the network's name (default: the arch's own)")
@click.option("--align/--no-align", default=True, show_default=True,
              help="pad the mirror so that tensors are 4-byte aligned")
@click.option("--json", "as_json", is_flag=True)
def command(arch: str, output: str, seed: int, name: str | None, align: bool,
            as_json: bool) -> None:
    """Write seeded weights for ARCH (nano, tiny, standard, xs), or for the arch of an EFM3
    FILE, or of a mirror's JSON text.

    The same arch and seed give the same bytes on every machine. Nobody trained these
    weights: they are for conformance and speed, not for recognising people.
    """
    from efm3 import synthesis

    network = arch_of(arch)
    data = synthesis.dumps(network if name is None else efm3.Arch(**vars(network) | {"name": name}),
                           seed, align=align)
    from efm3.source import write_atomic

    write_atomic(output, [data])
    digest = hashlib.sha256(data).hexdigest()
    if as_json:
        click.echo(json.dumps({"file": output, "size": len(data), "sha256": digest, "seed": seed}))
    else:
        click.echo(f"{output}: {len(data):,} bytes, sha256 {digest}")
