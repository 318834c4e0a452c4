# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Faces like a face: queries out of pictures, tables and rows, and what a library has near."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import numpy as np

from efm3.arrays import Floats, Indices
from efm3.bulk.row import Row
from efm3.bulk.tables import FORMS, MANIFEST, open_table
from efm3.findings import refuse, shown
from efm3.index.library import Library
from efm3.index.top import BATCH, NONE, Hits, top
from efm3.pictures import ALIGN
from efm3.precision import PRECISIONS
from efm3.source import Source, name_of

if TYPE_CHECKING:
    from efm3.bulk.inputs import Inputs

UNALIGNED = ("the table was made without --align: give an aligned crop (`efm3 faces PHOTO -o DIR` "
             "cuts it out), or embed the table's photographs anew with --align")
"""What to do with a query that is no aligned face, where the table's pictures are."""
Nearest = Callable[[Floats, int, float | None], Hits]
"""Queries, k and a threshold to the rows that are nearest."""


class Hit(NamedTuple):
    """A row of the library, the picture and the face that it is of, and its cosine."""

    row: int
    path: str
    face: int
    similarity: float


class Answer(NamedTuple):
    """What is near a query, the nearest first; `error` and `reason` where there is no query."""

    path: str
    face: int
    hits: tuple[Hit, ...]
    error: str | None = None
    reason: str | None = None


def search(library: Library, queries: Iterable[Row], k: int = 10, threshold: float | None = None,
           *, threads: int = 1, nearest: Nearest | None = None, leave_out: Sequence[int] = ()) \
        -> Iterator[Answer]:
    """Each query's `k` nearest rows, or those of them that are above `threshold`, in order.

    A query is a row with an embedding (`of_pictures`, `of_table`, `of_row`); one without gives
    its error back. Rows of `leave_out` are no answers. Exact, but by `nearest` where that is
    given. Raises what reading the tables raises.
    """
    vectors = None if nearest else library.vectors()
    left, more = set(leave_out), k + len(leave_out)
    waiting = iter(queries)
    while batch := list(islice(waiting, BATCH)):
        good = [q.embedding for q in batch if q.embedding is not None]
        if good and vectors:
            found = top(np.stack(good), vectors, more, threshold, threads)
        elif good and nearest:
            found = nearest(np.stack(good), more, threshold)
        else:
            found = Hits(np.empty((0, 0), np.int64), np.empty((0, 0)))
        yield from _answers(library, batch, found, left, k)


def _answers(library: Library, batch: list[Row], found: Hits, left: set[int], k: int) \
        -> Iterator[Answer]:
    names = library.names(found.rows[found.rows != NONE])
    lines = zip(found.rows.tolist(), found.similarity.tolist(), strict=True)
    for query in batch:
        if query.embedding is None:
            yield Answer(query.path, query.face, (), query.error, query.reason)
            continue
        rows, cosines = next(lines)
        hits = (Hit(row, *names[row], cosine) for row, cosine in zip(rows, cosines, strict=True)
                if row != NONE and row not in left)
        yield Answer(query.path, query.face, tuple(islice(hits, k)))


def is_table(path: str) -> bool:
    """True where a path is a table, not pictures: a file of a table's form, or a folder of parts.
    An array of a picture has no list of rows beside it."""
    if os.path.isdir(path):
        return os.path.isfile(os.path.join(path, MANIFEST))
    end = os.path.splitext(path)[1].lower()
    return end in FORMS and (end != ".npy" or os.path.isfile(f"{path}.rows.csv"))


def of_table(library: Library, path: str) -> Iterator[Row]:
    """The rows of another table. Raises Efm3Error B020 where it is of another model."""
    with open_table(path) as table:
        library.same(table.model, table.dim, path)
        names = ("path", "face", "embedding", "error", "reason")
        for found in table.columns(names, BATCH):
            for name, face, vector, error, reason in zip(*(found[n] for n in names), strict=True):
                good = error is None and bool(np.isfinite(vector).all())
                yield Row(name, int(face), vector if good else None,
                          error=None if good else error or "F008", reason=reason)


def of_row(library: Library, path: str) -> tuple[list[Row], Indices]:
    """The faces of a picture in the library, and its rows. Raises Efm3Error B022."""
    rows, vectors = library.named(path)
    names = library.names(np.array(rows))
    return [Row(path, names[row].face, vector) for row, vector in zip(rows, vectors, strict=True)
            ], np.array(rows)


def of_pictures(library: Library, pictures: Inputs, model: Source, detector: str | None = None,
                threads: int = 1) -> Iterator[Row]:
    """Pictures embedded as the library's were: its options say how.

    `detector` is the file of one that is not packaged. Raises Efm3Error B020 where `model` is not
    the library's, B025 where the pictures cannot be treated alike, and what `Run` raises.
    """
    from efm3.bulk.rows import Plan
    from efm3.bulk.run import Run

    plan = Plan(*_options(library, detector), threads=threads, precision=_precision(library))
    with Run(model, plan) as run:
        library.same(run.job.model, run.job.dim, name_of(model))
        for table in library.tables:
            _alike(run.job.options, table.options, table.path)
        for made in run.rows(pictures.pictures()):
            yield from made.rows if plan.align or plan.resize else map(_hinted, made.rows)


def _hinted(row: Row) -> Row:
    """What to do with a picture of another size: a query is treated as the table's pictures are,
    so that embed's advice is none here."""
    return row._replace(reason=row.reason.replace(ALIGN, UNALIGNED)) if row.reason else row


def _options(library: Library, detector: str | None) -> tuple[bool, Any, str, bool]:
    """The fields of a plan, out of a table that may be anybody's."""
    from efm3.photos import Which

    one = library.tables[0]
    align, face, stated, resize = (one.options.get(k)
                                   for k in ("align", "face", "detector", "resize"))
    name = stated.get("name") if isinstance(stated, dict) else None
    if not (isinstance(align, bool) and isinstance(resize, bool) and not (align and resize)
            and (not align or (face in get_args(Which) and isinstance(name, str)))):
        refuse("B025", f"its options do not say how its pictures were treated: "
                       f"{shown(one.options)}", one.path)
    if not align:
        return False, "one", "centerface", resize
    if isinstance(stated, dict) and "sha256" in stated and detector is None:
        refuse("B025", f"its faces were found by the detector {shown(name)}, which is a file: give "
                       "it with --detector", one.path, "no detector", str(name))
    # A file is opened only where the user names it.
    return True, face, detector or os.path.basename(str(name)), False


def _precision(library: Library) -> str:
    """The first table's; vectors of other precisions may be compared with it."""
    stated = library.tables[0].options.get("precision", PRECISIONS[0])
    if stated not in PRECISIONS:
        refuse("B025", f"its options state the precision {shown(stated)}", library.tables[0].path,
               shown(stated), ", ".join(PRECISIONS))
    return str(stated)


def _alike(now: dict[str, Any], there: dict[str, Any], place: str) -> None:
    differ = [f"{k} {shown(there.get(k))}, here {shown(now.get(k))}"
              for k in sorted({*now, *there} - {"precision"}) if now.get(k) != there.get(k)]
    if differ:
        refuse("B025", f"its pictures were treated otherwise: {'; '.join(differ)}", place)
