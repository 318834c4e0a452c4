# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The one writer of CSV for what holds strangers' names."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

# Of both characters: a writer quotes those of its line's end alone, a reader ends a line at each.
_END = "\r\n"


def csv_fields(values: Iterable[object]) -> str:
    """The values as fields of a CSV's line, without its end; None is an empty one."""
    out = io.StringIO()
    csv.writer(out, lineterminator=_END).writerow(values)
    return out.getvalue()[:-len(_END)]
