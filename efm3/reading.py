# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A source to a Scan, of which no more is read than its header allows.

The prefix alone states a file's length. A file of that length is read, and of a longer one as much
and LOOK bytes, which name what follows. Only where the table is not the one that the header states
is more read, and only of a file that damage may have made so long.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from efm3 import format as fmt
from efm3.scan import Scan, scan
from efm3.source import Source, opened, start_of

LIMIT = 1 << 25
"""Bytes that are read of what has no valid header: the largest published size after any damage."""
LOOK = 16
"""Bytes that are read behind the end that the header states: rules T014 to T016 look at them."""
GROWTH = 3
"""No known damage makes a file longer by more: a byte becomes U+FFFD in UTF-8, FP64 has twice the
bytes of FP32."""


def scan_of(source: Source | Scan) -> Scan:
    """`scan` of as much of the source as its header allows; what was scanned before as it is, for
    those who read a stream more than once. Raises Unreadable."""
    if isinstance(source, Scan):
        return source
    if isinstance(source, (bytes, bytearray, memoryview)):
        return scan(source)
    if not isinstance(source, (str, os.PathLike)):
        data = b""

        def more(count: int) -> bytes:
            nonlocal data
            data = start_of(source, count, data)
            return data
        found, limit = _bounded(more, -1)
        return scan(found, more=len(found) == limit)
    with opened(os.fspath(source)) as file:
        found, _ = _bounded(file.start, file.size)
        out = scan(found, file.size)
        if not out.whole and not out.stated:
            from efm3.sniff import TAIL  # another kind of file is known by its end too

            out.tail = file.end(TAIL)
        return out


def _bounded(start: Callable[[int], bytes], size: int) -> tuple[bytes, int]:
    """The bytes of a source of `size` bytes, -1 for a stream, and the limit up to which it was
    read; `start` gives as many as it is asked for from its beginning."""
    stated = scan(start(fmt.PREFIX_SIZE)).stated
    limit = stated + LOOK if stated else LIMIT
    data = start(limit)
    if stated and len(data) == limit and size <= GROWTH * stated and not scan(data).laid_out:
        del data  # or it would stand in memory twice
        limit = GROWTH * stated
        data = start(limit)
    return data, limit
