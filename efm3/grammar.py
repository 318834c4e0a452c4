# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The closed grammar of JSON texts, checked piece by piece.

A parsed value takes up to 25 times the memory of its text. So a long text is parsed in pieces, cut
at commas: what is open at a cut is opened again before the next piece and closed behind it, and
each piece's values are dropped but for those that rules look at. A text of one piece is kept whole.
No regular expression here repeats a group: such a pattern takes memory for each repetition.
"""

from __future__ import annotations

import codecs
import gc
import json
import math
import re
from array import array
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from itertools import accumulate, islice
from typing import Any, NamedTuple, NoReturn

from efm3 import format as fmt
from efm3.findings import shown
from efm3.texts import json_error

PIECE = 1 << 15
"""Bytes of a piece, of which the values take less than 1 MiB; one with a longer string is longer.
"""
KEPT = 64
"""Members of the text's object that are kept; of those behind its first piece only the names."""

PARTS = 16
"""Hashes of keys are compared in so many parts."""

_CLOSERS = str.maketrans("[{", "]}")
_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_DIGITS, _DOUBLE = b"0" * 21, b"0" * 309
_INTEGER = re.compile(rb"(?<![0-9.eE+-])-?[0-9]{21,}(?![0-9]|\.[0-9]|[eE][+-]?[0-9])")
_EXPONENT = re.compile(rb"[eE]\+?[0-9]{3}")
_LONE = re.compile(rb"\\u(?:0000|[dD][89abAB]..(?!\\u[dD][c-fC-F]))"
                   rb"|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F]")
_COMPACT = json.JSONEncoder(separators=(",", ":"))
_SURROGATE = re.compile("[\ud800-\udfff]")
_TOKEN = re.compile(rb'"[^"]*"?|[][{}]')
_LONG = re.compile(rb'"[^"]{%d,}"(?![ \t\r\n]*:)' % PIECE)
_OPEN = re.compile(rb"[\]}]*[\[{]*")
# A character of a long string as one byte, whatever it takes: the number of characters stays.
_LEADS, _FOLLOWS = bytes.maketrans(bytes(range(192, 256)), b"?" * 64), bytes(range(128, 192))


class MirrorProblem(Exception):
    """Why a text is not a mirror: `kind` (the rule's keyword), message, offset in the text."""

    def __init__(self, kind: str, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.kind, self.message, self.offset = kind, message, offset


class Outline(NamedTuple):
    """The object that a text holds, of a long one the parts that rules look at; `compact` is
    true where the text is as json.dumps writes it without spaces."""

    value: dict[str, Any]
    compact: bool


class _Piece(NamedTuple):
    """A piece: its first byte, its end, how many containers it closes, and which it leaves open."""

    start: int
    end: int
    closed: int
    opened: str
    sound: bool


class _Open:
    """A container that is open at a cut: `key` is of its last member, `value` what is kept of it,
    None for nothing, and `hashes` those of its keys."""

    def __init__(self, kind: str, value: Any) -> None:
        self.kind, self.value, self.key = kind, value, ""
        self.hashes, self.seen = array("q"), set[str]()

    def add(self, members: Any, skip: int, watch: int | None) -> None:
        """Take in the members from number `skip` on."""
        keep = skip and self.value is not None  # the first ones are in `value`
        if isinstance(members, dict):
            self.hashes.extend(map(hash, islice(members, skip, None)))
            self.key = next(reversed(members), self.key)
            for k in islice(members, skip, None) if watch is not None else ():
                if hash(k) == watch and (k in self.seen or self.seen.add(k)):  # type: ignore[func-returns-value]
                    _refuse_twice(k)
            if keep:
                room = max(KEPT - len(self.value), 0)
                self.value |= {k: _pruned(k, members[k])
                               for k in islice(members, skip, skip + room)}
                more = _WANTED & members.keys() - self.value.keys()
                self.value |= {k: _pruned(k, members[k]) for k in members if k in more}
        elif keep:
            room = max(fmt.STAGE_SLOTS + 1 - len(self.value), 0)
            self.value += [_pruned("", v) for v in members[skip:skip + room]]


_WANTED = {*dict(fmt.MIRROR_KEYS), *fmt.META_KEYS, fmt.META_KEY}
_NESTED = ("stages", fmt.META_KEY)


def _pruned(key: str, value: Any) -> Any:
    """What is kept of a value that stands behind the first piece."""
    if isinstance(value, dict):
        few = islice(value.items(), KEPT if key == fmt.META_KEY else 4)
        return {k: v if not isinstance(v, (dict, list)) else type(v)() for k, v in few} | {
            k: value[k] for k in _WANTED if key == fmt.META_KEY and isinstance(value.get(k), str)}
    if isinstance(value, list):
        return [_pruned("", v) for v in value[:fmt.STAGE_SLOTS + 1]] if key == "stages" else []
    return value if key in _WANTED or not isinstance(value, str) else value[:100]


Text = bytes | memoryview


def outline(text: Text) -> Outline:
    """The text as a dict; MirrorProblem where it violates the closed grammar.

    Kinds: empty, bom, utf8, depth, duplicate, constant, number, nul, surrogate,
    trailing, syntax, object.
    """
    if not bytes(text).strip(b" "):
        raise MirrorProblem("empty", "the mirror holds no JSON text")
    if text[:3] == codecs.BOM_UTF8:
        raise MirrorProblem("bom", "the mirror starts with a byte order mark")
    _utf8(text)
    pieces, suspects = list(_pieces(text)), list[int]()
    with _uncollected():
        found = _parsed(text, pieces, suspects)
        for suspect in suspects:  # of one object's keys; another key may have the same hash
            found = _parsed(text, pieces, [], suspect)
    return found


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the collector of cycles: parsed values have none, and it would look at each container
    again and again, for as long as the parsing takes."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def parse(text: Text) -> dict[str, Any]:
    """The whole text as a dict, whatever memory that takes; raises as `outline` does."""
    found = outline(text).value
    if len(text) <= PIECE:
        return found
    try:
        whole: dict[str, Any] = json.loads(bytes(text))
    except ValueError as e:  # never, where both ways accept the same
        raise MirrorProblem("syntax", str(e)[:200]) from None
    return whole


def _utf8(text: Text) -> None:
    at = 0
    while at < len(text):
        part = text[at:at + PIECE]
        try:
            at += codecs.utf_8_decode(part, "strict", at + PIECE >= len(text))[1]
        except UnicodeDecodeError as e:
            bad = f"byte {part[e.start]:#04x} is not UTF-8 here"
            raise MirrorProblem("utf8", bad, at + e.start) from None


def _plain(part: bytes) -> bytes:
    """`part` of the same length without escapes that hide where a string ends."""
    return part.replace(b"\\\\", b"__").replace(b'\\"', b"__")


def _outside(plain: bytes) -> bytes:
    """What of it is in no string. It is split a piece at a time: each part takes 33 bytes more."""
    if b'"' not in plain:
        return plain
    out, inside = bytearray(), 0
    for at in range(0, len(plain), PIECE):
        parts = plain[at:at + PIECE].split(b'"')
        out += b"".join(parts[inside::2])
        inside ^= len(parts) - 1 & 1
    return bytes(out)


def _pieces(text: Text) -> Iterator[_Piece]:
    """The text in pieces, without the commas between them. Raises MirrorProblem `depth`."""
    start, depth = 0, 0
    while True:
        end = _cut(text, start)
        plain = _plain(bytes(text[start:end]))
        brackets = _outside(plain).translate(None, _BRACKETS)
        left, inner = brackets, 0
        # Each turn takes away a level or two: one turn more than there may be levels is enough.
        while inner <= 2 * fmt.MAX_JSON_DEPTH and (
                less := left.replace(b"[]", b"").replace(b"{}", b"")) != left:
            left, inner = less, inner + 2
        closed = len(left) - len(left.lstrip(b"]}"))
        if depth + inner + len(left) > fmt.MAX_JSON_DEPTH:
            _depth(plain, brackets, depth, start)
        depth += len(left) - 2 * closed
        # So deep without being too deep is only what was closed more often than it was opened.
        wrong = inner > 2 * fmt.MAX_JSON_DEPTH
        sound = not wrong and _OPEN.fullmatch(left) is not None
        yield _Piece(start, end, closed, left[closed:].decode(), sound)
        if end == len(text) or wrong:
            return
        start = end + 1


def _depth(plain: bytes, brackets: bytes, depth: int, start: int) -> None:
    steps = memoryview(brackets.translate(bytes.maketrans(b"[{]}", b"\1\1\xff\xff"))).cast("b")
    if max(accumulate(steps, initial=depth)) <= fmt.MAX_JSON_DEPTH:
        return
    for m in _TOKEN.finditer(plain):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(m.group(), 0)
        if depth > fmt.MAX_JSON_DEPTH:
            raise MirrorProblem("depth", f"nested deeper than {fmt.MAX_JSON_DEPTH}",
                                start + m.start())


def _cut(text: Text, start: int) -> int:
    """Where the piece ends that begins at `start`, outside strings: at a comma, or the text's end.
    """
    size = PIECE
    while start + size < len(text):
        part = bytes(text[start:start + size]).rstrip(b"\\")  # not within an escape
        plain = _plain(part)
        at = plain.rfind(b",")
        # Between two strings stands one comma or one colon: the third string is left at the latest.
        for _ in range(8):
            if at < 0 or not plain.count(b'"', 0, at) % 2:
                break
            at = plain.rfind(b",", 0, plain.rfind(b'"', 0, at))
        else:
            at = -1
        if at >= 0:
            return start + at
        size *= 2
    return len(text)


class _Doubts(NamedTuple):
    """What a piece may hold of escapes that no string may have, integers that are too long, and
    numbers that overflow."""

    escapes: bool
    integers: bool
    reals: bool


def _doubts(part: bytes) -> _Doubts:
    plain = _plain(part)
    escapes = b"\\u" in plain and _LONE.search(plain) is not None
    plain = _outside(plain)
    exponent = _EXPONENT.search(plain) is not None
    zeros = plain.translate(_ZEROS)
    integers = _DIGITS in zeros and _INTEGER.search(plain) is not None
    return _Doubts(escapes, integers, exponent or _DOUBLE in zeros)


@lru_cache(maxsize=8)
def _decoder(integers: bool, reals: bool, keys: bool = True) -> json.JSONDecoder:
    """What calls Python for each integer, real or object: several times as slow."""
    return json.JSONDecoder(object_pairs_hook=_pairs if keys else None, parse_constant=_constant,
                            parse_int=_integer if integers else int,
                            parse_float=_real if reals else float)


def _decoded(text: str, at: int, doubts: _Doubts, compact: bool) -> tuple[Any, int, bool]:
    """The value at `at`, its end, and whether `compact` and the text is as json.dumps writes it.

    Then no key stands twice and no number overflows. Raises MirrorProblem, JSONDecodeError.
    """
    if compact and not doubts.integers:
        with suppress(MirrorProblem, json.JSONDecodeError):  # perhaps not the first: see below
            value, end = _decoder(False, False, False).raw_decode(text, at)
            if _is_dumped(value, text, end):
                return value, end, True
            del value  # or it would stand in memory twice
    infinite = doubts.reals
    try:
        value, end = _decoder(doubts.integers, False).raw_decode(text, at)
        infinite = infinite and _infinite(value)
    except (MirrorProblem, json.JSONDecodeError):
        if not infinite:
            raise
    if infinite:  # what comes first in the text is told
        value, end = _decoder(doubts.integers, True).raw_decode(text, at)
    return value, end, False


def _infinite(value: Any) -> bool:
    members = value.values() if isinstance(value, dict) else value
    if not isinstance(value, (dict, list)):
        return value in (math.inf, -math.inf)
    return math.inf in members or -math.inf in members or (
        not {dict, list}.isdisjoint(map(type, members))
        and any(_infinite(v) for v in members if isinstance(v, (dict, list))))


def _parsed(text: Text, pieces: list[_Piece], suspects: list[int],
            watch: int | None = None) -> Outline:
    """The pieces one after the other, up to an object in which hashes of keys stand twice: they
    are the `suspects`. `watch` is one of those, of which the keys are compared."""
    spine: list[_Open] = []
    root: Any = None
    compact, number, ended = True, 0, False
    while not ended:
        piece = pieces[number]
        part = bytes(text[piece.start:piece.end])
        doubts = _doubts(part)
        body = _short(part).decode()
        del part  # or a long string would stand in memory once more
        left = max(len(spine) - piece.closed, 0)
        kinds = "".join(o.kind for o in spine[:left]) + piece.opened
        ended = not kinds or number == len(pieces) - 1 or not piece.sound
        head = "".join(map(_again, spine)) + ("0," if spine else "")
        tail = "" if ended else kinds[::-1].translate(_CLOSERS)
        whole = f"{head}{body}{tail}"
        at = 0 if head else len(body) - len(body.lstrip(" \t\r\n"))
        del body
        try:
            value, end, compact = _decoded(whole, at, doubts, compact)
        except json.JSONDecodeError as e:
            message, pos = json_error(e)
            behind = len(whole[len(head):pos].encode())
            raise MirrorProblem("syntax", message, piece.start + behind) from None
        if not ended and whole[:len(whole) - len(tail)].rstrip(" \t\r\n")[-1:] in ("[", "{"):
            # Closed here and opened again by the next piece, it would be read as a first member.
            raise MirrorProblem("syntax", "a comma follows an opening bracket", piece.end)
        if doubts.escapes:
            _strings(value)
        ended = ended or end < len(whole)
        root = value if number == 0 else root
        closing = spine if ended else spine[left:]
        _continued(spine, value, watch)
        if watch is None:
            suspects += [twice for o in closing for twice in _twice(o.hashes)]
            if suspects:
                return _NOTHING
        if ended:
            rest = whole[end:len(whole) - len(tail)] + str(text[piece.end:], "utf-8")
            if rest.strip(" "):
                raise MirrorProblem("trailing", f"{rest.strip(' ')[:20]!r} follows the JSON object",
                                    piece.start + len(whole[len(head):end].encode()))
        spine = _opened(spine[:left], value, piece.opened, watch)
        number += 1
    if not isinstance(root, dict):
        raise MirrorProblem("object", f"the mirror is a JSON {kind_of(root)}, not an object")
    return Outline(root, compact)


_NOTHING = Outline({}, False)


def _short(part: bytes) -> bytes:
    """`part` with each long string's characters in a byte each: Python takes four for each
    character of a string where one of them is an emoji."""
    if len(part) > PIECE and not part.isascii():
        for m in reversed(list(_LONG.finditer(_plain(part)))):
            long = part[m.start():m.end()].translate(_LEADS, _FOLLOWS)
            part = part[:m.start()] + long + part[m.end():]
    return part


def _again(o: _Open) -> str:
    """What opens a container again up to its last member, which the next piece is in or behind."""
    return "[" if o.kind == "[" else "{" + json.dumps(o.key) + ":"


def _is_dumped(value: Any, text: str, end: int) -> bool:
    """True where `text` up to `end` is what json.dumps writes, which is not put together."""
    at = 0
    # The fast encoder gives one chunk, and joins it of others: a long string would stand twice.
    for chunk in _COMPACT.iterencode(value, _one_shot=len(text) < 4 * PIECE):
        if not text.startswith(chunk, at, end):
            return False
        at += len(chunk)
    return at == end


def _continued(spine: list[_Open], value: Any, watch: int | None) -> None:
    """Give the open containers what a piece adds to each: the first member is the one before."""
    for o in spine:
        inner = value[o.key] if isinstance(value, dict) else value[0]
        o.add(value, 1, watch)
        value = inner


def _opened(spine: list[_Open], value: Any, kinds: str, watch: int | None) -> list[_Open]:
    """`spine` and the containers that a piece has left open: each is the last member of the one
    around it."""
    out = list(spine)
    for level in range(len(spine) + len(kinds)):
        if level >= len(spine):
            own = None
            if not out:
                own = value
            elif _looked_at(out):
                around = out[-1].value
                own = around[out[-1].key] if isinstance(around, dict) else _last(around)
            out.append(_Open(kinds[level - len(spine)], own))
            out[-1].add(value, 0, watch)
        value = _last(value)
    return out


def _last(members: Any) -> Any:
    """The value of the last member, None where there is none."""
    values = members.values() if isinstance(members, dict) else members
    return next(reversed(values), None)


def _looked_at(spine: list[_Open]) -> bool:
    """True where rules look into the container that is last in the innermost open one."""
    if len(spine) == 1:
        return spine[0].key in _NESTED
    return (len(spine) == 2 and spine[0].key == "stages" and isinstance(spine[1].value, list)
            and len(spine[1].value) <= fmt.STAGE_SLOTS)


def _twice(hashes: array[int]) -> Iterator[int]:
    """The hashes that stand more than once; a part at a time, so that it takes little memory."""
    parts = [array("q") for _ in range(PARTS)]
    for h in hashes:
        parts[h % PARTS].append(h)
    for mine in parts:
        if len(set(mine)) < len(mine):
            yield from (h for h, n in Counter(mine).items() if n > 1)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        seen: set[str] = set()
        _refuse_twice(next(k for k, _ in pairs if k in seen or seen.add(k)))  # type: ignore[func-returns-value]
    return out


def _refuse_twice(key: str) -> NoReturn:
    raise MirrorProblem("duplicate", f"key {shown(key)} occurs twice in one object")


def _constant(word: str) -> Any:
    raise MirrorProblem("constant", f"{word} is not a JSON number")


def _integer(text: str) -> int:
    digits = len(text.lstrip("-"))
    if digits > len(_DIGITS) - 1:
        raise MirrorProblem("number", f"an integer of {digits} digits")
    return int(text)


def _real(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise MirrorProblem("number", f"{text[:20]} overflows a double")
    return value


def _strings(value: Any) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise MirrorProblem("nul", f"{shown(value)} holds a NUL character")
        if _SURROGATE.search(value):
            raise MirrorProblem("surrogate", f"{shown(value)} holds a lone surrogate")
    elif isinstance(value, dict):
        for k, v in value.items():
            _strings(k)
            _strings(v)
    elif isinstance(value, list):
        for v in value:
            _strings(v)


def kind_of(value: Any) -> str:
    """The JSON type of a parsed value."""
    if value is None:
        return "null"
    kinds: tuple[tuple[Any, str], ...] = (
        (bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"), (list, "array"))
    return next((word for t, word in kinds if isinstance(value, t)), "object")
