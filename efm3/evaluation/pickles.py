# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Pickles of byte strings and booleans, read by an interpreter that can do nothing else.

It knows the opcodes that build lists, tuples, bytes, text, numbers and booleans. A function's
name is looked up in a table of six, which `_machine` implements:
nothing is imported, nothing is called. Byte strings are views into the data, not copies.
"""

from __future__ import annotations

from typing import Any

from efm3.evaluation._machine import Array, Pairs
from efm3.findings import refuse
from efm3.pickles import Damaged, Refused


def loads(data: bytes | bytearray | memoryview, place: str) -> Any:
    """What the pickle holds: lists, tuples, memoryviews (bytes), str, int, bool, None, `Array`.

    Raises Efm3Error F002 or F003 with the opcode's byte as offset.
    """
    machine = Pairs(bytes(data))
    try:
        return machine.run()
    except Refused as e:
        refuse("F003" if isinstance(e, Damaged) else "F002", str(e), place, offset=machine.start,
               expected="a pickle of lists, tuples, bytes, text, numbers and truth values")


def value_of(item: Any) -> Any:
    """An Array's value; anything else as it is."""
    return item.value if isinstance(item, Array) else item
