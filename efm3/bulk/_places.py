# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Inputs that may be URLs: of object storage, which Daft lists, and of the web."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from efm3.bulk._daft import reason
from efm3.bulk.inputs import SUFFIXES, TARS, ZIPS, Inputs, Item, is_url
from efm3.bulk.row import path_text
from efm3.findings import Finding, error, refuse
from efm3.pictures import MAX_FILE

STORES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "hf")
"""Schemes of places that can be listed; of any other a URL names one picture."""
_MAGIC = re.compile(r"[*?\[{]")


class Url(str):
    """A picture's place that is no path: Daft downloads it."""


class Places(Inputs):
    """Inputs whose paths, and lines of a list, may be URLs.

    In object storage one that ends in a stroke means the pictures below it, and one with `*`, `?`,
    `[` or `{` those that fit; in a list a URL is one picture, whatever its signs. The pictures
    come in the order in which the store lists them.
    """

    takes_urls = True

    def _found(self) -> Iterator[str | Item]:
        for found in super()._found():
            if isinstance(found, Item) and isinstance(found.source, Finding) \
                    and found.source.code == "B011":
                yield _picture(found.name)  # a line of the list
            else:
                yield found

    def _meant(self, path: str) -> Iterator[str | Item]:
        if not is_url(path):
            yield from super()._meant(path)
        elif urlsplit(path).scheme.lower() in STORES and (path.endswith("/")
                                                          or _MAGIC.search(path)):
            yield from self._stored(path)
        else:
            yield _picture(path_text(path))

    def count(self) -> int | None:
        """How many pictures these are; None where only a store or reading them would tell."""
        if any(is_url(path) for path in self._paths):
            return None
        return super().count()

    def _stored(self, url: str) -> Iterator[Item]:
        """Pictures of a store. Raises Efm3Error B018."""
        for place, size in _listed(url + "**" if url.endswith("/") else url):
            below = place[len(url):] if url.endswith("/") else place.rpartition("/")[2]
            if any(part.startswith(".") for part in below.split("/")):
                self.skipped["hidden"] += 1
            elif not place.lower().endswith(SUFFIXES):
                archive = place.lower().endswith(TARS + ZIPS)
                self.skipped["archives in folders" if archive else "other files"] += 1
            elif size is not None and size > MAX_FILE:
                yield Item(place, error(
                    "F011", f"a file of more than {MAX_FILE:,} bytes", place, f"{size:,}",
                    f"{MAX_FILE} at most").finding)
            else:
                yield Item(place, Url(place))


def _picture(url: str) -> Item:
    if urlsplit(url).path.lower().endswith(TARS + ZIPS):
        return Item(url, error("B015", "an archive, and of a URL none is read; download it",
                               url).finding)
    return Item(url, Url(url))


def _listed(pattern: str) -> Iterator[tuple[str, int | None]]:
    """The objects that fit, and their sizes. Raises Efm3Error B018."""
    from daft import from_glob_path

    try:
        for batch in from_glob_path(pattern).select("path", "size").to_arrow_iter():
            yield from zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True)
    except Exception as e:
        # Daft raises nearly every kind of exception, and for a pattern that fits none too.
        refuse("B018", f"it cannot be listed: {reason(e)}", pattern)
