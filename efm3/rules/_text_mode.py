# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""EFM3 files that a transfer as text has damaged, proved by what undoing the damage would give.

The header alone determines the file's length. Bytes that were put in are counted: without them the
file has that length. Of bytes that were taken out there is no trace but the tables' size fields,
which then stand too early, by ever more. No more of the file is copied than a piece, or what is
missing from it.
"""

from __future__ import annotations

import codecs
import struct
from collections.abc import Callable, Iterator

from efm3 import format as fmt
from efm3.scan import Scan, scan

CHUNK = 1 << 16
MARK = "\ufffd".encode()
MARKS, MARKS_IN = 8, 1 << 16
"""More U+FFFD than this, in so many bytes: weights do not hold them."""
LONE, PAIR = 1 << 8, 1 << 16
"""Chance puts a byte at one place in LONE, two bytes at one in PAIR."""
SURE, SPARE, TIMES, MOST = 3, 16, 8, 2
"""That none is left proves something where chance would put SURE. TIMES fewer to TIMES more than
that, and SPARE, were taken out of the file, and of a tensor at most one byte in MOST."""

Change = Callable[[bytes], bytes]


def damage(s: Scan) -> str:
    """What a transfer as text has done to an EFM3 file, "" where nothing shows that one did."""
    if s.complete or bytes(s.data[:4]) != fmt.MAGIC:
        return ""
    feeds, returns, ends = (_count(s.data, x) for x in (b"\n", b"\r", b"\r\n"))
    # What was put in is counted to the file's end, which another file is too long to be read to.
    if s.whole and 0 < ends == feeds and s.size - ends == _expected(
            bytes(s.data[:2 * fmt.PREFIX_SIZE]).replace(b"\r\n", b"\n")):
        return "every line end (LF) became CR LF"
    if s.whole and _widened(s.data):
        return "its bytes beyond ASCII were rewritten as UTF-8"
    if bytes(s.data[:MARKS_IN]).count(MARK) > MARKS:
        return "bytes were replaced by U+FFFD and are lost"
    rows: tuple[tuple[bool, str, int, Change], ...] = (
        (not feeds and not returns, "no CR and no LF is left in it", LONE,
         lambda b: b.replace(b"\r", b"").replace(b"\n", b"")),
        (not returns, "no CR is left in it", LONE, lambda b: b.replace(b"\r", b"")),
        (not returns, "no CR is left in it", PAIR,
         lambda b: b.replace(b"\r\n", b"\n").replace(b"\r", b"\n")),
        (not feeds, "no LF is left in it", LONE, lambda b: b.replace(b"\n", b"")),
        (not ends, "no CR LF is left in it", PAIR, lambda b: b.replace(b"\r\n", b"\n")))
    return next((words for here, words, rarity, change in rows
                 if here and _thinned(s, rarity, change)), "")


def _chunks(data: memoryview, more: int = 0) -> Iterator[bytes]:
    """The data piece by piece, each with the first `more` bytes of the next."""
    for at in range(0, len(data), CHUNK):
        yield bytes(data[at:at + CHUNK + more])


def _count(data: memoryview, what: bytes) -> int:
    return sum(piece.count(what) for piece in _chunks(data, len(what) - 1))


def _expected(head: bytes) -> int:
    """The length of the file that begins with these bytes; 0 where they state none."""
    return scan(head[:fmt.PREFIX_SIZE]).stated


def _widened(data: memoryview) -> bool:
    """True for UTF-8 whose characters were the bytes of a file."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    count = 0
    try:
        for piece in _chunks(data):
            count += len(decoder.decode(piece))
        head = bytes(data[:4 * fmt.PREFIX_SIZE]).decode("utf-8", "ignore")
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return count < len(data) and any(count == _expected(head.encode(charset, "ignore"))
                                     for charset in ("latin-1", "cp1252"))


def _thinned(s: Scan, rarity: int, change: Change) -> bool:
    """True where the table is whole but for bytes that `change` takes out of it.

    Each size field is looked for in front of where it should be, the farthest first: tensors that
    follow may have its size too. No farther than `change` may take bytes out of the tensor before
    it. Bytes must be missing in front of two fields: one gap may have any cause.
    """
    sizes, start = s.tensors.expected, fmt.PREFIX_SIZE + (s.json_len or 0)
    lost, chance = _expected(bytes(s.data[:fmt.PREFIX_SIZE])) - s.size, s.size // rarity
    if chance < SURE or not chance // TIMES < lost <= TIMES * chance + SPARE:
        return False
    at, left, gaps = start, lost, 0
    for size, before in zip((len(sizes), *sizes), (0, 0, *sizes), strict=False):
        field = change(struct.pack("<I", size))
        at += before
        first = max(at - min(left, before // MOST), start)
        place = bytes(s.data[first:at + len(field)]).find(field)
        if place < 0:
            return False
        gaps += first + place < at
        left -= at - (first + place) + fmt.COUNT_SIZE - len(field)
        at = first + place + len(field)
    return gaps > 1
