# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Many embeddings, read block by block: out of memory, out of a file, or from a reader of rows.

A file is read, never mapped: one that is cut short while it is mapped kills the process.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import BinaryIO, Protocol

import numpy as np

from efm3.arrays import Array, Bools, Doubles, Floats, Indices
from efm3.findings import refuse
from efm3.source import open_regular, read_at

BLOCK = 1 << 22
"""Bytes of embeddings that one thread works on: what a processor's cache holds."""
SLACK = 1e-4
"""How far the square of an embedding's length may be from 1: it is taken as it is."""


class Vectors(Protocol):
    """`count` embeddings of `dim` numbers: unit vectors, or NaN where a row has none."""

    count: int
    dim: int

    def parts(self, rows: int) -> Iterator[tuple[int, Callable[[], Floats]]]:
        """In order, blocks of at most `rows`: the first row's number, and what reads them, in
        any thread."""


class Held:
    """Embeddings in memory, float32 [N, D]."""

    def __init__(self, array: Floats) -> None:
        self._array = array
        self.count, self.dim = array.shape

    def read(self, start: int, stop: int) -> Floats:
        """The rows from `start` to before `stop`."""
        return self._array[start:stop]

    def parts(self, rows: int, first: int = 0) -> Iterator[tuple[int, Callable[[], Floats]]]:
        """See Vectors; from the row `first` on."""
        for start in range(first, self.count, rows):
            yield start, partial(self.read, start, min(start + rows, self.count))


class Stored(Held):
    """Embeddings in an open file, which is closed with it: float32 of this machine's order, one row
    after the other."""

    def __init__(self, file: BinaryIO, offset: int, count: int, dim: int, name: str) -> None:
        self._file, self._offset, self._name = file, offset, name
        self.count, self.dim = count, dim
        weakref.finalize(self, file.close)

    @classmethod
    def at(cls, path: str, offset: int, count: int, dim: int) -> Stored:
        """In the file at `path`, from byte `offset`. Raises Unreadable."""
        return cls(open_regular(path), offset, count, dim, path)

    def read(self, start: int, stop: int) -> Floats:
        """See Held. Raises Efm3Error B024 where the file is shorter than it was."""
        out = np.empty((stop - start, self.dim), np.float32)
        rest, at = out.data.cast("B"), self._offset + start * self.dim * 4
        while rest:
            if not (got := self._into(rest, at)):
                refuse("B024", "it is shorter than it was when it was opened", self._name)
            rest, at = rest[got:], at + got
        return out

    def _into(self, view: memoryview, at: int) -> int:
        if hasattr(os, "preadv"):
            return os.preadv(self._file.fileno(), [view], at)
        data = read_at(self._file, at, len(view))
        view[:len(data)] = data
        return len(data)


class Streamed:
    """Embeddings that a reader gives in order, again and again, but not from the middle."""

    def __init__(self, blocks: Callable[[int], Iterable[Floats]], count: int, dim: int,
                 name: str) -> None:
        self._blocks, self._name = blocks, name
        self.count, self.dim = count, dim

    def parts(self, rows: int) -> Iterator[tuple[int, Callable[[], Floats]]]:
        """See Vectors. Raises Efm3Error B024 where there are not as many as there were."""
        start = 0
        for block in self._blocks(rows):
            yield start, partial(_given, block)
            start += len(block)
        if start != self.count:
            refuse("B024", f"{start} rows, which were {self.count}", self._name, start, self.count)


def _given(block: Floats) -> Floats:
    return block


class Joined:
    """Several, one after the other, as one."""

    def __init__(self, parts: list[Vectors]) -> None:
        self._parts = parts
        self.count, self.dim = sum(p.count for p in parts), parts[0].dim

    def parts(self, rows: int) -> Iterator[tuple[int, Callable[[], Floats]]]:
        """See Vectors."""
        before = 0
        for one in self._parts:
            yield from ((before + start, load) for start, load in one.parts(rows))
            before += one.count


def settled(vectors: Vectors) -> Held:
    """The same embeddings, to be read from anywhere: those that are not are written into a
    temporary file first, which has no name and ends with the process. Raises OSError."""
    if isinstance(vectors, Held):
        return vectors
    file = tempfile.TemporaryFile()  # noqa: SIM115 - Stored keeps it open
    for _, load in vectors.parts(rows_of(vectors.dim)):
        file.write(np.ascontiguousarray(load(), np.float32).data)
    file.flush()
    return Stored(file, 0, vectors.count, vectors.dim, "the temporary file")


def taken(vectors: Held, rows: Indices) -> Floats:
    """These rows, ascending numbers, [len(rows), D]."""
    out = np.empty((len(rows), vectors.dim), np.float32)
    ends = np.flatnonzero(np.diff(rows) != 1) + 1
    for run in np.split(np.arange(len(rows)), ends):
        if len(run):
            out[run] = vectors.read(int(rows[run[0]]), int(rows[run[-1]]) + 1)
    return out


def rows_of(dim: int, beside: int = 0) -> int:
    """How many rows a block has: of embeddings, and of `beside` more numbers a row."""
    return max(64, min(BLOCK // (4 * dim), 8 * BLOCK // (4 * max(beside, 1))))


def unit(block: Floats) -> tuple[Floats, Bools | None]:
    """The block with rows of length 1, and which of them have a direction; None where all do.

    Rows that are not finite, and zeros, have none: they become zeros. Rows of another length are
    scaled, so that a product is a cosine whatever a table holds; the block itself is not changed.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        squares = np.einsum("ij,ij->i", block, block)
        if bool((np.abs(squares - 1) <= SLACK).all()):
            return block, None
        wide = block.astype(np.float64)
        length = lengths(wide)
        good = np.isfinite(length) & (length > 0)
        wide /= np.where(good, length, 1)[:, None]
        wide[~good] = 0
    return wide.astype(np.float32), good


def exact(rows: Floats) -> Doubles:
    """Rows that have a direction, in double precision and of length 1."""
    wide = rows.astype(np.float64)
    scaled: Doubles = wide / lengths(wide)[:, None]
    return scaled


def lengths(rows: Doubles) -> Doubles:
    """The length of each row, the same wherever the row stands."""
    found: Doubles = np.sqrt((rows * rows).sum(1))
    return found


def cosines(a: Array, b: Array) -> Doubles:
    """The cosine of each row of `a` with that row of `b`: by the two rows alone, wherever they
    stand, and the same for equal rows, which a product of matrices does not promise."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    found: Doubles = np.clip((a * b).sum(1) / (lengths(a) * lengths(b)), -1, 1)
    return found


def margin(dim: int) -> float:
    """By how much a cosine of float32 rows, as `unit` leaves them, may be off in a product."""
    return 2 * SLACK + dim * 2.0 ** -23
