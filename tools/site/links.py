# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Where a page of the project stands in the site, and its links made to lead there.

A link to a file that is no page leads to a copy of it, below files/. One to a folder is left as its
words.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from efm3.codes import CODES

CODE_PAGES = ("spec/rules.md", "docs/codes.md")
"""Pages of all codes, in whose place the site has a page for each."""

FILES = "files"
"""Where in the site the copies are of what is no page."""

_FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"(`+[^`]+`+)")
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\((?!https?:|mailto:)([^)\s]+)\)")
_COMMENT = re.compile(r"^<!-- .*? -->$", re.MULTILINE)


def place(source: str) -> str:
    """The site's page for a Markdown file of the project; both are relative paths."""
    if source in CODE_PAGES:
        return "codes/index.md"
    folder, name = posixpath.split(source)
    if not folder:
        return "index.md" if name == "README.md" else name.lower()
    if name == "README.md":
        return f"{folder}.md"
    return source.removeprefix("docs/")


def code_page(code: str) -> str:
    """The page of a code. Its folder, codes/T012/, is the code's address for ever: SARIF and the
    page for a browser name it."""
    return f"codes/{code}/index.md"


def target(root: Path, source: str, link: str) -> str:
    """Where in the site a link of the page `source` leads: a page or a file, with its anchor; "" to
    a folder. Raises FileNotFoundError for what is not there."""
    name, _, anchor = link.partition("#")
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), name)) if name else source
    tail = f"#{anchor}" if anchor else ""
    if not (root / path).exists():
        raise FileNotFoundError(f"{source}: {link}")
    if (root / path).is_dir():
        return ""
    if path in CODE_PAGES and anchor.upper() in CODES:
        return code_page(anchor.upper())
    return (place(path) if path.endswith(".md") else f"{FILES}/{path}") + tail


def page(root: Path, source: str, text: str | None = None) -> tuple[str, set[str]]:
    """The page as the site has it, and the files that it names. Raises FileNotFoundError."""
    found: set[str] = set()
    here = posixpath.dirname(place(source))

    def link(match: re.Match[str]) -> str:
        mark, words, where = match.groups()
        if where.startswith("#"):
            return match[0]
        there = target(root, source, where)
        if not there:
            return words
        if there.startswith(f"{FILES}/"):
            found.add(there.partition("#")[0].removeprefix(f"{FILES}/"))
        # A link in a picture's place, and a picture in a link's.
        inner = _LINK.sub(link, words)
        return f"{mark}[{inner}]({posixpath.relpath(there, here or '.')})"

    if text is None:
        text = (root / source).read_text(encoding="utf-8")
    parts = _FENCE.split(text)
    for i in range(0, len(parts), 2):
        # A comment ends a paragraph for some readers of Markdown, for others an empty line does.
        prose = _COMMENT.sub("", parts[i])
        pieces = _CODE.split(prose)
        parts[i] = _restored(_LINK.sub(link, _held(pieces)), pieces)
    return "".join(parts).lstrip("\n"), found


def _held(pieces: list[str]) -> str:
    """The text with a mark in the place of each piece of code, where nothing is a link."""
    return "".join(f"\0{i}\0" if i % 2 else piece for i, piece in enumerate(pieces))


def _restored(text: str, pieces: list[str]) -> str:
    # In a cell of a table GitHub wants a bar in code escaped; the builder shows the backslash.
    return re.sub("\0(\\d+)\0", lambda m: pieces[int(m[1])].replace("\\|", "|"), text)
