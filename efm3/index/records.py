# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a search, clusters and duplicates write: rows of a few named values, as a file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice

from efm3.bulk.fields import csv_fields
from efm3.extras import need
from efm3.source import write_atomic
from efm3.texts import dumps

Row = Sequence[str | int | float | None]
Columns = Mapping[str, str]
"""Names of the columns to their types in Parquet; None is allowed in each."""
_ROWS = 4096
_PIECE = 1 << 20


def _csv(columns: Columns, rows: Iterable[Row]) -> Iterator[bytes]:
    lines = chain([list(columns)], rows)
    while some := list(islice(lines, _ROWS)):
        text = "".join(f"{csv_fields(line)}\n" for line in some)
        yield text.encode("utf-8", "backslashreplace")


def _jsonl(columns: Columns, rows: Iterable[Row]) -> Iterator[bytes]:
    for row in rows:
        yield (dumps(dict(zip(columns, row, strict=True))) + "\n").encode()


def _parquet(columns: Columns, rows: Iterable[Row]) -> Iterator[bytes]:
    pa, pq = need("pyarrow", "bulk"), need("pyarrow.parquet", "bulk")
    schema = pa.schema([(name, getattr(pa, kind)()) for name, kind in columns.items()])
    lines = iter(rows)
    with tempfile.TemporaryFile() as file:
        with pq.ParquetWriter(file, schema) as writer:
            while some := list(islice(lines, _ROWS)):
                values = [pa.array(v, f.type)
                          for v, f in zip(zip(*some, strict=True), schema, strict=True)]
                writer.write_table(pa.table(values, schema=schema))
        file.seek(0)
        while data := file.read(_PIECE):
            yield data


FORMS: dict[str, Callable[[Columns, Iterable[Row]], Iterator[bytes]]] = {
    ".csv": _csv, ".jsonl": _jsonl, ".parquet": _parquet}
"""By the end of a file's name, what gives its bytes."""


def form_of(path: str) -> str | None:
    """The form that a file's name says, one of FORMS; None where it says none."""
    end = os.path.splitext(path)[1].lower()
    return end if end in FORMS else None


def write(path: str, columns: Columns, rows: Iterable[Row]) -> None:
    """Write the rows, atomically, in the form that the name says. Raises OSError, ValueError, and
    Efm3Error X002 where Parquet needs pyarrow."""
    if (form := form_of(path)) is None:
        raise ValueError(f"{path}: the name must end in {', '.join(FORMS)}")
    write_atomic(path, FORMS[form](columns, rows))
