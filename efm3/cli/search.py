# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 search`: the faces of a table that are most like a face."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING

import click

from efm3.cli import _tables, json_option, needs_engine, separate, source
from efm3.cli._kinds import FILE
from efm3.findings import printable
from efm3.texts import dumps

if TYPE_CHECKING:
    from efm3.bulk.row import Row
    from efm3.index.library import Library
    from efm3.index.search import Answer, Nearest

MOST = 10_000
"""Hits of a query."""
COLUMNS = {"query": "string", "query_face": "int64", "rank": "int64", "similarity": "float64",
           "path": "string", "face": "int64", "row": "int64", "error": "string",
           "reason": "string"}


@click.command("search")
@click.argument("index", type=FILE)
@click.argument("queries", nargs=-1, type=FILE, metavar="[QUERY]...")
@_tables.more
@click.option("--row", "paths", multiple=True, metavar="PATH", help="a picture of INDEX as query, "
              "its path as it stands there; may be repeated")
@click.option("-k", "count", type=click.IntRange(1, MOST), default=10, show_default=True,
              help="hits of a query, at most")
@_tables.above("only hits with a similarity above T")
@click.option("--model", metavar="FILE", type=FILE,
              help="the weight file, for queries that are pictures")
@click.option("--detector", metavar="X.onnx", type=FILE,
              help="the detector's file, where INDEX was made with one")
@click.option("--approximate", is_flag=True, help="by the file INDEX.usearch, which is built where "
              "it is not there: faster, and may miss hits")
@_tables.output("write the hits")
@json_option
@_tables.threads
@click.pass_context
def command(ctx: click.Context, index: str, queries: tuple[str, ...], further: tuple[str, ...],
            paths: tuple[str, ...], count: int, threshold: float | None, model: str | None,
            detector: str | None, approximate: bool, output: str | None, as_json: bool,
            threads: int) -> None:
    """Find in INDEX, a table that `efm3 embed -o` wrote, the faces most like each QUERY.

    A QUERY is a picture, a folder, a pattern or an archive of pictures, which needs --model, or
    another table: each of its rows. Pictures are embedded as those of INDEX were, aligned or not.
    All tables and the weight file must be of one model. The similarity is the cosine, and the
    search is exact: it compares with every row; equal ones are in the table's order.

    \b
    efm3 search people.parquet who.jpg --model weights.bin -k 3

    Exit codes: 0 done; 1 no query has an embedding or a hit, input that is refused or a library
    that is missing; 2 usage; 3 unreadable.
    """
    if not queries and not paths:
        raise click.UsageError("give a QUERY, or --row PATH")
    if approximate and further:
        raise click.UsageError("--approximate is for one table: put all rows into one")
    _tables.check_output(output)
    separate([index, *further, *queries, model, detector], [output])
    from efm3.index import records
    from efm3.index.library import Library
    from efm3.index.search import is_table, search

    if model is None and not all(is_table(q) for q in queries):
        raise click.UsageError("a picture as QUERY needs --model FILE, the weight file that INDEX "
                               "was made with")

    with Library((index, *further)) as library, needs_engine():
        nearest = _approximate(library, threads) if approximate else None
        own = [_own(library, path, count, threshold, threads, nearest) for path in paths]
        answers = _Counted(chain(*own, search(
            library, _rows(library, queries, model, detector, threads), count, threshold,
            threads=threads, nearest=nearest)))
        if output:
            records.write(output, COLUMNS, _lines(answers))
        if as_json:
            _json(library, [index, *further], answers if not output else ())
        elif not output:
            for answer in answers:
                _tell(answer)
    if not answers.good:
        click.echo("efm3: no query has an embedding", err=True)
        ctx.exit(1)
    if not answers.hits:
        click.echo("efm3: nothing is similar enough", err=True)
        ctx.exit(1)


class _Counted:
    """Answers as they pass, how many queries had an embedding, and how many hits they have."""

    def __init__(self, answers: Iterable[Answer]) -> None:
        self._answers = answers
        self.good = self.hits = 0

    def __iter__(self) -> Iterator[Answer]:
        for answer in self._answers:
            self.good += answer.error is None
            self.hits += len(answer.hits)
            yield answer


def _approximate(library: Library, threads: int) -> Nearest:
    from efm3.index.approximate import Approximate

    found = Approximate(library, threads)
    click.echo(f"efm3: approximate: {found.recall:.1%} of the true {found.of} nearest were found "
               f"for {found.tried} rows of the table", err=True)
    return found


def _own(library: Library, path: str, count: int, threshold: float | None, threads: int,
         nearest: Nearest | None) -> Iterator[Answer]:
    """The answers for a picture of the library; it is none itself."""
    from efm3.index.search import of_row, search

    rows, leave_out = of_row(library, path)
    return search(library, rows, count, threshold, threads=threads, nearest=nearest,
                  leave_out=leave_out.tolist())


def _rows(library: Library, queries: tuple[str, ...], model: str | None, detector: str | None,
          threads: int) -> Iterator[Row]:
    """What is asked for, in the order of the command; pictures side by side are one run."""
    from efm3.bulk.inputs import Inputs
    from efm3.index.search import is_table, of_pictures, of_table

    pictures: list[str] = []

    def run() -> Iterator[Row]:
        if pictures and model is not None:
            yield from of_pictures(library, Inputs(list(pictures)), source(model), detector,
                                   threads)
            pictures.clear()

    for query in queries:
        if is_table(query):
            yield from run()
            yield from of_table(library, query)
        else:
            pictures.append(query)
    yield from run()


def _lines(answers: Iterable[Answer]) -> Iterator[tuple[str | int | float | None, ...]]:
    """A row a hit; one without a hit for a query that has none."""
    for a in answers:
        for rank, hit in enumerate(a.hits, 1):
            yield (a.path, a.face, rank, hit.similarity, hit.path, hit.face, hit.row, None, None)
        if not a.hits:
            yield (a.path, a.face, None, None, None, None, None, a.error, a.reason)


def _json(library: Library, index: list[str], answers: Iterable[Answer]) -> None:
    """One object, written answer by answer."""
    waiting = iter(answers)
    first = list(islice(waiting, 1))  # what is refused is refused before anything is written
    head = {"index": index, "model": library.model, "rows": library.count}
    click.echo(dumps(head)[:-1] + ', "queries": [', nl=False)
    for number, a in enumerate(chain(first, waiting)):
        value = {"query": a.path, "face": a.face, "error": a.error, "reason": a.reason,
                 "hits": [hit._asdict() for hit in a.hits]}
        click.echo((", " if number else "") + dumps(value), nl=False)
    click.echo("]}")


def _tell(answer: Answer) -> None:
    """The query, and a line a hit."""
    face = f", face {answer.face}" if answer.face else ""
    if answer.error is not None:
        said = printable(f"{answer.error} {answer.path}: {answer.reason or ''}")
        click.echo(f"efm3: {said}", err=True)
        return
    click.echo(printable(answer.path) + face + ("" if answer.hits else ": nothing"))
    for hit in answer.hits:
        click.echo(f"  {hit.similarity:7.4f}  {printable(hit.path)}"
                   + (f", face {hit.face}" if hit.face else ""))
