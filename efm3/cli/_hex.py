# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Bytes as annotated, coloured lines: each field starts a line of its own."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator

from efm3.cli._render import LABEL, Lines, Row, text
from efm3.inspection import BytesRow
from efm3.places import unravel
from efm3.scan import Scan

# Start of a field's path to its colour; the first that fits counts.
COLOURS = (("magic", "bold green"), ("trailing", "red"), ("json", "green"),
           ("arch.stages", "magenta"), ("arch", "cyan"), ("tensors", "blue"), ("", "yellow"))


def default_part(scan: Scan) -> str | None:
    """What `--hex` shows where nothing is named: all up to the first tensor's first values."""
    if not scan.size:
        return None
    return f":{scan.tensors[0].data_offset + 64 if scan.tensors else scan.end + 256}"


def dump(scan: Scan, rows: list[BytesRow], width: int) -> Lines:
    """The rows' bytes with their meaning: 8 per line, 16 where there is room, 4 on a narrow
    terminal.

    Long fields that are text have their name in a line above instead of beside them.
    """
    for row in rows:
        beside = row["length"] <= 8 or row["path"].endswith(".data")
        step = 16 if width >= (120 if beside else 78) else 8 if width >= 46 else 4
        colour = next(c for start, c in COLOURS if row["path"].startswith(start))
        if row["path"].endswith(("pad", "reserved")) and not int(row["hex"] or "0", 16):
            colour = LABEL
        data = bytes.fromhex(row["hex"] or "")
        notes = _notes(scan, row, step)
        if not beside:
            yield text((f"          {row['path']}, {row['length']:,} bytes", ""))
        for at in range(0, len(data), step):
            part = data[at:at + step]
            shown = "".join(chr(b) if 32 <= b < 127 else "." for b in part)
            note = next(notes, "") if beside else ""
            line = Row()
            for word, style in ((f"{row['offset'] + at:08x}  ", LABEL),
                                (f"{part.hex(' '):{3 * step}}", colour),
                                (f"{shown:{step}}  ", LABEL), (note, "")):
                line.append(word, style)
            before = len(line) - len(note)
            line.starts, line.widths = (0, before), (before, len(note))
            yield line


def _notes(scan: Scan, row: BytesRow, step: int) -> Iterator[str]:
    """The text beside the lines of a row: its name and value, or the floats in the line."""
    if row["path"].endswith(".data"):
        yield from _floats(scan, row, step)
    else:
        value = "" if row["value"] is None or row["length"] > 4 else f" = {row['value']}"
        yield row["path"] + (value if row["path"] != "magic" else f": {row['doc']}")


def _floats(scan: Scan, row: BytesRow, step: int) -> Iterator[str]:
    t = next(t for t in scan.tensors if t.data_offset == row["start"])
    data = bytes.fromhex(row["hex"] or "")
    for at in range(0, len(data), step):
        cut = (row["start"] - row["offset"] - at) % 4
        flat = (row["offset"] + at + cut - row["start"]) // 4
        words = data[at + cut:at + step]
        floats = struct.unpack(f"<{len(words) // 4}f", words[:len(words) // 4 * 4])
        index = ",".join(map(str, unravel(flat, t.shape))) if flat < math.prod(
            t.shape) and t.shape else str(flat)
        head = f"{t.name or f'tensors[{t.number}]'}[{index}]" if at == 0 else f"[{index}]"
        values = " ".join(f"{v:.4g}" for v in floats)
        yield f"{head} {values}"
