# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a file's section of the page shows: its report, its inspection, its first bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from efm3 import format as fmt
from efm3 import rules
from efm3.findings import Report
from efm3.inspection import BytesRow, Inspection, byte_rows, inspect
from efm3.reading import scan_of
from efm3.scan import Scan
from efm3.source import Source, Unreadable, name_of, path_of

STEP = 8
"""Bytes of a line of hex: a phone has room for them and their letters."""
FOREIGN = 128
"""Bytes that are shown of a file of another kind."""
TEXT_STEP, MIRROR = 48, 4096
"""Bytes of a line of the mirror, and of it in all."""
HEIGHT, BIN = 16, 4
"""Pixels of a histogram's highest bin, and of a bin's width."""


class Checked(NamedTuple):
    """A file that was read and judged; `seen` and `scan` are None where it is unreadable."""

    report: Report
    seen: Inspection | None
    scan: Scan | None


def checked(source: Source | Scan, level: str = "values", *, name: str = "",
            select: Iterable[str] = (), ignore: Iterable[str] = ()) -> Checked:
    """Read a source once, judge it as `validate` does, and inspect it; of a Scan `name` is the
    file's.

    Any bytes give a Checked; raises ValueError for a level that is none.
    """
    rules.check_level(level)
    name = name or name_of(source)
    try:
        scan = scan_of(source)
    except Unreadable as e:
        return Checked(Report(name, 0, level, [], str(e)), None, None)
    path = "" if isinstance(source, Scan) else path_of(source)
    found = rules.run(scan, level, tuple(select), tuple(ignore), path)
    return Checked(Report(name, scan.size, level, found),
                   inspect(scan, name, tensors="*", path=path), scan)


class Field(NamedTuple):
    """A field of the head: `hex` are its bytes, `group` the part of the head that it is of, or
    empty for padding that holds nothing."""

    number: int
    path: str
    offset: int
    hex: str
    value: str
    doc: str
    group: str


class Piece(NamedTuple):
    """The bytes of one field in one line; `first` where the field begins there."""

    field: Field
    hex: str
    first: bool


class Line(NamedTuple):
    """A line of bytes: its offset, its pieces, and its letters."""

    offset: int
    pieces: list[Piece]
    text: str


GROUPS = (("magic", "magic"), ("arch.stages", "stages"), ("arch", "arch"), ("json", "mirror"),
          ("n_tensors", "table"), ("tensors", "table"), ("", "version"))
"""The start of a field's path to its group; the first that fits counts."""


def head(scan: Scan) -> list[Field]:
    """The fields of the prefix, and behind the mirror the first two of the table."""
    if not scan.size:
        return []
    rows = byte_rows(scan, f":{fmt.PREFIX_SIZE}")
    if scan.n_tensors is not None and scan.json_len is not None:
        rows += byte_rows(scan, f"{fmt.PREFIX_SIZE + scan.json_len}+{2 * fmt.COUNT_SIZE}")
    return [_field(number, row) for number, row in enumerate(rows)]


def _field(number: int, row: BytesRow) -> Field:
    raw = bytes.fromhex(row["hex"] or "")
    group = next(group for start, group in GROUPS if row["path"].startswith(start))
    if row["path"].endswith(("pad", "reserved")) and not any(raw):
        group = ""
    whole = isinstance(row["value"], int)
    return Field(number, row["path"], row["offset"], raw.hex(" "),
                 f"{row['value']:,}" if whole else "", row["doc"], group)


def lines(fields: Iterable[Field]) -> Iterator[Line]:
    """Fields as lines of STEP bytes each, cut where the file goes on elsewhere."""
    pieces: list[Piece] = []
    start = at = 0
    for field in fields:
        if pieces and field.offset != at:
            yield _line(start, pieces)
            pieces = []
        raw = field.hex.split()
        first = True
        at = field.offset
        while raw:
            start = start if pieces else at
            take = STEP - (at - start)
            pieces.append(Piece(field, " ".join(raw[:take]), first))
            at += len(raw[:take])
            raw, first = raw[take:], False
            if at - start == STEP:
                yield _line(start, pieces)
                pieces = []
    if pieces:
        yield _line(start, pieces)


def _line(offset: int, pieces: list[Piece]) -> Line:
    return Line(offset, pieces, letters(bytes.fromhex("".join(p.hex for p in pieces))))


def letters(raw: bytes) -> str:
    """Bytes as ASCII, a point for each that is no letter."""
    return "".join(chr(b) if 32 <= b < 127 else "." for b in raw)


def plain_lines(scan: Scan) -> Iterator[tuple[int, str, str]]:
    """Offset, bytes and letters of the first lines of a file of another kind."""
    raw = bytes(scan.data[:FOREIGN])
    for at in range(0, len(raw), STEP):
        yield at, raw[at:at + STEP].hex(" "), letters(raw[at:at + STEP])


def mirror_lines(scan: Scan) -> Iterator[tuple[int, str]]:
    """The first MIRROR bytes of the mirror's text in lines of whole characters, each with the
    offset of its first byte in the file; what is no UTF-8 as lone surrogates."""
    raw = bytes((scan.mirror or b"")[:MIRROR])
    if len(scan.mirror or b"") > MIRROR:  # not half a character
        raw = raw.decode("utf-8", "ignore").encode() if _whole(raw) else raw
    line, taken, at = "", 0, fmt.PREFIX_SIZE
    for letter in raw.decode("utf-8", "surrogateescape"):
        size = _bytes(letter)
        if taken + size > TEXT_STEP:
            end = _cut(line, letter)
            yield at, line[:end]
            done = _bytes(line[:end])
            line, at, taken = line[end:], at + done, taken - done
        line, taken = line + letter, taken + size
    if line:
        yield at, line


def _cut(line: str, after: str) -> int:
    """Where a line of JSON ends well: behind a comma or a bracket of its second half, and never
    before a colon, which would be escaped at the start of a line (texts.printable)."""
    end = max(line.rfind(mark, len(line) // 2) for mark in ",{[") + 1 or len(line)
    return end - 1 if (line + after)[end] == ":" and end > 1 else end


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))


def _whole(raw: bytes) -> bool:
    """True for UTF-8 that lacks at most the rest of its last character."""
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as e:
        return e.end == len(raw)
    return True


def histogram(counts: Iterable[int]) -> str:
    """The outline of a histogram as an SVG path, BIN pixels a bin and HEIGHT high."""
    bins = list(counts)
    most = max(bins, default=0) or 1
    steps = "".join(f"V{HEIGHT - -(-n * HEIGHT // most)}h{BIN}" for n in bins)
    return f"M0 {HEIGHT}{steps}V{HEIGHT}z"
