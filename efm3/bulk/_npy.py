# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A bare matrix of embeddings, `X.npy`; its rows' names and errors stand in `X.npy.rows.csv`."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from efm3.arrays import Floats
from efm3.bulk._lines import BESIDE, LinesTable, beside, csv_rows
from efm3.bulk._manifest import Manifest
from efm3.bulk._table import ROWS, Table
from efm3.source import open_regular

ROWS_BESIDE = ".rows.csv"
_MAX_HEADER = 10_000


def write(manifest: Manifest, table: Table) -> Iterator[bytes]:
    """The matrix's bytes, in pieces."""
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {
        "descr": "<f4", "fortran_order": False, "shape": (table.count, table.dim)})
    yield head.getvalue()
    for found in table.columns(("embedding",)):
        yield np.ascontiguousarray(found["embedding"], "<f4").tobytes()


class NpyTable(Table):
    """An opened matrix with its rows."""

    def __init__(self, path: str) -> None:
        super().__init__(path, beside(path, path + BESIDE))
        with open_regular(path) as f:
            head = io.BytesIO(f.read(_MAX_HEADER))
            size = f.seek(0, io.SEEK_END)
        try:
            np.lib.format.read_magic(head)
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(head)
        except Exception as e:  # as in efm3/bulk/_npz.py
            self.damaged(f"no header of an array: {e}")
        self._start = head.tell()
        if (dtype != np.dtype("<f4") or shape != (self.count, self.dim) or fortran
                or size != self._start + 4 * self.count * self.dim):
            self.damaged(f"{dtype} {list(shape)} in {size} bytes, not float32 "
                         f"{[self.count, self.dim]}")
        self._rows = LinesTable(path + ROWS_BESIDE, csv_rows, path + BESIDE, 0)

    def embeddings(self) -> Floats:
        """The matrix, mapped."""
        if not self.count:
            return np.empty((0, self.dim), np.float32)
        return np.memmap(self.path, "<f4", "r", self._start, (self.count, self.dim))

    def columns(self, names: Sequence[str], rows: int = ROWS) -> Iterator[dict[str, Any]]:
        """The columns of these names, block after block."""
        others = [name for name in names if name != "embedding"]
        with open_regular(self.path) as f:
            f.seek(self._start)
            if not others:
                for a in range(0, self.count, rows):
                    yield {"embedding": self._matrix(f, min(rows, self.count - a))}
                return
            for found in self._rows.columns((*others, "path"), rows):
                n = len(found["path"])
                yield {name: self._matrix(f, n) if name == "embedding" else found[name]
                       for name in names}

    def _matrix(self, f: Any, n: int) -> Floats:
        out = np.empty((n, self.dim), np.float32)
        if f.readinto(out.data.cast("B")) != out.nbytes:
            self.damaged("it became shorter")
        return out
