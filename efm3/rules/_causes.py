# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""One mistake that explains a whole file, or its whole tensor table."""

from __future__ import annotations

import struct
from itertools import islice

from efm3 import format as fmt
from efm3.rules._text_mode import damage
from efm3.scan import Scan, TensorSpan

CAUSES = tuple(f"C{n:03}" for n in range(10, 31))
"""The rules that say what a file really is: `efm3.sniff` names it, and the rule."""

_START = fmt.MAGIC + struct.pack("<I", fmt.VERSION)


def head(s: Scan, n: int = 8) -> bytes:
    """The file's first `n` bytes."""
    return bytes(s.data[:n])


def of_file(s: Scan, path: str = "") -> tuple[str, str]:
    """(rule code, what the bytes really are and what to do), or ("", "").

    `path` is where the file is, "" for nowhere: some files are known by the one beside them.
    A wrong magic or version is a sufficient cause too, unless all that follows is correct.
    """
    first, version = head(s), s.values.get("version", fmt.VERSION)
    if first != _START:
        from efm3.sniff import of_data

        kind = of_data(s.data, path, s.size, s.tail)
        if kind is not None and kind.rule in CAUSES:
            return kind.rule, f"this is {kind.says(path)}"
    done = damage(s)
    if done:
        return "C024", f"the file was transferred as text: {done}"
    if not fmt.MAGIC.startswith(first[:4]) and not s.complete:
        return "C002", ""
    if version != fmt.VERSION and not s.complete:
        return "C003", ""
    return "", ""


def of_table(s: Scan) -> tuple[str, TensorSpan | None]:
    """(rule code, first entry) of one mistake that explains the whole table, or ("", None)."""
    bad = list(islice(s.tensors.misfits(), 3))
    if not bad:
        return "", None
    first = bad[0]
    have, full = s.tensors.sizes, s.tensors.expected
    if 1 < len(have) <= len(full):
        if all(2 * h == w for h, w in zip(have, full, strict=False)):
            return "T003", first
        if all(h == 2 * w for h, w in zip(have, full, strict=False)):
            return "T004", first
    i = first.number
    if s.n_tensors == len(full) - 1 and have[i:] == full[i + 1:]:
        return "T008", first
    if len(have) == s.n_tensors and have[i + 1:] == full[i:]:
        return "T009", first
    if first.size * 4 == first.expected:
        return "T005", first
    if int.from_bytes(first.size.to_bytes(4, "little"), "big") == first.expected:
        return "T006", first
    if len(bad) == 2 and (bad[0].size, bad[1].size) == (bad[1].expected, bad[0].expected):
        return "T007", first
    return "", None
