# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The one writer and reader of CSV for what holds strangers' names.

A text that a table program would take for a formula has an apostrophe before it, which
`csv_texts` takes away. No other character is changed: a CSV is data, and no terminal's.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

from efm3.texts import from_cell, safe

# Of both characters: a writer quotes those of its line's end alone, a reader ends a line at each.
_END = "\r\n"


def csv_fields(values: Iterable[object]) -> str:
    """The values as fields of a CSV's line, without its end; None is an empty one."""
    out = io.StringIO()
    csv.writer(out, lineterminator=_END).writerow(
        safe(v, "csv") if isinstance(v, str) else v for v in values)
    return out.getvalue()[:-len(_END)]


def csv_texts(cells: Iterable[str]) -> Iterator[str]:
    """The texts of cells that a CSV's reader gave."""
    return map(from_cell, cells)
