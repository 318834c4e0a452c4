# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a built site: links that lead nowhere, requests to other hosts, Markdown that
was not understood, public names that are not described."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tools.site import api

_FETCHED = {("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"),
            ("video", "src"), ("audio", "src"), ("object", "data"), ("embed", "src"),
            ("img", "srcset"), ("source", "srcset"), ("input", "src"), ("use", "href")}
"""What a browser fetches for a page by itself, but for `link`."""
_FOLLOWED = {("a", "href"), ("area", "href"), ("form", "action")}
_UNFETCHED = {"canonical", "prev", "next", "alternate", "edit"}
"""Of `link`, what only names another page."""
_STYLE = re.compile(r"(?:url\(\s*['\"]?|@import\s+['\"])(?!data:|#)([^'\")\s]+)")
_LOST = re.compile(r"(?:^|\n) *(?:[-*] |\d+\. |#+ |\||```|:::)")
"""In the text of a paragraph: a list, heading, table, fence or directive that became none."""
_OPEN = {"p", "li", "td", "h1", "h2", "h3"}


class Page(HTMLParser):
    """What a page names, has and says.

    `fetched` and `followed` are URLs as they stand there, `anchors` its ids and names, `lost` the
    paragraphs in which Markdown is left.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.followed: list[str] = []
        self.anchors: set[str] = set()
        self.lost: list[str] = []
        self._inside: list[str] = []
        self._words = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        for name, value in given.items():
            if (tag, name) in _FETCHED:
                self.fetched += [v.split()[0] for v in value.split(",")] \
                    if name == "srcset" else [value]
            elif (tag, name) in _FOLLOWED:
                self.followed.append(value)
            elif name == "style":
                self.fetched += _STYLE.findall(value)
        if tag == "link" and "href" in given:
            named = {*given.get("rel", "").split()} <= _UNFETCHED
            (self.followed if named else self.fetched).append(given["href"])
        if tag in _OPEN:
            self._inside, self._words = [tag], ""
        elif tag in ("code", "pre", "script", "style"):
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in _OPEN and self._inside[:1] == [tag]:
            if tag == "p" and _LOST.search(self._words):
                self.lost.append(self._words)
            self._inside = []
        elif self._inside[-1:] == [tag]:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if self._inside[-1:] == ["style"]:
            self.fetched += _STYLE.findall(data)
        if len(self._inside) == 1 and self._inside[0] in _OPEN:
            self._words += data


def problems(site: Path) -> Iterator[str]:
    """A line for each thing that is wrong with the site in a folder; none where all is well."""
    pages = {p.relative_to(site).as_posix(): Page(p.read_text(encoding="utf-8"))
             for p in sorted(site.rglob("*.html"))}
    if "index.html" not in pages:
        yield f"no site: {site}"
    for name, page in pages.items():
        # The page of an error is shown at any address, so its links begin at the root.
        for url in [*page.fetched, *page.followed]:
            yield from _link(site, pages, name, url, url in page.fetched)
        for text in page.lost:
            yield f"{name}: Markdown is left: {text.strip()[:60]!r}"
    if any(name.startswith("api/") for name in pages):
        for room in api.rooms():
            there = pages.get(api.path(room).replace(".md", ".html"), Page(""))
            yield from (f"{room}: {name} is not on its page" for module in api.modules(room)
                        for name in api.described(module) if name not in there.anchors)
    for path in sorted(site.rglob("*.css")):
        name = path.relative_to(site).as_posix()
        for url in _STYLE.findall(path.read_text(encoding="utf-8")):
            yield from _link(site, pages, name, url, True)


def _link(site: Path, pages: dict[str, Page], name: str, url: str, fetched: bool) -> Iterator[str]:
    parts = urlsplit(url)
    if parts.scheme == "data" and fetched:
        return
    if parts.scheme or parts.netloc:
        if fetched or parts.scheme not in ("https", "mailto"):
            yield f"{name}: leads to another place: {url}"
        return
    path = unquote(parts.path)
    if path.startswith("/"):
        # The page of an error is shown at any address.
        path = path.lstrip("/") if name == "404.html" else ".." + path
    else:
        path = posixpath.join(posixpath.dirname(name), path) if path else name
    path = posixpath.normpath(path)
    if path == "." or (site / path).is_dir():
        path = posixpath.normpath(f"{path}/index.html")
    if path.startswith("..") or not (site / path).is_file():
        yield f"{name}: nothing there: {url}"
    elif parts.fragment and path in pages and unquote(parts.fragment) not in pages[path].anchors:
        yield f"{name}: no such place: {url}"
