# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Foreign files that a transfer as text has damaged, told by the bytes that are left.

A file of weights has about as many CR and LF as it has of the bytes beside them in ASCII. Where
one of these, or the pair, is missing altogether, or where each LF has its CR, no exporter wrote
that. Nothing is known of texts, of small files, and of weights that are almost all zero.
"""

from __future__ import annotations

import os

from efm3.findings import Efm3Error, error, printable
from efm3.source import open_regular

LOOKED_AT = 1 << 23
"""Bytes of a file that are looked at."""
USUAL = b"\x0b\x0c\x0e\x0f"
"""Bytes beside CR and LF that no text has."""
PAIRS = [bytes([a, b]) for a in USUAL for b in USUAL]
SURE, SURE_PAIRS = 32, 12
"""So many of each of USUAL, and of each of PAIRS, prove that none is no chance."""
CODES = ("X003", "X006", "X007", "X015")
"""Refusals that damage may be the cause of."""
WEIGHTS = {".param": ".bin", ".json": ".params", ".prototxt": ".caffemodel"}
"""The weights that a text of a network has beside it."""
MOST_BESIDE = 4


def named(refusal: Efm3Error, path: str) -> Efm3Error:
    """The refusal of a source; one that names the damage where a transfer as text has done it."""
    for place in _files(path) if refusal.code in CODES else ():
        words = text_damage(place)
        if words:
            return error("X003", f"{printable(place)} was changed by a transfer in text mode "
                                 f"({words}): fetch it again in binary mode. What it led to: "
                                 f"{refusal.finding.message}", place)
    return refusal


def text_damage(path: str) -> str:
    """What shows that a transfer as text has changed the file's bytes, "" where nothing does."""
    try:
        with open_regular(path) as f:
            data = f.read(LOOKED_AT)
    except OSError:
        return ""
    if any(data.count(byte) < SURE for byte in USUAL):
        return ""
    feeds, ends = data.count(b"\n"), data.count(b"\r\n")
    if not feeds:
        return "it has no LF"
    if feeds == ends:
        return "every LF in it has a CR before it"
    if b"\r" not in data:
        return "it has no CR"
    if not ends and all(data.count(pair) >= SURE_PAIRS for pair in PAIRS):
        return "no LF in it has a CR before it"
    return ""


def _files(path: str) -> list[str]:
    """The source, and the weights beside it where it is a text."""
    stem, suffix = os.path.splitext(path)
    folder, base = os.path.split(stem.removesuffix("-symbol"))
    end = WEIGHTS.get(suffix.lower())
    if end is None:
        return [path]
    try:
        beside = sorted(n for n in os.listdir(folder or os.curdir)
                        if n.startswith(base) and n.lower().endswith(end))
    except OSError:
        return [path]
    return [path, *(os.path.join(folder, n) for n in beside[:MOST_BESIDE])]
