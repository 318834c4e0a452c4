# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Tables of embeddings of one model, opened together: their rows are numbered through."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from efm3.arrays import Floats, Indices
from efm3.bulk.tables import Table, open_table
from efm3.engine import Threshold
from efm3.findings import printable, refuse
from efm3.index.vectors import Held, Joined, Stored, Streamed, Vectors

MAPPED = (".npz", ".npy")
"""Forms whose matrix lies in the file as it is."""


class Name(NamedTuple):
    """What a row is of: the picture, and which of its faces."""

    path: str
    face: int


class Library:
    """Opened tables; a context manager, which closes them. `count` is all their rows."""

    def __init__(self, paths: Sequence[str]) -> None:
        """Raises Efm3Error as `open_table`, B020 for tables of different models, B021 for tables
        without an embedding."""
        self.tables: list[Table] = []
        try:
            for path in paths:
                self.tables.append(open_table(path))
                self.same(self.tables[-1].model, self.tables[-1].dim, path)
            self.count = sum(t.count for t in self.tables)
            if not sum(t.manifest.counts.faces for t in self.tables):
                refuse("B021", f"{self.count} rows, and none has an embedding", paths[0])
        except BaseException:
            self.close()
            raise

    @property
    def model(self) -> str:
        """The SHA-256 of the model's tensor table, hex."""
        return self.tables[0].model

    @property
    def dim(self) -> int:
        """The length of an embedding."""
        return self.tables[0].dim

    def same(self, model: str, dim: int, place: str) -> None:
        """Refuse embeddings of another model than the first table's: B020."""
        one = self.tables[0]
        if (model, dim) != (one.model, one.dim):
            refuse("B020", f"embeddings of another model than those of {printable(one.path)}: "
                           f"{model[:12]}, {dim} numbers, not {one.model[:12]}, {one.dim}; "
                           "embeddings of two models cannot be compared", place,
                   f"{model}, {dim}", f"{one.model}, {one.dim}")

    def vectors(self) -> Vectors:
        """The embeddings of all rows."""
        return Joined([_vectors(t) for t in self.tables]) if len(self.tables) > 1 else \
            _vectors(self.tables[0])

    def columns(self, *names: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """Columns of all rows, block after block, behind the number of a block's first row."""
        at = 0
        for table in self.tables:
            for found in table.columns(names):
                yield at, found
                at += len(found[names[0]])

    def names(self, rows: Indices) -> dict[int, Name]:
        """The pictures of these rows."""
        wanted = np.unique(rows)
        out: dict[int, Name] = {}
        for at, found in self.columns("path", "face"):
            low, high = np.searchsorted(wanted, (at, at + len(found["path"])))
            for row in wanted[low:high].tolist():
                out[row] = Name(found["path"][row - at], int(found["face"][row - at]))
            if high == len(wanted):
                break
        return out

    def named(self, path: str) -> tuple[list[int], Floats]:
        """The rows of a picture, and their embeddings. Raises Efm3Error B022 where it has none."""
        rows: list[int] = []
        parts: list[Floats] = []
        why: list[str] = []
        for at, found in self.columns("path", "embedding", "error", "reason"):
            own = [i for i, p in enumerate(found["path"]) if p == path]
            mine = [i for i in own if np.isfinite(found["embedding"][i]).all()]
            rows += [at + i for i in mine]
            parts += [found["embedding"][mine]] * bool(mine)
            why += [f"{found['error'][i] or 'F008'} {found['reason'][i] or ''}".rstrip()
                    for i in own if i not in mine]
        if not rows and why:
            refuse("B022", f"the row of {printable(path)} has no embedding: {printable(why[0])}",
                   path, why[0])
        if not rows:
            refuse("B022", f"no row with an embedding has the path {printable(path)}; it must be "
                           "written as in the table", path)
        return rows, np.concatenate(parts)

    def stated_threshold(self) -> Threshold | None:
        """Above what the model takes two faces for one person, as the first table states it."""
        extra = self.tables[0].manifest.extra
        found = extra.get("threshold")
        if isinstance(found, bool) or not isinstance(found, (int, float)) or not -1 <= found <= 1:
            return None
        if extra.get("threshold_from") == "rule_of_thumb":
            return Threshold(float(found), "rule_of_thumb", "the rule of thumb for one person; the "
                             "table's weight file stated none")
        return Threshold(float(found), "table", "the threshold for one person that the table "
                         "states")

    def close(self) -> None:
        """Give the files back."""
        for table in self.tables:
            table.close()

    def __enter__(self) -> Library:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _vectors(table: Table) -> Vectors:
    if table.count and table.path.lower().endswith(MAPPED):
        # Where they lie is all that the map is made for: read, a file that is cut is an error.
        found = table.embeddings()
        if isinstance(found, np.memmap):
            return Stored.at(table.path, found.offset, table.count, table.dim)
        return Held(found)
    return Streamed(partial(_blocks, table), table.count, table.dim, table.path)


def _blocks(table: Table, rows: int) -> Iterator[Floats]:
    for found in table.columns(("embedding",), rows):
        yield found["embedding"]
