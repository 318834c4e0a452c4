# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The text form of protocol buffers, as Caffe's prototxt files are written."""

from __future__ import annotations

import re
from typing import NoReturn

from efm3.convert._protobuf import Message
from efm3.convert._unread import Data
from efm3.findings import printable, refuse

MOST_TEXT = 1 << 19
"""Largest text: as Python objects one takes up to 60 times its size."""
DEEPEST = 16
OPEN, CLOSE = "{<", {"{": "}", "<": ">"}

_TOKEN = re.compile(r"""
    (?:[ \t\r\n\f\v]+ | \#[^\n]*)                # blanks and comments
  | ([-+.\w]+)                                   # a name or a number
  | "([^"\\\n]*)" | '([^'\\\n]*)'
  | ([{}<>:;,\[\]])
""", re.VERBOSE | re.ASCII)
NAME, MARK = 1, 4
"""The token's group; texts are 2 and 3."""


class _Tokens:
    """The tokens of a text: `kind` and `token` are the next one, kind 0 at the end."""

    def __init__(self, text: str, path: str) -> None:
        self._text, self._path = text, path
        self._at = self._counted = 0
        self._line = 1
        self.kind, self.token = 0, ""
        self.take()

    def take(self) -> str:
        """The next token, which is gone then."""
        gone = self.token
        self.kind, self.token = 0, ""
        while self._at < len(self._text):
            m = _TOKEN.match(self._text, self._at)
            if m is None:
                self.bad(f"{printable(self._text[self._at:self._at + 20])!r} is no message's text")
            self._at = m.end()
            if m.lastindex is not None:
                self.kind, self.token = m.lastindex, m[m.lastindex]
                break
        return gone

    def place(self) -> str:
        """The file and the line."""
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return f"{self._path}, line {self._line}"

    def bad(self, why: str) -> NoReturn:
        """Refuses the text at the next token."""
        refuse("X003", f"{self.place()}: {why}", self._path)

    def value(self) -> str:
        """A value: a name, a number, or texts that follow one another."""
        if self.kind in (0, MARK):
            self.bad(f"{self.token!r} where a value should be" if self.kind else
                     "it ends before a value")
        quoted = self.kind != NAME
        parts = [self.take()]
        while quoted and self.kind not in (0, NAME, MARK):
            parts.append(self.take())
        return "".join(parts)


def parse(data: Data, path: str) -> Message:
    """The message of a text. Raises X003, with the line."""
    path = printable(path)
    if len(data) > MOST_TEXT:
        refuse("X003", f"{path} has {len(data):,} bytes, more than a text of this network needs",
               path, len(data), f"at most {MOST_TEXT:,}")
    # Comments are in any encoding; names are matched as they come out.
    tokens = _Tokens(bytes(data[:]).decode("utf-8-sig", "replace"), path)
    message, closing = Message(path), ""
    outer: list[tuple[Message, str]] = []
    while tokens.kind or closing:
        if tokens.kind == MARK and tokens.token in ";,":
            tokens.take()
        elif tokens.kind == MARK and tokens.token == closing:
            tokens.take()
            message, closing = outer.pop()
        elif tokens.kind != NAME:
            tokens.bad(f"{printable(tokens.token)!r} where a field's name should be"
                       if tokens.kind else f"it ends before {closing!r}")
        else:
            name = tokens.take()
            colon = tokens.token == ":" and tokens.kind == MARK
            if colon:
                tokens.take()
            if tokens.kind == MARK and tokens.token in OPEN:
                outer.append((message, closing))
                if len(outer) > DEEPEST:
                    tokens.bad(f"messages are nested deeper than {DEEPEST}")
                inner = Message(tokens.place())
                message.put(name, inner)
                message, closing = inner, CLOSE[tokens.take()]
            elif not colon:
                tokens.bad(f"neither a value nor a message follows {printable(name)[:40]!r}")
            else:
                for value in _values(tokens):
                    message.put(name, value)
    return message


def _values(tokens: _Tokens) -> list[str]:
    """The value after a colon, or the several in brackets."""
    if tokens.kind != MARK or tokens.token != "[":
        return [tokens.value()]
    tokens.take()
    out = []
    while tokens.kind != MARK or tokens.token != "]":
        out.append(tokens.value())
        if tokens.kind == MARK and tokens.token == ",":
            tokens.take()
    tokens.take()
    return out
