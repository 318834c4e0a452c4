# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Pages of the tests, and what is seen in them."""

from __future__ import annotations

import html.parser

from efm3.conformance import sample
from efm3.conformance.examples import example
from efm3.report.facts import checked
from efm3.report.page import Page
from tests.hostile_names import weights

PLAIN = [("plain.bin", weights("plain")), ("bad.bin", example("M022")[1]),
         ("cut.bin", sample.base()[:5000]), ("lfs.bin", b"version https://git-lfs.github.com/spec/"
                                             b"v1\noid sha256:4d7a\nsize 12\n"), ("none.bin", b""),
         ("meta.bin", sample.with_mirror(lambda m: m | {"meta": {
             "trained": False, "sha256": "0", "picture": "sideways"}})(sample.base())),
         ("nan.bin", sample.fill("stem.conv.w", float("nan"))(sample.base())),
         ("short.bin", sample.base()[:40])]
"""Files of every kind that a section has another form for, with plain names."""


def page(*files: tuple[str, bytes], unfold: bool = True) -> str:
    """The page of some files, each a name and its bytes."""
    made = Page(unfold=unfold)
    for name, data in files:
        made.add(checked(data, name=name))
    return b"".join(made.parts()).decode()


class Seen(html.parser.HTMLParser):
    """A page's words, as one text with a blank for each space, and its tags with attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._parts: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.feed(text)
        self.close()
        self.words = " ".join("".join(self._parts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {k: v or "" for k, v in attrs}))

    def handle_data(self, data: str) -> None:
        self._parts.append(data)

    def of(self, tag: str, attribute: str) -> list[str]:
        """This attribute of all such tags that have it."""
        return [a[attribute] for t, a in self.tags if t == tag and attribute in a]
