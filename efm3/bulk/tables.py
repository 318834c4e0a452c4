# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Tables of embeddings opened: the one reader of every form that a bulk run writes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

from efm3.bulk import _lines, _npy, _npz, _parquet
from efm3.bulk._manifest import Manifest
from efm3.bulk._parts import MANIFEST, PartsTable, Store, counted
from efm3.bulk._table import NO_TABLE, Block, Table
from efm3.findings import refuse

__all__ = ["FORMS", "MANIFEST", "Block", "Form", "Table", "form_of", "open_table"]


class Form(NamedTuple):
    """A form of a table: how it is written and opened, the form of its parts, and what stands
    beside it."""

    write: Callable[[Manifest, Table], Iterator[bytes]]
    open: Callable[[str], Table]
    parts: str
    beside: Callable[[Table], Iterator[bytes]] | None = None


FORMS = {
    ".parquet": Form(_parquet.write, _parquet.ParquetTable, ".parquet"),
    ".npz": Form(_npz.write, _npz.NpzTable, ".npz"),
    ".npy": Form(_npy.write, _npy.NpyTable, ".npz", _lines.write_rows),
    ".csv": Form(_lines.write_csv, lambda p: _lines.LinesTable(p, _lines.csv_rows), ".npz"),
    ".jsonl": Form(_lines.write_jsonl, lambda p: _lines.LinesTable(p, _lines.jsonl_rows), ".npz"),
}
"""The forms by the ends of their files' names. A folder holds parts of Parquet."""


def form_of(path: str) -> Form:
    """The form that a file's name says. Raises Efm3Error B002."""
    end = os.path.splitext(path)[1].lower()
    if end not in FORMS:
        refuse("B002", f"its name does not say what to write: it ends in none of "
                       f"{' '.join(FORMS)}, and not in / for a folder", path, end, " ".join(FORMS))
    return FORMS[end]


def open_table(path: str) -> Table:
    """The table at `path`: a file of a form of FORMS, or a folder of parts.

    Raises Efm3Error B002, B007, B008, and X002 where Parquet needs pyarrow; Unreadable.
    """
    if not os.path.isdir(path):
        if os.path.splitext(path)[1].lower() not in FORMS:
            refuse("B002", f"its name is no table's: it ends in none of {' '.join(FORMS)}, and it "
                   "is no folder", path, os.path.splitext(path)[1], " ".join(FORMS))
        return form_of(path).open(path)
    store = Store(path, FORMS[".parquet"].open, ".parquet")
    manifest = store.manifest()
    if manifest is None:
        refuse("B008", f"{NO_TABLE}: a folder without {MANIFEST}", path, "a folder", MANIFEST)
    parts = store.parts()
    if not manifest.complete:  # a run goes on, or was cut: what the parts hold counts
        manifest = replace(manifest, counts=counted(parts, store.open, manifest))
    return PartsTable(path, manifest, parts, store.open)
