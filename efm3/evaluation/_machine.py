# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The machine of `pickles`: a stack, a memo, and what the allowed opcodes do with them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MAX_NUMBER = 1 << 15
"""Longest name, in bytes."""

NAMES = {
    **{(module, name): name for module in ("numpy.core.multiarray", "numpy._core.multiarray")
       for name in ("scalar", "_reconstruct")},
    ("_codecs", "encode"): "encode",
    ("numpy", "dtype"): "dtype",
    ("numpy", "ndarray"): "ndarray",
}
"""Python 3's way to write bytes in protocols 0 to 2, and numpy's to write bools and bytes."""

MARK = object()


@dataclass(frozen=True)
class Name:
    """A name that was looked up in NAMES."""

    word: str


@dataclass(frozen=True)
class Dtype:
    """numpy's bool, `b1`, or uint8, `u1`."""

    word: str


@dataclass
class Array:
    """A numpy array; `value` is a list of bools, or bytes, or None before its state came."""

    value: Any = None


class Refused(Exception):
    """A pickle that is refused, with the code of the reason."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Machine:
    """Reads `data` at `at`; `start` is the offset of the current opcode."""

    def __init__(self, data: bytes) -> None:
        self.raw, self.data = data, memoryview(data)
        self.at = self.start = 0
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.made = 0

    # Bytes of the file.

    def take(self, count: int) -> memoryview:
        if count > len(self.data) - self.at:
            raise Refused("F003", f"{count:,} bytes announced, {len(self.data) - self.at:,} left")
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, size: int, signed: bool = False) -> int:
        return int.from_bytes(self.take(size), "little", signed=signed)

    def line(self, most: int = MAX_NUMBER) -> bytes:
        start, end = self.at, self.raw.find(b"\n", self.at, self.at + most + 1)
        if end < 0:
            raise Refused("F003", f"a line without an end in {most:,} bytes")
        self.at = end + 1
        return self.raw[start:end]

    # The stack.

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        if not self.stack or self.stack[-1] is MARK:
            raise Refused("F003", "the stack is empty")
        return self.stack.pop()

    def since_mark(self) -> list[Any]:
        for i in range(len(self.stack) - 1, -1, -1):
            if self.stack[i] is MARK:
                values = self.stack[i + 1:]
                del self.stack[i:]
                return values
        raise Refused("F003", "no mark on the stack")

    def extend(self, values: list[Any]) -> None:
        if not self.stack or not isinstance(self.stack[-1], list):
            raise Refused("F003", "values to append, and no list")
        self.stack[-1].extend(values)

    def tuple_of(self, count: int) -> None:
        values = [self.pop() for _ in range(count)]
        self.push(tuple(reversed(values)))

    def put(self, key: int) -> None:
        value = self.pop()
        self.memo[key] = value
        self.push(value)

    def get(self, key: int) -> None:
        if key not in self.memo:
            raise Refused("F003", f"entry {key} of the memo was never written")
        self.push(self.memo[key])

    # Values.

    def bytes_of(self, count: int) -> None:
        self.push(self.take(count))

    def text_of(self, count: int) -> None:
        encoded = bytes(self.take(count))
        self.spend(count)
        self.push(self.decoded(lambda: encoded.decode("utf-8", "surrogatepass")))

    def decoded(self, make: Callable[[], Any]) -> Any:
        try:
            return make()
        except (ValueError, OverflowError) as e:
            raise Refused("F003", str(e)) from None

    def spend(self, count: int) -> None:
        """Copied text and its encoding together are limited to four times the file's size."""
        self.made += count
        if self.made > 4 * len(self.data):
            raise Refused("F003", "far more text than the file holds")

    def digits(self) -> int:
        line = self.line(64).removesuffix(b"L")
        if not re.fullmatch(rb"[+-]?[0-9]{1,40}", line):
            raise Refused("F003", f"{line!r} is not a number")
        return int(line)

    def integer(self) -> None:
        if bytes(self.data[self.at:self.at + 3]) in (b"00\n", b"01\n"):
            self.push(self.line() == b"01")
        else:
            self.push(self.digits())

    def quoted(self) -> None:
        line = self.line(len(self.data))
        if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
            raise Refused("F003", "a string without its quotes")
        self.spend(len(line))
        self.push(memoryview(_ESCAPE.sub(_unescaped, line[1:-1])))

    def raw_text(self) -> None:
        line = self.line(len(self.data))
        self.spend(len(line))
        self.push(self.decoded(lambda: line.decode("raw-unicode-escape")))

    # The five names.

    def name(self, module: Any, name: Any) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise Refused("F003", "a name that is not text")
        word = NAMES.get((module, name))
        if word is None:
            raise Refused("F002", f"asks for {module[:100]}.{name[:100]}, which could run code")
        self.push(Name(word))

    def global_line(self) -> None:
        module, name = (self.line().decode("latin1") for _ in range(2))
        self.name(module, name)

    def global_stack(self) -> None:
        name, module = self.pop(), self.pop()
        self.name(module, name)

    def reduce(self) -> None:
        args, what = self.pop(), self.pop()
        word = what.word if isinstance(what, Name) else type(what).__name__
        match (word, args):
            case ("encode", (str() as text, "latin1" | "latin-1")):
                self.spend(len(text))
                self.push(memoryview(self.decoded(lambda: text.encode("latin1"))))
            case ("dtype", (str() | memoryview() as kind, *_)) if _word(kind) in ("b1", "u1"):
                self.push(Dtype(_word(kind)))
            case ("scalar", (Dtype("b1"), memoryview() as value)) if len(value) == 1:
                self.push(value[0] != 0)
            case ("_reconstruct", (Name("ndarray"), *_)):
                self.push(Array())
            case _:
                raise Refused("F002", f"calls {word} in a way that no set of pairs needs")

    def build(self) -> None:
        state, target = self.pop(), self.pop()
        match (target, state):
            case (Dtype(), tuple()):
                self.push(target)
            case (Array(), (int(), (int() as count,), Dtype() as kind, _, memoryview() as value)
                  ) if len(value) == count:
                if kind.word == "b1":
                    self.spend(count)
                    target.value = [b != 0 for b in value]
                else:
                    target.value = value
                self.push(target)
            case _:
                raise Refused("F002", "sets the state of something, which no set of pairs needs")


# What Python 2's repr writes.
_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|.|$)", re.DOTALL)
_ESCAPED = {b"\\": b"\\", b"'": b"'", b'"': b'"', b"n": b"\n", b"r": b"\r", b"t": b"\t"}


def _unescaped(match: re.Match[bytes]) -> bytes:
    word = match[1]
    if len(word) == 3:
        return bytes([int(word[1:], 16)])
    if word not in _ESCAPED:
        raise Refused("F003", f"{match[0]!r} is not an escape of a string")
    return _ESCAPED[word]


def _word(value: str | memoryview) -> str:
    """Python 2 writes text as bytes."""
    return value if isinstance(value, str) else bytes(value[:8]).decode("latin1")
