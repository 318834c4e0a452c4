# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The pictures of a run, one after the other: files, folders, patterns, lists and archives.

Whatever their number, only the names of the folders on the way to one picture are in memory.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, NamedTuple

from efm3.bulk import _tar, _walk, _zip
from efm3.bulk._member import FAULTS, Member
from efm3.bulk.row import path_text
from efm3.findings import Finding, error, refuse
from efm3.pictures import MAX_FILE
from efm3.source import Unreadable, open_regular

SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff",
            ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".jp2", ".j2k", ".heic", ".heif", ".avif",
            ".jxl", ".npy")
"""Files of a folder, and of an archive, that are taken; of whatever case."""
TARS, ZIPS = (".tar", ".tar.gz", ".tgz"), (".zip",)
LONGEST = 4096
"""Bytes of a path: no system takes a longer one."""
_PIECE = 1 << 16
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


class Item(NamedTuple):
    """A picture: its name in the table, and where it is (a path), what it is (bytes), or why it
    cannot be had."""

    name: str
    source: str | bytes | Finding


Skip = Callable[[str], bool]
"""True for the name of a picture that is not wanted any more."""


def _none(name: str) -> bool:
    return False


def is_url(text: str) -> bool:
    """Whether this is a URL, and no file is named so."""
    return _URL.match(text) is not None and not os.path.lexists(text)


class Inputs:
    """What `paths` and a list mean. A path is a file, an archive, a folder, or a pattern with
    `*`, `?`, `[` and `**` that names no file.

    `files_from` is a file of paths, a line each, or with `null` each ended by a NUL; "-" is
    standard input. Raises Efm3Error B011 for a URL.
    """

    takes_urls = False
    """A kind of inputs that reads URLs sets this, and says in `_meant` what one means."""

    def __init__(self, paths: Sequence[str | os.PathLike[str]] = (),
                 files_from: str | None = None, null: bool = False) -> None:
        self._paths = [os.fspath(p) for p in paths]
        self._list, self._null = files_from, null
        self.skipped: Counter[str] = Counter()
        """How many files were left out, by the reason."""
        self.passed = 0
        """How many pictures were not wanted any more."""
        self.unread = 0
        """How many archives and folders could not be read to their end."""
        self.output = ""
        """A file that is written meanwhile: in a folder it is no picture."""
        for path in self._paths:
            if is_url(path) and not self.takes_urls:
                refuse(*_url(path))

    @property
    def place(self) -> str:
        """What to call them in a message."""
        return ", ".join([*self._paths[:3], *["..."] * (len(self._paths) > 3),
                          *([self._list] if self._list else [])])

    def pictures(self, skip: Skip = _none) -> Iterator[Item]:
        """Every picture in order; one whose name `skip` takes is left out before it is read.

        Raises Unreadable and Efm3Error B014 for the list itself.
        """
        self.skipped.clear()
        self.passed = self.unread = 0

        def passes(name: str) -> bool:
            taken = skip(name)
            self.passed += taken
            return taken

        for found in self._found():
            if isinstance(found, Item):
                if not passes(found.name):
                    yield found
            elif found.lower().endswith(TARS + ZIPS):
                yield from self._archive(found, passes)
            elif not passes(name := path_text(found)):
                yield Item(name, found)

    def count(self) -> int | None:
        """How many pictures these are; None where only reading them would tell."""
        if self._list == "-":
            return None
        total = 0
        for found in type(self)(self._paths, self._list, self._null)._found():
            if isinstance(found, str) and found.lower().endswith(TARS + ZIPS):
                return None
            total += 1
        return total

    def _found(self) -> Iterator[str | Item]:
        """The paths of pictures and archives; an Item for what is none of them."""
        for path in self._paths:
            yield from self._meant(path)
        if self._list is not None:
            with contextlib.ExitStack() as stack:
                stream = sys.stdin.buffer if self._list == "-" else \
                    stack.enter_context(open_regular(self._list))
                yield from _listed(stream, b"\0" if self._null else b"\n", self._list)

    def _meant(self, path: str) -> Iterator[str | Item]:
        if os.path.isdir(path):
            yield from self._folder(path)
        elif _walk.is_pattern(path) and not os.path.lexists(path):
            yield from self._matches(path)
        else:
            yield path

    def _folder(self, path: str) -> Iterator[str | Item]:
        for found in _walk.below(path, self.skipped):
            if isinstance(found, OSError):
                yield self._lost(found)
            elif found.lower().endswith(SUFFIXES):
                if not self._written(found):
                    yield found
            else:
                archive = found.lower().endswith(TARS + ZIPS)
                self.skipped["archives in folders" if archive else "other files"] += 1

    def _matches(self, pattern: str) -> Iterator[str | Item]:
        for found in _walk.matches(pattern, self.skipped):
            if isinstance(found, OSError):
                yield self._lost(found)
            elif found.lower().endswith(SUFFIXES + TARS + ZIPS):
                if not self._written(found):
                    yield found
            else:
                self.skipped["other files"] += 1

    def _written(self, path: str) -> bool:
        """True for the output, which may end in .npy as a picture does."""
        if not self.output.endswith(path.rpartition("/")[2]):
            return False
        with contextlib.suppress(OSError):
            if os.path.samefile(path, self.output):
                self.skipped["the output"] += 1
                return True
        return False

    def _archive(self, path: str, skip: Skip) -> Iterator[Item]:
        """Its pictures; then one Item more where it cannot be read to its end."""
        own = path_text(path)
        walk = _zip.members if path.lower().endswith(ZIPS) else _tar.members
        try:
            for member in walk(path):
                text = member.name.decode("utf-8", "backslashreplace").replace("\0", "\\x00")
                base = text.rpartition("/")[2]
                if base.startswith(".") or text.startswith("__MACOSX/"):
                    self.skipped["hidden"] += 1
                elif not base.lower().endswith(SUFFIXES):
                    self.skipped["other files"] += 1
                elif not skip(name := f"{own}::{text[:LONGEST]}"):
                    yield Item(name, _bytes_of(member, name))
        except Unreadable as e:
            fault = Item(own, error("IO001", str(e).removeprefix(f"{path}: "), own).finding)
        except FAULTS as e:
            fault = Item(own, error("B012", f"the archive cannot be read to its end: {e}", own,
                                    "", "a whole archive").finding)
        else:
            return
        self.unread += 1
        if not skip(own):
            yield fault

    def _lost(self, e: OSError) -> Item:
        """A folder that cannot be listed to its end."""
        self.unread += 1
        return Item(path_text(e.filename), error("IO001", str(e.strerror), e.filename).finding)


def _bytes_of(member: Member, name: str) -> bytes | Finding:
    if member.why:
        return error("B012", f"a member that cannot be read: {member.why}", name).finding
    if member.size > MAX_FILE:
        return error("F011", f"a file of more than {MAX_FILE:,} bytes", name, f"{member.size:,}",
                     f"{MAX_FILE} at most").finding
    try:
        return member.read()
    except FAULTS as e:
        return error("B012", f"a member that cannot be read: {e}", name).finding


def _url(text: str) -> tuple[str, str, str]:
    return ("B011", "this is a URL, and only files of this machine are read; --engine daft reads "
            "object storage", text)


def _listed(stream: BinaryIO, end: bytes, place: str) -> Iterator[str | Item]:
    """The paths of a list. Raises Efm3Error B014 where it is no text of bytes."""
    rest, long, first = b"", False, True
    while True:
        piece = stream.read(_PIECE)
        if first:
            if piece[:2] in (b"\xff\xfe", b"\xfe\xff"):
                refuse("B014", "a list in UTF-16; write it in UTF-8", place, "UTF-16", "UTF-8")
            piece, first = piece.removeprefix(b"\xef\xbb\xbf"), False
            if not piece:
                piece = stream.read(_PIECE)
        *lines, rest = (rest + piece).split(end)
        if not piece:
            lines, rest = [rest], b""
        for line in lines:
            if long:  # the end of a line that was told already
                long = False
            elif path := line.removesuffix(b"\r") if end == b"\n" else line:
                yield _path(path)
        if not piece:
            return
        if len(rest) > LONGEST:
            if not long:
                yield _path(rest)
            rest, long = b"", True


def _path(line: bytes) -> str | Item:
    text = os.fsdecode(line[:LONGEST])
    if len(line) > LONGEST or b"\0" in line:
        name = path_text(text.replace("\0", "\\x00"))
        why = "a NUL within a line; are the paths ended by NULs (--null)?" if b"\0" in line else (
            f"a line of more than {LONGEST:,} bytes, which is no path")
        return Item(name, error("B014", why, name).finding)
    if is_url(text):
        return Item(path_text(text), error(*_url(text)).finding)
    return text
