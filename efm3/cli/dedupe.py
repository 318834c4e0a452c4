# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 dedupe`: pictures of a table that are (nearly) the same."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from efm3.cli import _tables, json_option, separate
from efm3.cli._kinds import FILE
from efm3.findings import printable
from efm3.texts import dumps

if TYPE_CHECKING:
    from efm3.index.duplicates import Duplicates

COLUMNS = {"keep": "string", "path": "string", "similarity": "float64"}


@click.command("dedupe")
@click.argument("index", type=FILE)
@_tables.more
@_tables.above("pictures are nearly the same where their similarity is above T [default: 0.95]")
@_tables.output("write the copies")
@click.option("-0", "null", is_flag=True, help="only the paths of copies, each ended by a NUL, for "
              "xargs -0; those that are files of their own")
@json_option
@_tables.threads
def command(index: str, further: tuple[str, ...], threshold: float | None, output: str | None,
            null: bool, as_json: bool, threads: int) -> None:
    """List the pictures of INDEX, a table that `efm3 embed -o` wrote, that show nearly the same:
    copies that were scaled or encoded again. Nothing is deleted.

    Of each group the picture with the largest face is kept, where INDEX knows boxes; of equal ones
    the largest file, else the first. Every copy that is listed is itself near the one that is
    kept. Of several faces all must be alike. Only faces are compared: another crop of one
    photograph is a copy, and what stands around the face does not count. Look at the pictures
    before you delete any.

    \b
    efm3 dedupe people.parquet
    efm3 dedupe people.parquet -0 | xargs -0 ls -l

    Exit codes: 0 done, whether there are copies or not; 1 input that is refused; 2 usage; 3
    unreadable.
    """
    if null and as_json:
        raise click.UsageError("-0 and --json both write to standard output: give one of them")
    _tables.check_output(output)
    separate([index, *further], [output])
    from efm3.index import records
    from efm3.index.duplicates import SAME, duplicates
    from efm3.index.library import Library

    limit = SAME if threshold is None else threshold
    with Library((index, *further)) as library:
        found = duplicates(library, limit, threads)
    if output:
        records.write(output, COLUMNS, ((g.keep, c.path, c.similarity) for g in found.groups
                                        for c in g.copies))
    copies = sum(len(g.copies) for g in found.groups)
    if null:
        own = list(_files(found))
        for path in own:
            click.echo(os.fsencode(path) + b"\0", nl=False)
        if copies - len(own):
            click.echo(f"efm3: {_copies(copies - len(own))} not listed: no file is there, or it is "
                       "the one that is kept", err=True)
    elif as_json:
        click.echo(dumps({
            "index": [index, *further], "threshold": limit, "pictures": found.compared,
            "left_out": found.left_out, "copies": copies, "groups": [
                {"keep": g.keep, "copies": [c._asdict() for c in g.copies]}
                for g in found.groups]}))
    elif not output:
        for group in found.groups:
            click.echo(f"keep {printable(group.keep)}")
            for copy in group.copies:
                click.echo(f"  {copy.similarity:7.4f}  {printable(copy.path)}")
    click.echo(f"efm3: {found.compared:,} picture{'s' * (found.compared != 1)} compared, "
               f"{found.left_out:,} left out; {_copies(copies)} of {len(found.groups):,}, with a "
               f"similarity above {limit:g}", err=True)


def _copies(count: int) -> str:
    return f"{count:,} cop{'y' if count == 1 else 'ies'}"


def _files(found: Duplicates) -> Iterator[str]:
    """The copies that are regular files, and not by another name the one that is kept; as paths of
    the system, which may hold bytes that no text can."""
    from efm3.bulk.row import path_of

    for group in found.groups:
        kept = _identity(group.keep)
        for copy in group.copies:
            own = _identity(copy.path)
            # What is kept may be gone: then its copies are all that is left.
            if kept and own and own != kept:
                yield path_of(copy.path)


def _identity(path: str) -> tuple[int, int] | None:
    from efm3.bulk.row import path_of

    try:
        status = os.stat(path_of(path))
    except (OSError, ValueError):
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None
