# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 cluster`: the faces of a table sorted by person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from efm3.cli import _tables, json_option, separate
from efm3.cli._kinds import FILE
from efm3.findings import printable
from efm3.texts import dumps

if TYPE_CHECKING:
    from efm3.index.clusters import Clusters, Linkage
    from efm3.index.library import Library

COLUMNS = {"path": "string", "face": "int64", "cluster": "int64", "similarity": "float64",
           "error": "string"}
MOST_TOLD = 20


@click.command("cluster")
@click.argument("index", type=FILE)
@_tables.more
@_tables.above("what must be above T for one person (default: what the model's meta states)")
@click.option("--model", metavar="FILE", type=FILE,
              help="the weight file, whose meta states the threshold")
@click.option("--linkage", type=click.Choice(("complete", "average")), default="complete",
              show_default=True, help="complete: the similarity of each pair of a cluster is above "
              "T; average: the mean over the two halves that were joined last")
@_tables.output("write a row for each of INDEX: path, face, cluster, similarity to its "
                "centre; error where it has no embedding")
@click.option("--sheet", metavar="X.html", type=FILE, help="write a page that shows the "
              "clusters, of pictures that are still there")
@json_option
@_tables.threads
def command(index: str, further: tuple[str, ...], threshold: float | None, model: str | None,
            linkage: Linkage, output: str | None, sheet: str | None, as_json: bool,
            threads: int) -> None:
    """Sort the faces of INDEX, a table that `efm3 embed -o` wrote, into clusters: a person each, as
    far as the model can tell. Needs SciPy, the extra `cluster`.

    Cluster 0 is the largest; a face that is like no other is in none, -1; a row without an
    embedding has an error in place of a cluster. The threshold is
    --threshold, else the one that the weight file's meta states (--model), else the table's,
    else 0.3; the result says which. A higher one gives smaller and purer clusters. Many pairs
    of different people become a few wrong pairs sooner or later: look at the sheet.

    \b
    efm3 cluster people.parquet --sheet people.html

    Exit codes: 0 done; 1 input that is refused or a library that is missing; 2 usage; 3
    unreadable.
    """
    _tables.check_output(output)
    separate([index, *further, model], [output, sheet])
    if sheet and not sheet.lower().endswith((".html", ".htm")):
        raise click.UsageError(f"{printable(sheet)}: the name must end in .html")
    from efm3.index import records
    from efm3.index.clusters import clusters
    from efm3.index.library import Library
    from efm3.index.vectors import settled

    with Library((index, *further)) as library:
        limit = _tables.threshold_of(library, threshold, model)
        found = clusters(settled(library.vectors()), limit.value, linkage, threads)
        if output:
            records.write(output, COLUMNS, _lines(library, found))
        if sheet:
            from efm3.index.sheet import page
            from efm3.source import write_atomic

            write_atomic(sheet, page(library, found, f"{limit.value:g}, {limit.words}"))
        sizes = found.sizes.tolist()
        if as_json:
            click.echo(dumps({
                "index": [index, *further], "model": library.model, "rows": library.count,
                "threshold": limit.value, "threshold_from": limit.origin, "linkage": linkage,
                "clusters": len(sizes), "alone": found.alone,
                "without_embedding": found.missing, "sizes": sizes}))
            return
    click.echo(f"{len(sizes):,} cluster{'s' * (len(sizes) != 1)} of {sum(sizes):,} faces; "
               f"{found.alone:,} face{'s' * (found.alone != 1)} like no other; "
               + f"{found.missing:,} row{'s' * (found.missing != 1)} without an embedding; "
               * bool(found.missing) +
               f"threshold {limit.value:.4g}, {limit.words}")
    for number, size in enumerate(sizes[:MOST_TOLD]):
        click.echo(f"  cluster {number}: {size:,} faces")
    if len(sizes) > MOST_TOLD:
        click.echo(f"  ... {len(sizes) - MOST_TOLD:,} more, of {sizes[MOST_TOLD]:,} faces or fewer")


def _lines(library: Library, found: Clusters) -> Iterator[tuple[str | int | float | None, ...]]:
    """A row for each of the table's, in its order."""
    from efm3.index.clusters import MISSING

    for at, block in library.columns("path", "face", "error"):
        here = slice(at, at + len(block["path"]))
        for path, face, error, cluster, cosine in zip(
                block["path"], block["face"].tolist(), block["error"],
                found.cluster[here].tolist(), found.similarity[here].tolist(), strict=True):
            if cluster == MISSING:
                yield path, face, None, None, error or "F008"  # a stranger's row of zeros
            else:
                yield path, face, cluster, cosine if cluster >= 0 else None, None
