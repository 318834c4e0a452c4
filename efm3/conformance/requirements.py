# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What implementations must do, beside what files must hold.

A file's requirements are the rules (`efm3.rules`). These are the requirements on behaviour: no
file breaks them, a program does. Their words are the catalogue's (`efm3.codes`).
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
