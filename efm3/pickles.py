# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Pickles, read by a machine that can build values and do nothing else.

Nothing is imported and nothing is called: what a name, a call or an object's state becomes is up
to the reader's own subclass of `Machine`. Byte strings are views into the data, not copies.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Mapping
from typing import Any

MAX_NAME = 1 << 15
"""Longest name, in bytes."""
MAX_MEMO = 1 << 32
"""The memo's numbers are below this: larger ones could be chosen to collide in a dict."""

MARK = object()


class Refused(Exception):
    """A pickle that is not read further."""


class Damaged(Refused):
    """It is no pickle, or one that ends too early."""


class Forbidden(Refused):
    """It asks for something that the reader does not do."""


class Machine:
    """A stack, a memo, and what the opcodes do with them.

    It reads `data` at `at`; `start` is the offset of the current opcode. A subclass has the
    opcodes that it allows in `codes`, and fills in `name`, `call` and `state`.
    """

    codes: Mapping[int, Callable[[Any], Any]]
    most = 4_000_000
    """Most opcodes of one pickle. A set of 12,000 pictures has about 60,000."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.raw, self.data = data, memoryview(data)
        self.at = self.start = at
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.made = 0

    def run(self) -> Any:
        """The value of the pickle; `at` is then behind it. Raises Damaged, Forbidden."""
        codes, raw, size = self.codes, self.raw, len(self.raw)
        for _ in range(self.most):
            at = self.start = self.at
            if at >= size:
                raise Damaged("the pickle ends before its STOP")
            self.at = at + 1
            action = codes.get(raw[at])
            if action is not None:
                action(self)
            elif raw[at] == _STOP:
                if len(self.stack) != 1 or self.stack[0] is MARK:
                    raise Damaged(f"{len(self.stack)} values at the end, not one")
                return self.stack[0]
            elif raw[at] in WORDS:
                raise Forbidden(f"opcode {WORDS[raw[at]]} is not allowed")
            else:
                raise Damaged(f"byte 0x{raw[at]:02x} is not a pickle opcode")
        raise Damaged(f"more than {self.most:,} opcodes")

    # What a subclass decides.

    def name(self, module: str, name: str) -> Any:
        """What stands for a name. Raises Forbidden."""
        raise Forbidden(f"asks for {module[:100]}.{name[:100]}")

    def call(self, what: Any, args: Any) -> Any:
        """What stands for the result of a call. Raises Forbidden."""
        raise Forbidden("calls something")

    def state(self, target: Any, state: Any) -> Any:
        """`target` after its state was set. Raises Forbidden."""
        raise Forbidden("sets the state of something")

    # Bytes of the file.

    def take(self, count: int) -> memoryview:
        """The next `count` bytes. Raises Damaged."""
        if count > len(self.data) - self.at:
            raise Damaged(f"{count:,} bytes announced, {len(self.data) - self.at:,} left")
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, size: int, signed: bool = False) -> int:
        """The next `size` bytes as a number."""
        return int.from_bytes(self.take(size), "little", signed=signed)

    def line(self, most: int = MAX_NAME) -> bytes:
        """The next line, without its end. Raises Damaged where it is longer than `most`."""
        start, end = self.at, self.raw.find(b"\n", self.at, self.at + most + 1)
        if end < 0:
            raise Damaged(f"a line without an end in {most:,} bytes")
        self.at = end + 1
        return self.raw[start:end]

    # The stack.

    def push(self, value: Any) -> None:
        """Put a value on the stack."""
        self.stack.append(value)

    def pop(self) -> Any:
        """Take a value from the stack. Raises Damaged."""
        if not self.stack or self.stack[-1] is MARK:
            raise Damaged("the stack is empty")
        return self.stack.pop()

    def since_mark(self) -> list[Any]:
        """Take the values behind the last mark, and the mark."""
        for i in range(len(self.stack) - 1, -1, -1):
            if self.stack[i] is MARK:
                values = self.stack[i + 1:]
                del self.stack[i:]
                return values
        raise Damaged("no mark on the stack")

    def extend(self, values: list[Any]) -> None:
        """Append to the list on the stack."""
        if not self.stack or not isinstance(self.stack[-1], list):
            raise Damaged("values to append, and no list")
        self.stack[-1].extend(values)

    def tuple_of(self, count: int) -> None:
        """Make a tuple of the last values."""
        values = [self.pop() for _ in range(count)]
        self.push(tuple(reversed(values)))

    def put(self, key: int) -> None:
        """Remember the value on the stack."""
        if not 0 <= key < MAX_MEMO:
            raise Damaged(f"entry {key} of the memo")
        if not self.stack or self.stack[-1] is MARK:
            raise Damaged("the stack is empty")
        self.memo[key] = self.stack[-1]

    def get(self, key: int) -> None:
        """Put a remembered value on the stack."""
        if key not in self.memo:
            raise Damaged(f"entry {key} of the memo was never written")
        self.push(self.memo[key])

    # Values.

    def bytes_of(self, count: int) -> None:
        """A byte string: a view of the data."""
        self.push(self.take(count))

    def string_of(self, count: int) -> None:
        """A string of Python 2, which is bytes."""
        self.bytes_of(count)

    def text_of(self, count: int) -> None:
        """A text in UTF-8."""
        encoded = bytes(self.take(count))
        self.spend(count)
        self.push(self.decoded(lambda: encoded.decode("utf-8", "surrogatepass")))

    def decoded(self, make: Callable[[], Any]) -> Any:
        """What `make` gives. Raises Damaged where it cannot."""
        try:
            return make()
        except (ValueError, OverflowError) as e:
            raise Damaged(str(e)) from None

    def spend(self, count: int) -> None:
        """Copied text and its encoding together are limited to four times the file's size."""
        self.made += count
        if self.made > 4 * len(self.data):
            raise Damaged("far more text than the file holds")

    def digits(self) -> int:
        """A number in decimal digits."""
        line = self.line(64).removesuffix(b"L")
        if not re.fullmatch(rb"[+-]?[0-9]{1,40}", line):
            raise Damaged(f"{line!r} is not a number")
        return int(line)

    def integer(self) -> None:
        """A number or a truth value in digits."""
        if bytes(self.data[self.at:self.at + 3]) in (b"00\n", b"01\n"):
            self.push(self.line() == b"01")
        else:
            self.push(self.digits())

    def quoted(self) -> None:
        """A string of Python 2 as its repr wrote it."""
        line = self.line(len(self.data))
        if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
            raise Damaged("a string without its quotes")
        self.spend(len(line))
        self.push(memoryview(_ESCAPE.sub(_unescaped, line[1:-1])))

    def raw_text(self) -> None:
        """A text with its escapes."""
        line = self.line(len(self.data))
        self.spend(len(line))
        self.push(self.decoded(lambda: line.decode("raw-unicode-escape")))

    # Names and objects.

    def global_line(self) -> None:
        """A name in two lines."""
        module, name = (self.line().decode("latin1") for _ in range(2))
        self.push(self.name(module, name))

    def global_stack(self) -> None:
        """A name in two texts on the stack."""
        name, module = self.pop(), self.pop()
        if not isinstance(module, str) or not isinstance(name, str):
            raise Damaged("a name that is not text")
        self.push(self.name(module, name))

    def reduce(self) -> None:
        """A call."""
        args, what = self.pop(), self.pop()
        self.push(self.call(what, args))

    def build(self) -> None:
        """An object's state."""
        state, target = self.pop(), self.pop()
        self.push(self.state(target, state))


# What Python 2's repr writes.
_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|.|$)", re.DOTALL)
_ESCAPED = {b"\\": b"\\", b"'": b"'", b'"': b'"', b"n": b"\n", b"r": b"\r", b"t": b"\t"}


def _unescaped(match: re.Match[bytes]) -> bytes:
    word = match[1]
    if len(word) == 3:
        return bytes([int(word[1:], 16)])
    if word not in _ESCAPED:
        raise Damaged(f"{match[0]!r} is not an escape of a string")
    return _ESCAPED[word]


WORDS = {ord(value): word for word, value in vars(pickle).items()
         if word.isupper() and isinstance(value, bytes) and len(value) == 1}
"""Every opcode's name by its byte."""
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
    pickle.LONG1: lambda m: m.push(m.number(m.number(1), signed=True)),
    pickle.STRING: Machine.quoted,
    pickle.BINSTRING: lambda m: m.string_of(m.number(4)),
    pickle.SHORT_BINSTRING: lambda m: m.string_of(m.number(1)),
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
COMMON = {ord(code): action for code, action in _ACTIONS.items()}
"""Opcodes of lists, tuples, bytes, text, numbers, truth values, names and calls."""
