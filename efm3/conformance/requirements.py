# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Requirements on implementations, in addition to those on files.

A file's requirements are the rules (`efm3.rules`). These are the requirements on behaviour:
programs break them, not files. Their texts are in the catalogue (`efm3.codes`).
"""

from __future__ import annotations

from typing import NamedTuple

from efm3.codes import CODES, STRENGTH


class Requirement(NamedTuple):
    """A requirement on a class of implementations; `level` is MUST or SHOULD."""

    code: str
    level: str
    subject: str
    words: str


REQUIREMENTS: dict[str, Requirement] = {
    c.code: Requirement(c.code, STRENGTH[c.severity], c.level, c.what)
    for c in CODES.values() if c.group == "programs"}
"""Requirements on behaviour by code."""

CLASSES = tuple(dict.fromkeys(r.subject.lower() for r in REQUIREMENTS.values()))
"""The classes of implementations: reader, writer, editor, engine."""
