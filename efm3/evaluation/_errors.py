# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Why a set of pairs is refused."""

from __future__ import annotations

from typing import NoReturn

from efm3.findings import Efm3Error, Finding

CODES: dict[str, str] = {
    "F001": "the file is no set of pairs: not two lists, pictures and answers, that fit together",
    "F002": "the pickle asks for more than bytes, numbers and lists, and could run code",
    "F003": "the pickle is truncated or damaged, or larger than any set of pairs",
    "F004": "a line of the pairs file that is no pair",
    "F005": "a picture that a pair names is not there",
    "F006": "a picture cannot be decoded, or is not 112x112 pixels",
    "F007": "too few pairs for the protocol, or none of the same or of different people",
    "F008": "a network or a function that gave no embeddings of finite length",
}
"""Every code an evaluation can be refused with; codes keep their meaning."""


def refuse(code: str, message: str, place: str, found: object = "", expected: object = "",
           offset: int | None = None) -> NoReturn:
    """Raise the one Efm3Error of a refusal; `place` is a file, a line or a picture."""
    assert code in CODES
    raise Efm3Error(Finding(code, "error", message[:600], offset, path=place[:200],
                            found=str(found)[:200], expected=str(expected)[:200]))
