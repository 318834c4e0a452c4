# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The entry for file(1), as magic(5) describes it: what a file is, and the sizes in its header."""

from __future__ import annotations

from efm3 import format as fmt
from efm3.forms._text import preamble

NEWEST = 99
"""The highest version that is called a version. What follows the four letters in a text, or in
other data, is as a number far above it."""

SHOWN = (("arch.n_stages", ", %u stages"), ("arch.stem_channels", ", %u"),
         ("arch.block_channels", "/%u"), ("arch.final_channels", "/%u channels"),
         ("arch.embedding_dim", ", %u values of a face"), ("json_len", ", %u bytes of JSON"))
"""Fields of the prefix that are shown, and the words."""

_TYPES = {1: "ubyte", 2: "uleshort", 4: "ulelong"}
_WHAT = "EFM3 face-recognition weights, version %u"


def text() -> str:
    """The entry."""
    magic, version = fmt.FIELDS["magic"], fmt.FIELDS["version"]
    kind, at = _TYPES[version.size], version.offset
    fields = [(fmt.FIELDS[path], words) for path, words in SHOWN]
    return "\n".join([
        *preamble("#"), "#",
        f"{magic.offset}\tstring\t{fmt.MAGIC.decode()}",
        f">{at}\t{kind}\t{fmt.VERSION}\t{_WHAT}", "!:ext\tbin/efm3",
        *(f">>{f.offset}\t{_TYPES[f.size]}\tx\t\\b{words}" for f, words in fields),
        "# Another version has another header: no more than its number is shown.",
        f">{at}\t{kind}\t>{fmt.VERSION}", f">>{at}\t{kind}\t<{NEWEST + 1}\t{_WHAT}", ""])
