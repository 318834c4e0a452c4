# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A JSON parser for the mirror, written by hand, in which each check can be missed alone.

With no switch it reads what the mirror's grammar allows and refuses all else. A switch of
`_switches.LENIENT` takes one thing more, one of `_switches.STRICT` refuses one thing that is legal.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from tools.mutants._switches import ESCAPES, NUMBERS, SPACES

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_TOKEN = re.compile(r"[\w+\-.$]+")
_WORDS = {"true": True, "false": False, "null": None}
_LETTERS = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_HEX = re.compile(r"[0-9a-fA-F]{4}")
_UTF8 = (  # lead byte from, to; second byte from, to; bytes in all; what is wrong
    (0x80, 0xBF, 0, 255, 1, "continuation"), (0xC0, 0xC1, 0, 255, 2, "overlong 2"),
    (0xE0, 0xE0, 0x80, 0x9F, 3, "overlong 3"), (0xF0, 0xF0, 0x80, 0x8F, 4, "overlong 4"),
    (0xED, 0xED, 0xA0, 0xBF, 3, "surrogate bytes"), (0xF4, 0xF4, 0x90, 0xBF, 4, "beyond"),
    (0xF5, 0xF7, 0, 255, 4, "beyond"), (0xF8, 0xFB, 0, 255, 5, "five bytes"),
    (0xFE, 0xFF, 0, 255, 1, "never"))


def _bad(data: bytes) -> tuple[str, int]:
    """What is wrong with the UTF-8 sequence that starts here, and how many bytes it takes."""
    second = data[1] if len(data) > 1 else 0
    for lo, hi, lo2, hi2, size, name in _UTF8:
        if lo <= data[0] <= hi and lo2 <= second <= hi2:
            return name, size
    return "cut", next((i for i in range(1, len(data)) if not 0x80 <= data[i] <= 0xBF), len(data))


class Grammar:
    """A parser with one switch, "" for none; `refused` is what it raises."""

    def __init__(self, switch: str, refused: Callable[[str], Exception]) -> None:
        self._switch, self._refused = switch, refused
        self._text, self._at, self._open, self._ended = "", 0, list[str](), False
        self._opened = 0

    def _no(self, why: str) -> Exception:
        return self._refused(f"{why} at {self._at}")

    def _may(self, switch: str) -> bool:
        return self._switch == switch

    def _forbid(self, switch: str) -> None:
        """A legal thing: refused by the one strict switch that forbids it."""
        if self._switch == switch:
            raise self._no(switch)

    def parse(self, text: bytes) -> dict[str, Any]:
        """The mirror's value. Raises what `refused` makes."""
        bom = text.startswith(b"\xef\xbb\xbf")
        if bom and not self._may("byte order mark"):
            raise self._no("a byte order mark")
        self._text, self._at = self._decoded(text[3:] if bom else text), 0
        self._open, self._ended, self._opened = [], False, 0
        self._space()
        value = self._value()
        rest = self._text[self._at:]
        if not self._ended and rest.strip(" ") and not self._follows(rest):
            raise self._no("something follows")
        if self._may("an array around it") and isinstance(value, list):
            value = value[0]
        if self._may("the text in a string") and isinstance(value, str):
            return Grammar("", self._refused).parse(value.encode())
        if not isinstance(value, dict):
            raise self._no("no object")
        return value

    def _follows(self, rest: str) -> bool:
        """What may come after the object by a switch."""
        kinds = {"after: newline": "\n", "after: return": "\r", "after: tab": "\t",
                 "after: nul": "\0"}
        if self._may("after: anything"):
            return bool(rest.strip(" \n\r\t\0"))
        return self._switch in kinds and not rest.strip(" " + kinds[self._switch])

    def _decoded(self, text: bytes) -> str:
        out = ""
        while True:
            try:
                return out + text.decode("utf-8")
            except UnicodeDecodeError as e:
                kind, size = _bad(text[e.start:])
                if not self._may(f"UTF-8: {kind}"):
                    raise self._no(f"UTF-8: {kind}") from None
                out += text[:e.start].decode("utf-8") + "\ufffd"
                text = text[e.start + size:]

    def _end(self, where: str) -> bool:
        """At the end of the text: True where the switch takes it for the end of all."""
        if self._at < len(self._text):
            return False
        if not self._ended and not self._may(f"ends {where}"):
            raise self._no(f"the end {where}")
        self._ended = True
        return True

    def _space(self) -> None:
        while self._at < len(self._text):
            c = self._text[self._at]
            if c in " \t\n\r":
                if self._open:
                    self._forbid({" ": "no spaces", "\t": "no tabs", "\n": "no line feeds",
                                  "\r": "no returns"}[c])
            elif not (c in SPACES and self._may(SPACES[c])):
                if not self._comment():
                    return
                continue
            self._at += 1

    def _comment(self) -> bool:
        for start, end, switch in (("//", "\n", "comment //"), ("/*", "*/", "comment /*"),
                                   ("#", "\n", "comment #")):
            if self._text.startswith(start, self._at) and self._may(switch):
                stop = self._text.find(end, self._at + len(start))
                self._at = len(self._text) if stop < 0 else stop + len(end)
                return True
        return False

    def _value(self) -> Any:
        c = self._text[self._at:self._at + 1]
        if c == '"' or (c == "'" and self._may("single quotes")):
            return self._string(c)
        if c == "{":
            return self._object()
        if c == "[":
            return self._array()
        m = _TOKEN.match(self._text, self._at)
        if m is None:
            raise self._no("no value")
        token, self._at = m.group(), m.end()
        return self._word(token)

    def _word(self, token: str) -> Any:
        if token in _WORDS:
            return _WORDS[token]
        if _NUMBER.fullmatch(token):
            return self._number(token)
        last = self._at == len(self._text)
        if last and self._switch == "ends inside a word" and any(
                w.startswith(token) for w in _WORDS):
            return self._end("inside a word")
        if last and token == "-" and self._may("ends after a minus"):
            return self._end("after a minus")
        if self._switch in NUMBERS and re.fullmatch(NUMBERS[self._switch], token):
            return 0
        raise self._no(f"no value: {token[:20]}")

    def _number(self, token: str) -> Any:
        m = _NUMBER.fullmatch(token)
        assert m is not None
        if m.group(1) is None and m.group(2) is None:
            digits = len(token.lstrip("-"))
            if digits > 20 - self._may("19 digits at most") and not self._may("21 digits"):
                raise self._no("too many digits")
            return int(token)
        exponent = m.group(2) or ""
        for switch, sign in (("no capital E", "E"), ("no plus in an exponent", "+"),
                             ("no exponent", "e")):
            if sign in exponent:
                self._forbid(switch)
        value = float(token)
        if math.isinf(value):
            switch = "minus overflows" if value < 0 else "plus overflows"
            if not self._may("exponent of 32 bits" if len(exponent) > 10 else switch):
                raise self._no("overflow")
            return 0.0
        return value

    def _string(self, quote: str) -> str:
        self._at += 1
        out = ""
        while not self._end("in a string"):
            c = self._text[self._at]
            self._at += 1
            if c == quote:
                return self._checked(out)
            if c == "\\":
                if self._end("after a backslash"):
                    break
                out += self._escape()
            elif c < " " and not self._may(f"raw {ord(c):02x}"):
                raise self._no(f"raw {ord(c):02x}")
            else:
                for switch, char in (("no raw DEL", "\x7f"), ("no raw U+2028", "\u2028"),
                                     ("no raw U+FEFF", "\ufeff")):
                    if c == char:
                        self._forbid(switch)
                if c > "\uffff":
                    self._forbid("no raw character of four bytes")
                out += c if c != "\0" else "?"
        return self._checked(out)

    def _checked(self, text: str) -> str:
        if "\0" in text and not self._may("nul by escape"):
            raise self._no("nul")
        return text

    def _escape(self) -> str:
        c = self._text[self._at]
        self._at += 1
        if c in _LETTERS:
            self._forbid(f"no escape {c}")
            return _LETTERS[c]
        if c == "u":
            return self._unicode()
        if c in ESCAPES and self._may(ESCAPES[c]):
            return c
        raise self._no(f"escape {c}")

    def _hex(self) -> int:
        """The number of a u escape; -1 where the text ends in it and a switch takes that."""
        m = _HEX.match(self._text, self._at)
        if m:
            self._at = m.end()
            if m.group() != m.group().lower():
                self._forbid("no upper-case hex digits")
            return int(m.group(), 16)
        four = self._text[self._at:self._at + 4]
        if len(four) < 4 and self._may("ends inside a u escape"):
            self._at = len(self._text)
            return -1 if self._end("inside a u escape") else 0
        for switch, pattern in (("u escape of 3 digits", '[0-9a-f]{3}[^0-9a-f]'),
                                ("u escape with a sign", r"[+-][0-9a-f]{3}"),
                                ("u escape with a space", " [0-9a-f]{3}"),
                                ("u escape of other letters", "[0-9a-z]{4}")):
            if self._may(switch) and re.fullmatch(pattern, four):
                self._at += 3 if "3 digits" in switch else 4
                return 0x41
        raise self._no("a u escape")

    def _unicode(self) -> str:
        n = self._hex()
        if n < 0 or not 0xD800 <= n <= 0xDFFF:
            return "" if n < 0 else chr(n)
        before, follows = self._at, self._text.startswith("\\u", self._at)
        other = -1
        if follows:
            self._at += 2
            other = self._hex()
        if n < 0xDC00 and 0xDC00 <= other <= 0xDFFF:
            self._forbid("no pairs of surrogates")
            return chr(0x10000 + (n - 0xD800 << 10) + other - 0xDC00)
        if n < 0xDC00 and follows and not 0xD800 <= other <= 0xDFFF and self._may(
                "high half before another escape"):
            return "?"
        if n >= 0xDC00 and 0xD800 <= other <= 0xDBFF and self._may("halves exchanged"):
            return "?"
        self._at = before
        if self._may("lone low half" if n >= 0xDC00 else "lone high half") and not follows:
            return "?"
        if self._may("high half before a pair") and n < 0xDC00 and 0xD800 <= other < 0xDC00:
            return "?"
        raise self._no("half a pair")

    def _enter(self, bracket: str) -> None:
        self._open.append(bracket)
        self._opened += 1
        deep = len(self._open)
        if self._may("depth of arrays alone"):
            deep = self._open.count("[")
        elif self._may("depth of objects alone"):
            deep = self._open.count("{")
        elif self._may("depth of each kind"):
            deep = max(map(self._open.count, "[{"))
        elif self._may("depth never falls"):
            deep = self._opened
        if deep > 16 + self._may("depth 17") - self._may("no depth 16"):
            raise self._no("too deep")
        self._at += 1
        self._space()

    def _object(self) -> dict[str, Any]:
        out: dict[str, Any] = {}
        self._enter("{")
        spelled = set[str]()

        def pair() -> None:
            start = self._at
            key = self._key()
            raw = self._text[start:self._at]
            if key in out and not (self._may(f"keys twice at depth {min(len(self._open), 3)}")
                                   or (self._may("keys compared as spelled")
                                       and raw not in spelled)):
                raise self._no("a key twice")
            spelled.add(raw)
            if not self._ended:
                self._space()
                if not self._end("after a key"):
                    self._colon()
            out.setdefault(key, None if self._ended or self._end("after a colon")
                           else self._value())
        self._items("}", pair, "object")
        if not out:
            self._forbid("no empty objects")
        return out

    def _key(self) -> str:
        c = self._text[self._at]
        if c == '"' or (c == "'" and self._may("single quotes")):
            key = self._string(c)
            if key == "":
                self._forbid("no empty keys")
            return key
        m = _TOKEN.match(self._text, self._at)
        if m is None or not self._may("keys without quotes"):
            raise self._no("no key")
        self._at = m.end()
        return m.group()

    def _colon(self) -> None:
        c = self._text[self._at]
        if c == ":" or (c == "=" and self._may("equals for a colon")):
            self._at += 1
        elif not self._may("no colon"):
            raise self._no("no colon")
        if self._text.startswith(":", self._at) and self._may("two colons"):
            self._at += 1
        self._space()

    def _array(self) -> list[Any]:
        out: list[Any] = []
        self._enter("[")
        self._items("]", lambda: out.append(self._value()), "array")
        if not out:
            self._forbid("no empty arrays")
        return out

    def _items(self, close: str, item: Callable[[], object], what: str) -> None:
        """What stands between brackets."""
        if self._text.startswith(",", self._at) and self._may(f"comma first in an {what}"):
            self._comma()
        first = True
        while not self._end("before a bracket" if not first else "after a bracket"):
            if self._closed(close, first, what):
                return
            if not first:
                self._separate(what)
                if self._end("after a comma"):
                    return
                if self._closed(close, not self._may(f"comma last in an {what}"), what, True):
                    return
            item()
            if self._ended:
                return
            self._space()
            first = False

    def _closed(self, close: str, first: bool, what: str, comma: bool = False) -> bool:
        c = self._text[self._at]
        if c != close and not (c in "]}" and self._may("any bracket closes")):
            return False
        if comma and first:
            raise self._no(f"comma last in an {what}")
        self._at += 1
        self._open.pop()
        return True

    def _comma(self) -> None:
        self._at += 1
        self._space()

    def _separate(self, what: str) -> None:
        c = self._text[self._at]
        if c == "," or (c == ";" and self._may("semicolon for a comma")):
            self._comma()
            if self._text.startswith(",", self._at) and self._may(f"two commas in an {what}"):
                self._comma()
        elif not self._may(f"no comma in an {what}"):
            raise self._no("no comma")
