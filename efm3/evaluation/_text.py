# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Pairs files, texts of one pair a line, and where their pictures are."""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterable, Sequence

import numpy as np

from efm3 import sniff
from efm3.arrays import Indices
from efm3.findings import refuse

PAIRS = "pairs.txt"
FOLDERS = ("lfw", "lfw_funneled", "lfw-deepfunneled")
"""What the folder of LFW's pictures is called, in its several forms, beside its pairs file."""
SUFFIXES = (".jpg", ".png", ".jpeg", ".webp", ".bmp")
"""Tried in this order, in small letters and in capitals, for a picture that the LFW form names
without one."""
_WHOLE = re.compile(r"[0-9]{1,9}")
_CONTROL = re.compile(rb"[\0-\x08\x0e-\x1a\x1c-\x1f]")
HEAD = 1 << 16
"""Bytes that are looked at for what no text holds."""


def of(data: bytes, place: str) -> str | None:
    """The text of a pairs file, UTF-8 or, by its mark, UTF-16; None for what is no text.

    Raises Efm3Error F004 for a text of another encoding.
    """
    if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError as e:
            refuse("F004", f"its mark says UTF-16, and byte {e.start} is not of that", place,
                   expected="a text in UTF-8")
    odd, even = data[1:HEAD:2], data[:HEAD:2]
    if min(odd.count(0), even.count(0)) == 0 and 2 * max(odd.count(0), even.count(0)) > len(even):
        refuse("F004", "this looks like UTF-16 without its mark", place,
               expected="a text in UTF-8")
    # A pickle begins with 0x80 or ends with a point.
    if not data or data[:1] == b"\x80" or data[-1:] == b"." or _CONTROL.search(data[:HEAD]):
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as e:
        if sniff.of_data(data) is not None:
            return None
        line = data.count(b"\n", 0, e.start) + 1
        refuse("F004", f"byte 0x{data[e.start]:02x} of this text is not UTF-8 (Latin-1, or another "
               "encoding of one byte a letter?)", f"{place}, line {line}", f"0x{data[e.start]:02x}",
               "a text in UTF-8")


Row = tuple[int, tuple[str, str], bool]


def pairs(text: str, place: str) -> tuple[list[Row], Indices | None]:
    """Rows of line number, two pictures and the answer; and the folds where the file has them."""
    rows: list[Row] = []
    header: tuple[int, int] | None = None
    own: list[int] = []
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        fields = line.split("\t") if line.count("\t") >= 2 else line.split()
        fields = [f.strip() for f in fields]
        if not line.strip() or line.startswith("#"):
            continue
        whole = [_WHOLE.fullmatch(f) is not None for f in fields]
        if not rows and header is None and len(fields) <= 2 and all(whole):
            header = (int(fields[0]), int(fields[1])) if len(fields) == 2 else (1, int(fields[0]))
        elif len(fields) == 3 and whole[1] and whole[2]:
            rows.append((number, (_lfw(fields[0], fields[1]), _lfw(fields[0], fields[2])), True))
        elif len(fields) == 4 and whole[1] and whole[3]:
            rows.append((number, (_lfw(fields[0], fields[1]), _lfw(fields[2], fields[3])), False))
        elif len(fields) in (3, 4) and fields[2] in ("0", "1") and (len(fields) == 3 or whole[3]):
            rows.append((number, (fields[0], fields[1]), fields[2] == "1"))
            own += [int(f) for f in fields[3:]]
        elif len(fields) <= 2 and whole[-1]:
            refuse("F004", "a name or a number without a picture's, as in LFW's people.txt, which "
                   "lists people and no pairs", f"{place}, line {number}", line[:80],
                   "LFW's pairs.txt, or pairsDevTest.txt")
        else:
            refuse("F004", f"{line[:80]!r} is not a pair", f"{place}, line {number}", line[:80],
                   "`name i j`, `name i other j`, or `path path 0|1 [fold]`")
    return rows, _folds(place, len(rows), header, own)


def _folds(place: str, pairs: int, header: tuple[int, int] | None,
           own: Sequence[int]) -> Indices | None:
    if own:
        if len(own) != pairs:
            refuse("F004", f"{len(own)} of {pairs} lines say a fold", place, len(own), pairs)
        return np.array(own)
    if header is None:
        return None
    folds, each = header
    if 2 * folds * each != pairs:
        refuse("F004", f"the first line says {folds} x {each} pairs of each kind, and "
               f"{pairs} pairs follow", place, pairs, 2 * folds * each)
    return np.repeat(np.arange(folds), 2 * each) if folds > 1 else None


def _lfw(name: str, number: str) -> str:
    """LFW's name of a picture, without its suffix."""
    return f"{name}/{name}_{int(number):04d}"


def within(folder: str) -> str:
    """The pairs file that a folder means: in it, or beside it. Raises Efm3Error F005."""
    beside = os.path.join(os.path.dirname(os.path.abspath(folder)), PAIRS)
    inside = os.path.join(folder, PAIRS)
    for path in (inside, beside):
        if os.path.exists(path):
            return path
    refuse("F005", f"a folder without pairs: neither {inside} nor {beside} is there; give the "
           "pairs file itself, and its pictures' folder with --images", folder, "a folder", PAIRS)


def roots(folder: str) -> list[str]:
    """Where the pictures of a pairs file in this folder may be."""
    return [folder, *(path for name in FOLDERS
                      if os.path.isdir(path := os.path.join(folder, name)))]


def root(names: Iterable[str], folders: Sequence[str]) -> str:
    """The first folder that has the first picture; else the first."""
    first = next(iter(names), "")
    return next((f for f in folders if _in(first, f)), folders[0])


def find(name: str, folder: str, place: str) -> str:
    """The path of the picture that a line names. Raises Efm3Error F005."""
    path = os.path.normpath(os.path.join(folder, name))
    if os.path.isabs(name) or os.path.relpath(path, folder).split(os.sep)[0] == os.pardir:
        refuse("F005", f"{name} is not below {folder}", place, name,
               "a path below the folder of pictures (--images)")
    if found := _in(name, folder):
        return found
    refuse("F005", f"no picture {name} in {folder}", place, name, "a picture, or --images")


def _in(name: str, folder: str) -> str:
    """The path of the picture, with a suffix where it lacks one; "" where it is not there."""
    path = os.path.normpath(os.path.join(folder, name))
    candidates = (path, *(path + s for suffix in SUFFIXES for s in (suffix, suffix.upper())))
    return next((c for c in candidates if os.path.isfile(c)), "")
