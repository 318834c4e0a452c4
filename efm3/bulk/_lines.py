# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Tables as lines of text, CSV or JSON, and the rows beside a bare matrix.

What such a file cannot say of itself, its manifest says, which stands beside it.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np

from efm3.arrays import Array, Floats
from efm3.bulk import _manifest
from efm3.bulk._manifest import Manifest
from efm3.bulk._table import MAX_FIELD, NO_TABLE, ROWS, Block, Table, block_of, merged
from efm3.bulk.fields import csv_fields, csv_texts
from efm3.bulk.row import POINTS, Row
from efm3.findings import Efm3Error, refuse, shown
from efm3.source import open_regular
from efm3.texts import dumps

BESIDE = ".manifest.json"
"""After the name of a table: the name of its manifest."""
BOX = ("left", "top", "right", "bottom")
HEAD = ("path", "face", "error", "reason", "score", *BOX,
        *(f"{point}_{axis}" for point in POINTS for axis in "xy"))
"""The names of a CSV's columns; the embedding's, e0 and on, follow."""
_STEP = 512


def beside(path: str, manifest: str) -> Manifest:
    """What stands beside a table, in the file `manifest`. Raises Unreadable where either cannot
    be read, Efm3Error B008 where only the table is there, or it is none."""
    open_regular(path).close()
    if not os.path.lexists(manifest):
        refuse("B008", f"{NO_TABLE}: no manifest stands beside it, its name with {BESIDE} behind",
               path, "no manifest", manifest)
    return _manifest.load(manifest)


def _numbers(values: Array) -> str:
    """Nine digits give every float32 back."""
    return ",".join(["%.9g"] * len(values)) % tuple(values.tolist())


def write_csv(manifest: Manifest, table: Table) -> Iterator[bytes]:
    """The CSV's bytes, in pieces."""
    return _csv(table, [f"e{i}" for i in range(table.dim)])


def write_rows(table: Table) -> Iterator[bytes]:
    """The same without the embeddings."""
    return _csv(table, [])


def names_rows(path: str) -> bool:
    """Whether a file begins as those of write_rows() do. Raises Unreadable."""
    with open_regular(path) as f:
        return f.readline(1024) == (",".join(HEAD) + "\n").encode()


def _csv(table: Table, embedding: list[str]) -> Iterator[bytes]:
    yield (",".join([*HEAD, *embedding]) + "\n").encode()
    for b in merged(table, _STEP):
        out = io.StringIO()
        for i, path in enumerate(b.path):
            out.write(csv_fields((path, b.face[i], b.error[i], b.reason[i])))
            for values in (b.score[i:i + 1], b.box[i], b.points[i],
                           *([b.embedding[i]] if embedding else [])):
                missing = np.isnan(values[0])
                out.write("," + ("," * (len(values) - 1) if missing else _numbers(values)))
            out.write("\n")
        yield out.getvalue().encode()


def write_jsonl(manifest: Manifest, table: Table) -> Iterator[bytes]:
    """The JSON lines' bytes, in pieces."""
    for b in merged(table, _STEP):
        yield "".join(map(json_line, b.path, b.face, b.embedding, b.box, b.points, b.score,
                          b.error, b.reason)).encode()


def json_line(path: str, face: int, embedding: Floats, box: Floats, points: Floats,
              score: Any, error: str | None, reason: str | None) -> str:
    """A row as a JSON object, and the line's end; ASCII alone. A text comes back as it is, but a
    lone surrogate, which no reader of JSON has to take, as the letters of its escape."""
    def vector(values: Array) -> str:
        return "null" if np.isnan(values[0]) else f"[{_numbers(values)}]"

    return (f'{{"path": {dumps(path)}, "face": {int(face)}, "embedding": {vector(embedding)}, '
            f'"box": {vector(box)}, "points": {vector(points)}, '
            f'"score": {"null" if np.isnan(score) else _numbers(np.array([score]))}, '
            f'"error": {dumps(error)}, "reason": {dumps(reason)}}}\n')


class _Lines:
    """Lines of a file, each and what a row takes of them bounded."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file, self._most = file, most
        self.left = most

    def __iter__(self) -> Iterator[str]:
        while line := self._file.readline(self._most + 1):
            self.left -= len(line)
            if self.left < 0:
                raise ValueError(f"a row of more than {self._most} bytes")
            yield line.decode()

    def rest(self) -> None:
        """A row ended."""
        self.left = self._most


class LinesTable(Table):
    """An opened CSV or JSON Lines file; its manifest stands beside it."""

    def __init__(self, path: str, rows: Callable[[LinesTable, BinaryIO], Iterator[Row]],
                 manifest: str = "", dim: int | None = None) -> None:
        super().__init__(path, beside(path, manifest or path + BESIDE))
        self.dim = self.dim if dim is None else dim
        self._rows = rows
        self.most = 36 * MAX_FIELD + 64 * (32 + self.dim)
        with open_regular(path) as f:
            # The first row, so that what is no table is refused now.
            for _ in self._read(rows, f):
                break

    def _read(self, rows: Any, f: BinaryIO) -> Iterator[Row]:
        try:
            yield from rows(self, f)
        except Efm3Error:
            raise
        except (ValueError, TypeError, RecursionError, KeyError, OverflowError, csv.Error) as e:
            self.damaged(shown(str(e)))

    def columns(self, names: Sequence[str], rows: int = ROWS) -> Iterator[dict[str, Any]]:
        """The columns of these names, block after block."""
        at = 0
        with open_regular(self.path) as f:
            held: list[Row] = []
            for row in self._read(self._rows, f):
                at += 1
                if at > self.count:
                    self.damaged(f"more rows than the {self.count} that its manifest states")
                held.append(row)
                if len(held) == min(rows, _STEP):
                    yield self._block(held, names)
                    held = []
            if held:
                yield self._block(held, names)
        self.counted(at)

    def _block(self, rows: list[Row], names: Sequence[str]) -> dict[str, Any]:
        block: Block = block_of(rows, self.dim)
        return {name: getattr(block, name) for name in names}

    def vector(self, values: Any, width: int, what: str) -> Floats:
        """Numbers as float32, of this length, finite."""
        with np.errstate(over="ignore"):  # too large is not finite, and refused
            out = np.array(values, np.float32)
        if out.shape != (width,) or not np.isfinite(out).all():
            raise ValueError(f"{what} is no {width} numbers")
        return out


def csv_rows(table: LinesTable, f: BinaryIO) -> Iterator[Row]:
    """Rows of a CSV. Raises ValueError."""
    lines = _Lines(f, table.most)
    reader = csv.reader(lines)
    head = [*HEAD, *(f"e{i}" for i in range(table.dim))]
    if next(reader, None) != head:
        raise ValueError("its first line does not name a table's columns")
    lines.rest()
    for words in reader:
        lines.rest()
        if len(words) != len(head):
            raise ValueError(f"line {reader.line_num} has {len(words)} values, not {len(head)}")

        def part(a: int, b: int, words: list[str] = words) -> Any:
            values = words[a:b]
            return table.vector(values, b - a, ", ".join(head[a:b][:2])) if any(values) else None

        score = part(4, 5)
        path, error, reason = csv_texts((words[0], words[2], words[3]))
        yield _row(table, path, int(words[1]), part(len(HEAD), len(head)), part(5, 9),
                   part(9, 19), None if score is None else float(score[0]),
                   error or None, reason or None)


def jsonl_rows(table: LinesTable, f: BinaryIO) -> Iterator[Row]:
    """Rows of JSON lines. Raises ValueError, KeyError, TypeError."""
    lines = _Lines(f, table.most)
    for line in lines:
        lines.rest()
        v = json.loads(line)
        if not isinstance(v, dict) or type(v["face"]) is not int:
            raise ValueError("a line is no row")

        def part(name: str, width: int, v: dict[str, Any] = v) -> Any:
            return None if v[name] is None else table.vector(v[name], width, name)

        score = None if v["score"] is None else float(table.vector([v["score"]], 1, "score")[0])
        yield _row(table, v["path"], v["face"], part("embedding", table.dim), part("box", 4),
                   part("points", 10), score, v["error"] or None, v["reason"] or None)


def _row(table: LinesTable, path: Any, face: int, embedding: Any, box: Any, points: Any,
         score: float | None, error: Any, reason: Any) -> Row:
    for text in (path, error or "", reason or ""):
        if not isinstance(text, str) or len(text) > MAX_FIELD:
            raise ValueError("a path, code or reason is no text, or too long")
        text.encode()
    if not -2 ** 31 <= face < 2 ** 31 or (table.dim and (embedding is None) != bool(error)):
        raise ValueError("a row has an embedding and an error, or neither")
    return Row(path, face, embedding, box, points, score, error, reason)
