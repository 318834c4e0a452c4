# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""MXNet's symbol (`-symbol.json`): entries in order of execution, with attributes that are text."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from efm3.convert._unread import Data
from efm3.convert.graph.build import MOST_NODES
from efm3.findings import printable, refuse

MOST_TEXT = 1 << 20
"""Largest symbol: as Python objects a JSON text takes up to 40 times its size."""
ATTRS = ("attr", "param", "attrs")
"""Where an entry's attributes are: in version 0.8 `param`, up to 0.12 `attr`, then `attrs`."""
VARIABLE = "null"
MOST_WORD = 400
"""Longest text of a number or of a list of numbers."""
Ref = tuple[int, int]
"""An entry's number, and which of its outputs."""

_WHOLE = re.compile(r"[-+]?\d{1,18}L?")


class Attrs:
    """An entry's attributes. X003 for what is missing or no such value."""

    def __init__(self, values: Mapping[str, str], place: str) -> None:
        self._values, self._place = values, place

    def _wrong(self, name: str, what: str) -> NoReturn:
        word = self._values.get(name)
        say = f"states no {name}" if word is None else (
            f"states {name} = {printable(word[:40])!r}, not {what}")
        refuse("X003", f"{self._place} {say}", self._place)

    def __contains__(self, name: str) -> bool:
        return self._values.get(name, "None") != "None"

    def word(self, name: str, default: str = "") -> str:
        """A text."""
        return self._values.get(name, default)

    def flag(self, name: str, default: bool) -> bool:
        """True or False."""
        word = self._values.get(name, str(default))
        if word not in ("True", "true", "1", "False", "false", "0"):
            self._wrong(name, "True or False")
        return word in ("True", "true", "1")

    def real(self, name: str, default: float | None = None) -> float:
        """A number."""
        word = self._values.get(name, "" if default is None else str(default))
        if len(word) <= MOST_WORD:
            with contextlib.suppress(ValueError):
                return float(word)
        self._wrong(name, "a number")

    def whole(self, name: str, default: int | None = None) -> int:
        """A whole number."""
        out = self.sizes(name, None if default is None else (default,))
        if len(out) != 1:
            self._wrong(name, "a whole number")
        return out[0]

    def wholes(self, name: str, default: tuple[int | None, ...] | None = None
               ) -> tuple[int | None, ...]:
        """Whole numbers, as "(3, 3)"; one alone is a tuple of one. None is allowed among them."""
        if name not in self._values and default is not None:
            return default
        word = self._values.get(name, "").strip()
        if len(word) > MOST_WORD:
            self._wrong(name, "whole numbers")
        if word[:1] in ("(", "[") and word[-1] in (")", "]"):
            parts = [p.strip() for p in word[1:-1].split(",")]
            if parts[-1] == "":
                parts.pop()
        else:
            parts = [word]
        if not all(p == "None" or _WHOLE.fullmatch(p) for p in parts):
            self._wrong(name, "whole numbers")
        return tuple(None if p == "None" else int(p.rstrip("L")) for p in parts)

    def sizes(self, name: str, default: tuple[int, ...] | None = None) -> tuple[int, ...]:
        """`wholes` without None."""
        out = self.wholes(name, default)
        if None in out:
            self._wrong(name, "whole numbers")
        return tuple(v for v in out if v is not None)


@dataclass(eq=False, slots=True)
class Entry:
    """A variable or an operation of a symbol."""

    op: str
    name: str
    place: str
    attrs: Attrs
    inputs: list[Ref]


@dataclass
class Symbol:
    """The entries, each after its inputs, and the outputs."""

    entries: list[Entry]
    heads: list[Ref]


def bounded(data: Data, path: str) -> None:
    """Raises X003 for a text that is too large to be a symbol."""
    if len(data) > MOST_TEXT:
        refuse("X003", f"{path} has {len(data):,} bytes, more than a symbol of this network needs",
               path, len(data), f"at most {MOST_TEXT:,}")


def parse(data: Data, path: str) -> Symbol:
    """The symbol of a JSON text. Raises X003 where it is none, X007 where it refers wrongly."""
    bounded(data, path)
    try:
        value = json.loads(bytes(data[:]).decode("utf-8", "replace"), parse_int=_integer)
    except (ValueError, RecursionError) as e:
        refuse("X003", f"{path} is not an MXNet symbol, or is damaged: {printable(str(e))}", path)
    nodes = value.get("nodes") if isinstance(value, dict) else None
    heads = value.get("heads") if isinstance(value, dict) else None
    if not isinstance(nodes, list) or not isinstance(heads, list) or not nodes or not heads:
        refuse("X003", f"{path} is JSON, but no MXNet symbol: it has no `nodes` and `heads`", path)
    if len(nodes) > MOST_NODES:
        refuse("X008", f"{path} has more than {MOST_NODES:,} operations", path, len(nodes))
    entries = [_entry(node, i, path) for i, node in enumerate(nodes)]
    _unique(entries)
    return Symbol(entries, [_ref(r, len(nodes), path) for r in heads])


def _integer(text: str) -> int:
    if len(text) > 20:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)


def _entry(node: Any, index: int, path: str) -> Entry:
    where = f"node {index} of {path}"
    op, name, inputs = ((node.get(k) for k in ("op", "name", "inputs"))
                        if isinstance(node, dict) else (None, None, None))
    if not isinstance(op, str) or not isinstance(name, str) or not isinstance(inputs, list):
        refuse("X003", f"{where} has no op, name and inputs", where)
    place = printable(f"{name} ({op})")
    values: dict[str, str] = {}
    for key in ATTRS:
        more = node.get(key) or {}
        if not isinstance(more, dict):
            refuse("X003", f"{where} has {key} that is no object", where)
        values.update((k, v) for k, v in more.items() if isinstance(v, str))
    return Entry(op, name, place, Attrs(values, place), [_ref(r, index, place) for r in inputs])


def _ref(value: Any, below: int, place: str) -> Ref:
    """[entry, output] or [entry, output, version]; the entry is one of the first `below`."""
    if not isinstance(value, list) or not 2 <= len(value) <= 3 or not all(
            type(v) is int for v in value):
        refuse("X003", f"{place} has an input that is no [node, output, version]", place)
    if not 0 <= value[0] < below or value[1] < 0:
        refuse("X007", f"{place} takes output {value[1]} of node {value[0]}, which is not before "
                       "it", place)
    return value[0], value[1]


def _unique(entries: list[Entry]) -> None:
    seen: set[str] = set()
    for e in entries:
        if e.op == VARIABLE and e.name in seen:
            refuse("X007", f"{e.place} is twice in the symbol", e.place)
        if e.op == VARIABLE:
            seen.add(e.name)
