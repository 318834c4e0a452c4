# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A file in an archive, before its bytes are read."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import NamedTuple


class Broken(ValueError):
    """An archive that is damaged, or of a kind that is not read; the message says which."""


class Member(NamedTuple):
    """Its name, the bytes that it has by its header, why it cannot be read ("" where it can), and
    what reads it."""

    name: bytes
    size: int
    why: str
    read: Callable[[], bytes]


FAULTS = (Broken, OSError, zlib.error)
"""What reading a damaged archive raises."""


def exactly(read: Callable[[int], bytes], count: int) -> bytes:
    """So many bytes. Raises Broken where the archive ends before."""
    data = read(count)
    if len(data) < count:
        raise Broken("it is cut within a member")
    return data
