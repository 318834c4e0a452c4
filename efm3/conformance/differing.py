# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The first difference of two files in words: the place, what is there, what belongs there.

A different mirror is told by its text, key by key, before any length that follows from it.
"""

from __future__ import annotations

import json

from efm3 import format as fmt
from efm3 import mirror as mirrors
from efm3 import places
from efm3.findings import printable
from efm3.scan import scan

_LENGTH = fmt.FIELDS["json_len"]
_MOST = 40
"""Characters of a text that a message quotes."""


def first_difference(want: bytes, have: bytes) -> str:
    """The first byte in which a file differs from the right one, in the words of the format."""
    at = _part(want, have)
    if at == len(want) == len(have):
        return ""
    sizes = "" if len(want) == len(have) else f"; {len(have)} bytes, not {len(want)}"
    if at == len(want):
        return f"bytes follow the last tensor at byte {at}{sizes}"
    place = places.describe(scan(want), at)
    name, start = place["field"], place["start"]
    if name in ("json_len", "json") and at < len(have):
        mirror = _mirrors(want, have)
        if mirror:
            return f"byte {mirror[0]}, in the mirror: {mirror[1]}{sizes}"
    if place["tensor"]:
        index = ",".join(map(str, place["index"] or ()))
        name, start = f"{place['tensor']}[{index}]", at - (place["byte"] or 0)
    if at == len(have):
        return f"the file ends at byte {at}, in {name}{sizes}"
    length = 4 if place["tensor"] else min(place["length"], 8)
    found, expected = have[start:start + length], want[start:start + length]
    return (f"byte {at}, in {name} ({place['doc']}): found {found.hex(' ')}, "
            f"expected {expected.hex(' ')}{_guess(found, expected, bool(place['tensor']))}{sizes}")


def _part(a: bytes | str, b: bytes | str) -> int:
    """The index from which two texts differ; the shorter's length where one begins the other."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y),
                min(len(a), len(b)))


def _guess(found: bytes, expected: bytes, is_float: bool) -> str:
    if found == expected[::-1]:
        return ": the byte order is reversed"
    if not is_float and int.from_bytes(found, "little") * 4 == int.from_bytes(expected, "little"):
        return ": the number of values, not of bytes"
    return ""


def _mirrors(want: bytes, have: bytes) -> tuple[int, str] | None:
    """The byte where two files' mirrors part, and the words for it; None where the text is right
    and only the length that json_len states is not."""
    length = int.from_bytes(want[_LENGTH.offset:fmt.PREFIX_SIZE], "little")
    right = want[fmt.PREFIX_SIZE:fmt.PREFIX_SIZE + length]
    if have[fmt.PREFIX_SIZE:].startswith(want[fmt.PREFIX_SIZE:][:length + fmt.COUNT_SIZE]):
        return None
    length = int.from_bytes(have[_LENGTH.offset:fmt.PREFIX_SIZE], "little")
    mine = have[fmt.PREFIX_SIZE:fmt.PREFIX_SIZE + length]
    at = _part(right, mine)
    try:
        mirrors.parse(mine)  # so what is read below neither nests deep nor repeats a key
    except mirrors.MirrorProblem as e:
        return fmt.PREFIX_SIZE + at, f"{_near(text(mine), text(right))} ({printable(e.message)})"
    return fmt.PREFIX_SIZE + at, text_difference(right.decode(), mine.decode())


def text(raw: bytes) -> str:
    """Bytes as text for a message."""
    return raw.decode("utf-8", "backslashreplace")


def text_difference(want: str, have: str) -> str:
    """Where the texts of two JSON objects differ: the key, with both spellings of its value.

    Both are mirrors by the grammar of `efm3.mirror.parse`.
    """
    right, mine = leaves(want), leaves(have)
    for path, value in right.items():
        if path not in mine:
            return f"{path} is missing, expected {_cut(value)}"
        if mine[path] != value:
            return f"{path}: {_near(mine[path], value)}"
    for path, value in mine.items():
        if path not in right:
            return f"{path} does not belong there: found {_cut(value)}"
    for a, b in zip(right, mine, strict=True):
        if a != b:
            return f"the keys have another order: found {b}, expected {a}"
    return f"white space: {_near(have, want)}"


def leaves(given: str) -> dict[str, str]:
    """Path to the spelling of each value that holds no other, in order.

    `given` is a JSON object of at most the mirror's depth.
    """
    decoder, out = json.JSONDecoder(), dict[str, str]()

    def skip(at: int) -> int:
        while given[at] in " \t\r\n":
            at += 1
        return at

    def walk(at: int, path: str) -> int:
        """Keep the value at `at`; returns where it ends."""
        close = {"{": "}", "[": "]"}.get(given[at], "")
        if not close or given[skip(at + 1)] == close:
            end = decoder.raw_decode(given, at)[1]
            out[path] = given[at:end]
            return end
        number = 0
        while given[at] != close:  # at the opening bracket, or at a comma
            at, inner = skip(at + 1), f"{path}[{number}]"
            if close == "}":
                key, at = decoder.raw_decode(given, at)
                at, inner = skip(skip(at) + 1), f"{path}.{key_words(key)}".lstrip(".")
            at, number = skip(walk(at, inner)), number + 1
        return at + 1

    walk(skip(0), "")
    return out


def key_words(key: str) -> str:
    """A foreign key for a message: as it is where it is a plain word, else quoted, cut, escaped."""
    return key if len(key) <= 40 and key.isascii() and key.isidentifier() else mirrors.shown(key)


def _near(found: str, expected: str) -> str:
    """Two texts, from shortly before where they part."""
    at = _part(found, expected)
    near = max(at - 8, 0) if at > _MOST // 2 else 0
    return f"found {_cut(found[near:])}, expected {_cut(expected[near:])}"


def _cut(spelled: str) -> str:
    """A value's own spelling, escaped and cut."""
    return printable(spelled[:_MOST]) + "..." * (len(spelled) > _MOST)
