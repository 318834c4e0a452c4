# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 conformance export`: the cases as plain files."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("export")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--select", "words", multiple=True, metavar="WORD", help="as for `run`")
@click.option("--json", "as_json", is_flag=True, help="print the index")
def command(folder: Path, words: tuple[str, ...], as_json: bool) -> None:
    """Write each case as ID.bin and ID.json below DIR (reader, writer, editor, engine), with
    an index.json that holds the digest of the set.

    Exit codes: 0 written, 2 usage, 3 DIR cannot be written.
    """
    from efm3.conformance.cases import corpus, select
    from efm3.conformance.export import export

    chosen = select(corpus(), words)
    if not chosen:
        raise click.UsageError(f"--select {' '.join(words)} names no case")
    index = export(folder, chosen)
    click.echo(json.dumps(index, indent=2) if as_json else
               f"{folder}: {index['count']} cases ({index['negative']} negative), "
               f"digest {index['digest']}")
