# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The part of ImHex's pattern language that spec/efm3.hexpat uses, and no more.

`parse` gives the declarations, `Run` reads a file by them: fields move the cursor, `std::assert`
and the end of the file refuse. A line that is in none of these forms is an error.

ImHex's own `plcli` would be the better judge; no package of Debian 12, Python or Node holds it.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Callable
from functools import cache
from types import CodeType
from typing import Any

SIZES = {"u8": 1, "u16": 2, "u32": 4, "char": 1, "float": 4}

_ATTRIBUTES = re.compile(r' \[\[color\("[0-9A-F]{6}"\), comment\("[^"]*"\)\]\](?=;)')
_FORMS = {
    "struct": re.compile(r"struct (\w+)(?:<([^>]*)>)? {$"),
    "end": re.compile(r"};?$"),
    "else": re.compile(r"} else {$"),
    "if": re.compile(r"if \((.*)\) {$"),
    "assert": re.compile(r'std::assert\((.*), "([A-Z]\d{3}: [^"]+)"\);$'),
    "local": re.compile(r"u32 (\w+) = (.*);$"),
    "set": re.compile(r"(\w+) = (.*);$"),
    "field": re.compile(r"(\w+)(?:<(.*)>)? ([a-z]\w*)(?:\[(.*)\])?(?: @ (\$|0x00))?;$"),
    "skip": re.compile(r"(#pragma [a-z]+ .+|import std\.\w+;)$"),
}


class Refused(Exception):
    """An assertion does not hold, or the file ends too early."""


class Struct(dict[str, Any]):
    """What was read of a struct: its fields and locals, also as attributes."""

    __getattr__ = dict.__getitem__


Statement = tuple[Any, ...]
"""A form's name, then its groups; of an `if` the condition and both branches."""
Pattern = tuple[dict[str, tuple[list[str], list[Statement]]], list[Statement]]
"""Structs: name to parameters and statements; then the statements outside them."""


def parse(text: str) -> Pattern:
    """The declarations of a description. Raises ValueError."""
    structs: dict[str, tuple[list[str], list[Statement]]] = {}
    top: list[Statement] = []
    body, stack = top, list[list[Statement]]()
    for number, raw in enumerate(text.splitlines(), start=1):
        line = _ATTRIBUTES.sub("", raw.split("//")[0].strip())
        if not line:
            continue
        kind, m = next(((k, m) for k, f in _FORMS.items() if (m := f.match(line))), ("", None))
        if m is None:
            raise ValueError(f"line {number}: {line}")
        if kind == "struct":
            stack.append(body)
            body = []
            structs[m[1]] = ([p.removeprefix("auto ") for p in (m[2] or "").split(", ") if p], body)
        elif kind == "if":
            stack.append(body)
            branches: tuple[list[Statement], list[Statement]] = ([], [])
            body.append(("if", m[1], *branches))
            body = branches[0]
        elif kind == "else":
            body = stack[-1][-1][3]
        elif kind == "end":
            body = stack.pop()
        elif kind != "skip":
            body.append((kind, *m.groups()))
    assert not stack
    return structs, top


@cache
def _compiled(expression: str) -> CodeType:
    words = expression
    for old, new in (("&&", " and "), ("||", " or "), (" / ", " // "), ("true", "True"),
                     ("false", "False"), ("std::core::array_index()", "array_index"),
                     ("std::mem::base_address()", "0"), ("std::mem::size()", "file_size"),
                     ("$", "cursor")):
        words = words.replace(old, new)
    words = re.sub(r"^(.+) \? (.+) : (.+)$", r"(\2) if (\1) else (\3)", words)
    return compile(words, expression, "eval")


class Run:
    """Reads `data` by a parsed pattern. Raises Refused; `globals` has what was read."""

    def __init__(self, pattern: Pattern, data: bytes) -> None:
        self.structs, top = pattern
        self.data, self.at, self.index = data, 0, 0
        self.globals = Struct()
        self._block(top, self.globals, {}, None)

    def _value(self, expression: str, scope: Struct, params: dict[str, Any],
               parent: Struct | None) -> Any:
        special: dict[str, Any] = {"array_index": self.index, "file_size": len(self.data),
                                   "cursor": self.at, "parent": parent}
        return eval(_compiled(expression), {"__builtins__": {}},
                    ChainMap(scope, params, self.globals, special))

    def _block(self, statements: list[Statement], scope: Struct, params: dict[str, Any],
               parent: Struct | None) -> None:
        def value(expression: str) -> Any:
            return self._value(expression, scope, params, parent)

        for kind, *parts in statements:
            if kind == "assert":
                if not value(parts[0]):
                    raise Refused(parts[1])
            elif kind == "if":
                self._block(parts[1] if value(parts[0]) else parts[2], scope, params, parent)
            elif kind == "local":
                scope[parts[0]] = value(parts[1])
            elif kind == "set":
                home = next(s for s in (scope, self.globals) if parts[0] in s)
                home[parts[0]] = value(parts[1])
            else:
                self._field(parts, value, scope)

    def _field(self, parts: list[Any], value: Callable[[str], Any], scope: Struct) -> None:
        kind, arguments, name, count, place = parts
        assert place in (None, "$", "0x00") and name not in scope
        if place == "0x00":
            self.at = 0
        if kind in SIZES:
            scope[name] = self._plain(kind, None if count is None else value(count))
            return
        names, body = self.structs[kind]
        args = arguments.split(", ") if arguments else []
        assert len(args) == len(names)

        def one() -> Struct:
            made = Struct()
            params = dict(zip(names, map(value, args), strict=True))
            self._block(body, made, params, scope)
            return made

        if count is None:
            scope[name] = one()
            return
        entries: list[Struct] = []
        scope[name] = entries
        outside = self.index
        for self.index in range(value(count)):
            entries.append(one())
        self.index = outside

    def _plain(self, kind: str, count: int | None) -> int | str | list[int] | None:
        length = SIZES[kind] * (1 if count is None else count)
        if length > len(self.data) - self.at:
            raise Refused("the file ends")
        raw = self.data[self.at:self.at + length]
        self.at += length
        if kind == "char":
            return raw.decode("latin-1")
        if kind == "float":
            return None
        numbers = [int.from_bytes(raw[i:i + SIZES[kind]], "little")
                   for i in range(0, length, SIZES[kind])]
        return numbers[0] if count is None else numbers
