# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A table of embeddings as columns, whatever its form; rows in memory are one too."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple, NoReturn

import numpy as np

from efm3.arrays import Array, Floats
from efm3.bulk._manifest import Counts, Manifest
from efm3.bulk.row import COLUMNS, Row
from efm3.findings import refuse

ROWS = 65536
"""Rows of a block, unless told."""
NUMBERS = {"box": 4, "points": 10}
"""The columns of float32 whose length does not depend on the model."""
TEXTS = ("path", "error", "reason")
MAX_FIELD = 1 << 16
"""Most characters of a path or a reason in a table."""
NO_TABLE = "no table that `efm3 embed -o` wrote"
"""What is said of a file that is something else, as far as can be told."""


class Block(NamedTuple):
    """Some rows, a column each. Numbers that are missing are NaN: where `error` is a code, the
    embedding; where no face was looked for, box, points and score."""

    path: list[str]
    face: Array
    embedding: Floats
    box: Floats
    points: Floats
    score: Floats
    error: list[str | None]
    reason: list[str | None]


class Table(ABC):
    """An opened table. `count` is its rows; a context manager, which closes it."""

    def __init__(self, path: str, manifest: Manifest) -> None:
        self.path, self.manifest = path, manifest
        job = manifest.job
        self.model, self.dim, self.options = job.model, job.dim, job.options
        self.count = manifest.counts.rows

    @abstractmethod
    def columns(self, names: Sequence[str], rows: int = ROWS) -> Iterator[dict[str, Any]]:
        """The columns of these names, block after block, as Block has them.

        A block has at most `rows` rows, fewer where texts are long. Raises Efm3Error B007 and
        B008 where the table turns out to be damaged.
        """

    def blocks(self, rows: int = ROWS) -> Iterator[Block]:
        """All rows in order. Raises as columns() does."""
        for found in self.columns(COLUMNS, rows):
            yield Block(**found)

    def embeddings(self) -> Floats:
        """The whole matrix, float32 [count, dim]: mapped where the form allows, else read.

        Rows of an error are NaN. A mapped file must stay as it is. Raises Efm3Error B007 to B009.
        """
        out, at = self._room(), 0
        for found in self.columns(("embedding",)):
            values = found["embedding"]
            out[at:at + len(values)] = values
            at += len(values)
        return out

    def _room(self) -> Floats:
        try:
            return np.empty((self.count, self.dim), np.float32)
        except (MemoryError, ValueError):
            refuse("B009", f"its {self.count} embeddings need {self.count * self.dim * 4} bytes",
                   self.path)

    def damaged(self, what: str) -> NoReturn:
        """Refuse the table: B008."""
        refuse("B008", f"damaged: {what}", self.path)

    def counted(self, rows: int) -> None:
        """Refuse a table that does not have the rows that it states."""
        if rows != self.count:
            self.damaged(f"it has {rows} rows and states {self.count}")

    def close(self) -> None:  # noqa: B027 - a form without an open file has nothing to close
        """Give its file back."""

    def __enter__(self) -> Table:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Held(Table):
    """Rows in memory."""

    def __init__(self, manifest: Manifest, block: Block) -> None:
        super().__init__("<rows>", manifest)
        self.block = block

    def columns(self, names: Sequence[str], rows: int = ROWS) -> Iterator[dict[str, Any]]:
        """The columns of these names, block after block."""
        for a in range(0, self.count, rows):
            yield {name: getattr(self.block, name)[a:a + rows] for name in names}


def block_of(rows: Sequence[Row], dim: int) -> Block:
    """Rows as columns."""
    def numbers(name: str, width: int) -> Floats:
        out = np.full((len(rows), width), np.nan, np.float32)
        for i, row in enumerate(rows):
            if (value := getattr(row, name)) is not None:
                out[i] = value
        return out

    return Block([r.path for r in rows], np.array([r.face for r in rows], np.int32),
                 numbers("embedding", dim), numbers("box", 4), numbers("points", 10),
                 numbers("score", 1)[:, 0], [r.error for r in rows], [r.reason for r in rows])


def sound(rows: list[Row], dim: int) -> tuple[list[Row], Block]:
    """The rows, and their columns; an embedding that is not finite becomes an error."""
    with np.errstate(over="ignore"):
        block = block_of(rows, dim)
    for i in np.flatnonzero(~np.isfinite(block.embedding).all(1)):
        if rows[i].error is None:
            rows[i] = rows[i]._replace(
                embedding=None, error="F008",
                reason="the network gave an embedding that is not finite")
            block.embedding[i] = np.nan
            block.error[i], block.reason[i] = rows[i].error, rows[i].reason
    for values in (block.box, block.points, block.score[:, None]):
        values[~np.isfinite(values).all(1)] = np.nan  # as missing: a form has no other number
    return rows, block


def rows_of(block: Block) -> Iterator[Row]:
    """Columns as rows."""
    for path, face, embedding, box, points, score, error, reason in zip(*block, strict=True):
        yield Row(path, int(face), embedding if error is None else None,
                  None if np.isnan(box[0]) else box, None if np.isnan(points[0]) else points,
                  None if np.isnan(score) else float(score), error, reason)


def counts_of(rows: Sequence[Row], pictures: int) -> Counts:
    """What a manifest counts in these rows."""
    codes: dict[str, int] = {}
    for row in rows:
        if row.error is not None:
            codes[row.error] = codes.get(row.error, 0) + 1
    errors = sum(codes.values())
    return Counts(pictures, len(rows) - errors, errors, dict(sorted(codes.items())))


def merged(table: Table, rows: int) -> Iterator[Block]:
    """The table's rows in blocks of exactly this many but for the last: parts may be small."""
    held: list[Block] = []
    have = 0
    for block in table.blocks(rows):
        while block.path:
            take = min(rows - have, len(block.path))
            held.append(Block._make(c[:take] for c in block))
            block = Block._make(c[take:] for c in block)
            have += take
            if have == rows:
                yield _joined(held)
                held, have = [], 0
    if held:
        yield _joined(held)


def _joined(blocks: list[Block]) -> Block:
    if len(blocks) == 1:
        return blocks[0]
    return Block._make(np.concatenate(c) if isinstance(c[0], np.ndarray) else list(chain(*c))
                       for c in zip(*blocks, strict=True))


class Sink:
    """A file that a library writes into, for a generator of bytes to take out again."""

    closed = False
    PIECE = 1 << 20

    def __init__(self) -> None:
        self.size = self._taken = 0
        self._parts: list[bytes] = []

    def write(self, data: bytes | memoryview) -> int:
        """Keep a copy."""
        self._parts.append(bytes(data))
        self.size += len(self._parts[-1])
        return len(self._parts[-1])

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        """Nothing to close."""

    def drain(self, least: int = PIECE) -> Iterator[bytes]:
        """What was written since the last time, where it is as much as this."""
        if self.size - self._taken >= least:
            parts, self._parts, self._taken = self._parts, [], self.size
            yield b"".join(parts)
