# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Pickles of byte strings and booleans, read by an interpreter that can do nothing else.

It knows the opcodes that build lists, tuples, bytes, text, numbers and booleans. A function's
name is looked up in a table of five, which `_machine` implements:
nothing is imported, nothing is called. Byte strings are views into the data, not copies.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

from efm3.evaluation._machine import MARK, Array, Machine, Refused
from efm3.findings import refuse

MAX_OPCODES = 4_000_000
"""A set of 12,000 pictures has about 60,000."""


def loads(data: bytes | bytearray | memoryview, place: str) -> Any:
    """What the pickle holds: lists, tuples, memoryviews (bytes), str, int, bool, None, `Array`.

    Raises Efm3Error F002 or F003 with the opcode's byte as offset.
    """
    machine = Machine(bytes(data))
    try:
        return _run(machine)
    except Refused as e:
        refuse(e.code, str(e), place, offset=machine.start,
               expected="a pickle of lists, tuples, bytes, text, numbers and truth values")


def value_of(item: Any) -> Any:
    """An Array's value; anything else as it is."""
    return item.value if isinstance(item, Array) else item


def _run(m: Machine) -> Any:
    for _ in range(MAX_OPCODES):
        m.start = m.at
        if m.at >= len(m.data):
            raise Refused("F003", "the pickle ends before its STOP")
        code = m.data[m.at]
        m.at += 1
        if code == _STOP:
            if len(m.stack) != 1 or m.stack[0] is MARK:
                raise Refused("F003", f"{len(m.stack)} values at the end, not one")
            return m.stack[0]
        action = _CODES.get(code)
        if action is None and code in _WORDS:
            raise Refused("F002", f"opcode {_WORDS[code]} is not allowed")
        if action is None:
            raise Refused("F003", f"byte 0x{code:02x} is not a pickle opcode")
        action(m)
    raise Refused("F003", f"more than {MAX_OPCODES:,} opcodes")


_WORDS = {ord(value): word for word, value in vars(pickle).items()
          if word.isupper() and isinstance(value, bytes) and len(value) == 1}
_STOP = ord(pickle.STOP)
_ACTIONS: dict[bytes, Callable[[Machine], Any]] = {
    pickle.PROTO: lambda m: m.take(1),
    pickle.FRAME: lambda m: m.take(8),
    pickle.MARK: lambda m: m.push(MARK),
    pickle.POP: lambda m: m.stack.pop() if m.stack else m.pop(),
    pickle.NONE: lambda m: m.push(None),
    pickle.NEWTRUE: lambda m: m.push(True),
    pickle.NEWFALSE: lambda m: m.push(False),
    pickle.INT: Machine.integer,
    pickle.LONG: lambda m: m.push(m.digits()),
    pickle.BININT: lambda m: m.push(m.number(4, signed=True)),
    pickle.BININT1: lambda m: m.push(m.number(1)),
    pickle.BININT2: lambda m: m.push(m.number(2)),
    pickle.LONG1: lambda m: m.push(m.number(min(m.number(1), 16), signed=True)),
    pickle.STRING: Machine.quoted,
    pickle.BINSTRING: lambda m: m.bytes_of(m.number(4)),
    pickle.SHORT_BINSTRING: lambda m: m.bytes_of(m.number(1)),
    pickle.BINBYTES: lambda m: m.bytes_of(m.number(4)),
    pickle.SHORT_BINBYTES: lambda m: m.bytes_of(m.number(1)),
    pickle.BINBYTES8: lambda m: m.bytes_of(m.number(8)),
    pickle.BYTEARRAY8: lambda m: m.bytes_of(m.number(8)),
    pickle.UNICODE: Machine.raw_text,
    pickle.BINUNICODE: lambda m: m.text_of(m.number(4)),
    pickle.SHORT_BINUNICODE: lambda m: m.text_of(m.number(1)),
    pickle.BINUNICODE8: lambda m: m.text_of(m.number(8)),
    pickle.EMPTY_LIST: lambda m: m.push([]),
    pickle.LIST: lambda m: m.push(m.since_mark()),
    pickle.APPEND: lambda m: m.extend([m.pop()]),
    pickle.APPENDS: lambda m: m.extend(m.since_mark()),
    pickle.EMPTY_TUPLE: lambda m: m.push(()),
    pickle.TUPLE: lambda m: m.push(tuple(m.since_mark())),
    pickle.TUPLE1: lambda m: m.tuple_of(1),
    pickle.TUPLE2: lambda m: m.tuple_of(2),
    pickle.TUPLE3: lambda m: m.tuple_of(3),
    pickle.PUT: lambda m: m.put(m.digits()),
    pickle.BINPUT: lambda m: m.put(m.number(1)),
    pickle.LONG_BINPUT: lambda m: m.put(m.number(4)),
    pickle.MEMOIZE: lambda m: m.put(len(m.memo)),
    pickle.GET: lambda m: m.get(m.digits()),
    pickle.BINGET: lambda m: m.get(m.number(1)),
    pickle.LONG_BINGET: lambda m: m.get(m.number(4)),
    pickle.GLOBAL: Machine.global_line,
    pickle.STACK_GLOBAL: Machine.global_stack,
    pickle.REDUCE: Machine.reduce,
    pickle.BUILD: Machine.build,
}
_CODES = {ord(code): action for code, action in _ACTIONS.items()}
