# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Patterns as `.gitignore` has them, matched in bounded time.

They come from a stranger's repository. Written as one regular expression, a pattern of many stars
takes time without end on a name that nearly matches; here a part between two stars has one length,
so that each is searched for once and never again. Names are bytes, as to git. Unlike git's, a
bracket ends at the next slash: no name holds one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

Parts = Sequence[bytes]
"""A path, split at its slashes."""

_POSIX = {b"alnum": rb"0-9A-Za-z", b"alpha": rb"A-Za-z", b"blank": rb" \t", b"digit": rb"0-9",
          b"cntrl": rb"\x00-\x1f\x7f", b"graph": rb"!-~", b"lower": rb"a-z", b"print": rb" -~",
          b"punct": rb"!-/:-@\[-`{-~", b"space": rb" \t\n\r\v\f", b"upper": rb"A-Z",
          b"xdigit": rb"0-9A-Fa-f"}


class _Never(ValueError):
    """A pattern that matches no name: a bracket that is not closed, a backslash at the end."""


class _Line(NamedTuple):
    """A pattern: its parts at slashes, None for `**`; whether it is about folders alone, says that
    a name is taken after all, or is about a name in any folder."""

    parts: tuple[list[re.Pattern[bytes]] | None, ...]
    folder: bool
    taken: bool
    anywhere: bool


class Patterns:
    """Lines of patterns, of which the last that matches counts. What cannot match is left out."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = [line for text in lines if (line := _parsed(text)) is not None][::-1]

    def __bool__(self) -> bool:
        return bool(self._lines)

    def says(self, path: Parts, folder: bool) -> bool | None:
        """True where a file or folder of this name, below that of the patterns, is left out, False
        where it is taken after all, None where no pattern is about it."""
        for line in self._lines:
            if line.folder and not folder:
                continue
            if _fits(line.parts, path[-1:] if line.anywhere else path):
                return not line.taken
        return None


def of_text(text: bytes) -> Patterns:
    """The patterns of a file such as `.gitignore`."""
    return Patterns(line.removesuffix(b"\r") for line in
                    text.removeprefix(b"\xef\xbb\xbf").split(b"\n"))


def of_words(words: Iterable[str]) -> Patterns:
    """The patterns of options and settings."""
    return Patterns(map(_encoded, words))


def _encoded(word: str) -> bytes:
    """As the system writes names; a file of settings may hold what its encoding lacks."""
    try:
        return os.fsencode(word)
    except UnicodeEncodeError:
        return word.encode("utf-8", "surrogateescape")


def _parsed(text: bytes) -> _Line | None:
    if text[:1] == b"#":
        return None
    text = _trimmed(text)
    taken = text[:1] == b"!"
    text = text[taken:]
    folder = text[-1:] == b"/"
    text = text[:len(text) - folder]
    anywhere = b"/" not in text
    words = text.removeprefix(b"/").split(b"/")
    # Several `**` in a row say no more than one, and each is tried on every file.
    words = [word for n, word in enumerate(words) if word != b"**" or words[n - 1:n] != [word]]
    try:
        parts = tuple(None if word == b"**" and not anywhere else _chunks(word) for word in words)
    except _Never:
        return None
    return _Line(parts, folder, taken, anywhere) if any(words) else None


def _trimmed(text: bytes) -> bytes:
    """Without the spaces at its end, but for one behind a backslash."""
    bare = text.rstrip(b" ")
    slashes = len(bare) - len(bare.rstrip(b"\\"))
    return bare + b" " * (slashes % 2 and len(text) > len(bare))


def _chunks(word: bytes) -> list[re.Pattern[bytes]]:
    """The pieces between the stars of one part of a path, each of which has one length."""
    out, at = [b""], 0
    while at < len(word):
        c = word[at:at + 1]
        at += 1
        if c == b"*":
            out.append(b"")
            continue
        if c == b"[":
            piece, at = _bracket(word, at)
        elif c == b"?":
            piece = b"."
        else:
            if c == b"\\":
                c = word[at:at + 1]
                at += 1
                if not c:
                    raise _Never
            piece = re.escape(c)
        out[-1] += piece
    return [re.compile(piece, re.DOTALL) for piece in out]


def _bracket(word: bytes, at: int) -> tuple[bytes, int]:
    """The class that begins behind a bracket, and where it ends."""
    negated = word[at:at + 1] in (b"!", b"^")
    at += negated
    out, before, first = bytearray(), b"", True
    while first or word[at:at + 1] != b"]":
        first, c = False, word[at:at + 1]
        name = re.compile(rb"\[:(\w*):\]").match(word, at)
        if name:
            if name[1] not in _POSIX:
                raise _Never
            out += _POSIX[name[1]]
            before, at = b"", name.end()
            continue
        spans = c == b"-" and before and word[at + 1:at + 2] not in (b"", b"]")
        at += bool(spans)
        if word[at:at + 1] == b"\\":
            at += 1
        c = word[at:at + 1]
        if not c:
            raise _Never
        at += 1
        if spans:
            out += b"%s-%s" % (re.escape(before), re.escape(c)) if before <= c else b""
        else:
            out += re.escape(c)
        before = b"" if spans else c
    # Without a member it matches nothing, and negated everything.
    if not out:
        return b"." if negated else b"(?!)", at + 1
    return (b"[^%s]" if negated else b"[%s]") % bytes(out), at + 1


def _fits(parts: Sequence[list[re.Pattern[bytes]] | None], path: Parts) -> bool:
    """True where the parts are the whole path; `**` stands for any number of its parts, at the end
    for one at least."""
    # The numbers of parts of the path that those of the pattern so far may stand for.
    ends = {0}
    for n, part in enumerate(parts):
        if part is None:
            ends = set(range(min(ends) + (n == len(parts) - 1), len(path) + 1))
        else:
            ends = {end + 1 for end in ends if end < len(path) and _is(part, path[end])}
        if not ends:
            return False
    return len(path) in ends


def _is(chunks: list[re.Pattern[bytes]], name: bytes) -> bool:
    first, *rest = chunks
    if not rest:
        return first.fullmatch(name) is not None
    begins = first.match(name)
    if begins is None:
        return False
    at = begins.end()
    for chunk in rest[:-1]:
        # The first place leaves the most for what follows.
        found = chunk.search(name, at)
        if found is None:
            return False
        at = found.end()
    # The last piece stands at the end: only one place is as far from it as the piece is long.
    return any(rest[-1].fullmatch(name, start) for start in range(at, len(name) + 1))
