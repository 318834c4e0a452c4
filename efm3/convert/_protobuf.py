# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Protocol buffers without a library: a message of either form, and the reader of the wire form.

What the fields of a number mean is in a schema, a dict from the number to (name, kind). A kind is
`WHOLE`, `REAL`, `WORD`, `SPAN` (where the bytes are, not read further), or another schema. Fields
that the schema does not name are passed over.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

from efm3.convert._unread import Data
from efm3.findings import printable, refuse

MOST_FIELDS = 100_000
"""Most fields of a file: an empty message takes two bytes there and 300 in memory."""
MOST_WORD = 100
"""Longest text of a number."""
MOST_TEXT = 1 << 24
"""Most bytes of a text on the wire."""
WHOLE, REAL, WORD, SPAN = "whole", "real", "word", "span"
VARINT, EIGHT, BYTES, FOUR = 0, 1, 2, 5
Schema = Mapping[int, "tuple[str, str | Schema]"]


class Span(NamedTuple):
    """Bytes of a file, from start to end."""

    start: int
    end: int


class Message:
    """The values of each field, in order: numbers, texts, messages, spans.

    In a text form numbers are still texts. `place` is where it begins. Where a field that occurs
    once occurs more often, the last one counts, as for any reader of the wire form. X003 for a
    value of another kind than asked for.
    """

    __slots__ = ("_fields", "place")

    def __init__(self, place: str) -> None:
        self.place = place
        self._fields: dict[str, list[Any]] = {}

    def put(self, name: str, value: Any) -> None:
        """Add a value."""
        self._fields.setdefault(name, []).append(value)

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def _wrong(self, name: str, value: Any, what: str) -> NoReturn:
        word = "a message" if isinstance(value, Message) else repr(printable(str(value)[:40]))
        refuse("X003", f"{self.place}: {name} is {word}, not {what}", self.place)

    def _each(self, name: str, kind: type | tuple[type, ...], what: str) -> list[Any]:
        values = self._fields.get(name, [])
        for v in values:
            if not isinstance(v, kind):
                self._wrong(name, v, what)
        return values

    def all(self, name: str) -> list[Message]:
        """The messages in a field."""
        return self._each(name, Message, "a message")

    def sub(self, name: str) -> Message:
        """The message in a field; an empty one where there is none."""
        found = self.all(name)
        return found[-1] if found else Message(self.place)

    def spans(self, name: str) -> list[Span]:
        """The spans in a field."""
        return self._each(name, Span, "bytes")

    def words(self, name: str) -> list[str]:
        """The texts in a field."""
        return self._each(name, str, "a text")

    def word(self, name: str, default: str = "") -> str:
        """The text in a field."""
        return [default, *self.words(name)][-1]

    def choice(self, name: str, names: Sequence[str], default: str) -> str:
        """The name in a field, which on the wire is a number among `names`."""
        value: str | int = [default, *self._each(name, (str, int), "a name")][-1]
        if isinstance(value, str):
            return value
        if not 0 <= value < len(names):
            self._wrong(name, value, f"one of {', '.join(names)}")
        return names[value]

    def wholes(self, name: str) -> list[int]:
        """The whole numbers in a field."""
        return [self._number(name, v, int, "a whole number") for v in self._fields.get(name, [])]

    def whole(self, name: str, default: int) -> int:
        """The whole number in a field."""
        return [default, *self.wholes(name)][-1]

    def reals(self, name: str) -> list[float]:
        """The numbers in a field."""
        return [self._number(name, v, float, "a number") for v in self._fields.get(name, [])]

    def real(self, name: str, default: float) -> float:
        """The number in a field."""
        return [default, *self.reals(name)][-1]

    def _number(self, name: str, value: Any, kind: Callable[[Any], Any], what: str) -> Any:
        if isinstance(value, str) and len(value) <= MOST_WORD:
            text = value if kind is int else value.rstrip("fF") or value
            with contextlib.suppress(ValueError):
                return kind(text)
        elif isinstance(value, (int, float)):
            return kind(value)
        self._wrong(name, value, what)

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        value = [default, *self._each(name, (str, int), "true or false")][-1]
        if value not in (0, 1, "true", "false", "t", "f", "1", "0", "True", "False"):
            self._wrong(name, value, "true or false")
        return value in (1, "true", "t", "1", "True")


class Wire:
    """The wire form of a file's messages. Every refusal is X003 and names the byte."""

    def __init__(self, data: Data, path: str, most: int = MOST_FIELDS) -> None:
        self.data, self.path = data, printable(path)
        self._most = self._left = most

    def _bad(self, at: int, why: str) -> NoReturn:
        refuse("X003", f"{self.path} is damaged at byte {at:,}: {why}", self.path, offset=at)

    def varint(self, at: int, end: int) -> tuple[int, int]:
        """A number of 7 bits a byte, and where it ends."""
        value = 0
        for i in range(10):
            if at + i >= end:
                self._bad(at, "a number is cut off")
            byte = self.data[at + i]
            value |= (byte & 0x7F) << (7 * i)
            if byte < 0x80:
                return value & (1 << 64) - 1, at + i + 1
        self._bad(at, "a number has more than 10 bytes")

    def fields(self, start: int, end: int) -> Iterator[tuple[int, int, int, Span]]:
        """(number, wire type, value, bytes) of each field; the value is a varint's."""
        at = start
        while at < end:
            self._left -= 1
            if self._left < 0:
                self._bad(at, f"it has more than {self._most:,} fields")
            first = at
            tag, at = self.varint(at, end)
            number, kind, value = tag >> 3, tag & 7, 0
            if kind == VARINT:
                value, stop = self.varint(at, end)
            elif kind == BYTES:
                size, at = self.varint(at, end)
                stop = at + size
            elif kind in (EIGHT, FOUR):
                stop = at + (8 if kind == EIGHT else 4)
            else:
                self._bad(first, f"field {number} has wire type {kind}")
            if stop > end:
                self._bad(first, f"field {number} has {stop - at:,} bytes, where {end - at:,} "
                                 "remain")
            if number == 0:
                self._bad(first, "a field has the number 0")
            yield number, kind, value, Span(at, stop)
            at = stop

    def message(self, span: Span, schema: Schema) -> Message:
        """The message in these bytes. Schemas end, and so does the recursion."""
        out = Message(f"{self.path}, byte {span.start:,}")
        for number, wire, value, body in self.fields(*span):
            name, kind = schema.get(number, ("", ""))
            if not name:
                continue
            if not isinstance(kind, str):
                self._is(wire, BYTES, body, name)
                out.put(name, self.message(body, kind))
            elif kind == SPAN:
                self._is(wire, BYTES, body, name)
                out.put(name, body)
            elif kind == WORD:
                self._is(wire, BYTES, body, name)
                if body.end - body.start > MOST_TEXT:
                    self._bad(body.start, f"{name} has {body.end - body.start:,} bytes of text")
                out.put(name, bytes(self.data[body.start:body.end]).decode("utf-8", "replace"))
            elif kind == REAL:
                for v in self._reals(wire, body, name):
                    out.put(name, v)
            elif wire == BYTES:
                for v in self._wholes(body):
                    out.put(name, v)
            else:
                self._is(wire, VARINT, body, name)
                out.put(name, _signed(value))
        return out

    def _is(self, wire: int, want: int, body: Span, name: str) -> None:
        if wire != want:
            self._bad(body.start, f"{name} has wire type {wire}, not {want}")

    def _wholes(self, body: Span) -> Iterator[int]:
        at = body.start
        while at < body.end:
            self._left -= 1
            if self._left < 0:
                self._bad(at, f"it has more than {self._most:,} fields")
            value, at = self.varint(at, body.end)
            yield _signed(value)

    def _reals(self, wire: int, body: Span, name: str) -> Iterator[float]:
        count, rest = divmod(body.end - body.start, 4)
        self._left -= count
        if wire not in (FOUR, BYTES) or rest or self._left < 0:
            self._bad(body.start, f"{name} has {body.end - body.start:,} bytes of wire type {wire}")
        return iter(struct.unpack(f"<{count}f", self.data[body.start:body.end]))


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value
