# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 conformance export`: the kit as plain files, or as an archive."""

from __future__ import annotations

from pathlib import Path

import click

from efm3.cli._kinds import CASES
from efm3.cli.conformance._none import none
from efm3.texts import dumps, printable


@click.command("export")
@click.argument("target", metavar="TARGET", type=click.Path(path_type=Path))
@click.option("--select", "words", multiple=True, type=CASES, metavar="WORD", help="as for `run`")
@click.option("--large", is_flag=True, help="the large cases too, of 70 MB each")
@click.option("--json", "as_json", is_flag=True, help="print the index")
def command(target: Path, words: tuple[str, ...], large: bool, as_json: bool) -> None:
    """Write the kit for use without efm3: each case as ID.bin and ID.json with what is expected
    of it, an index with the digest of the set, the texts, and runners in sh and in Python.

    TARGET is a folder, or the name of an archive, which ends in .tar.gz, .tgz or .zip.

    \b
    efm3 conformance export cases
    efm3 conformance export kit.tar.gz

    Exit codes: 0 written, 1 --select names no case, 2 usage, 3 TARGET cannot be written.
    """
    from efm3.conformance import kit
    from efm3.conformance.cases import corpus, select

    chosen = select(corpus(large), words)
    if not chosen:
        none(words)
    packed = target.name.endswith(kit.SUFFIXES) and not target.is_dir()
    if target.exists() and not packed and not target.is_dir():
        raise click.UsageError(f"{target} is a file, and not the name of an archive "
                               f"({', '.join(kit.SUFFIXES)})")
    index = kit.archive(target, chosen) if packed else kit.write(target, chosen)
    click.echo(dumps(index, indent=2) if as_json else
               f"{printable(str(target))}: {index['count']} cases ({index['negative']} negative), "
               f"digest {index['digest']}")
