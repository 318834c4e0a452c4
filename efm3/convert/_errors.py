# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Why a conversion is refused: the codes, and the extras that a format may need."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NoReturn

from efm3.findings import Efm3Error, Finding

CODES: dict[str, str] = {
    "X001": "no format of this name or suffix, or not in this direction",
    "X002": "a library that the format needs is not installed; the message names the extra",
    "X003": "the file is truncated, damaged, or of another kind",
    "X004": "the checkpoint's pickle asks for more than tensors, and could run code",
    "X005": "data kept outside the file cannot be used: not in its folder, missing, or too short",
    "X006": "a tensor's data does not match the shape or the type it states",
    "X007": "the graph is broken: a cycle, a value made twice, a value nobody makes",
    "X008": "an operation or a layer that EFM3 cannot express",
    "X009": "a layer whose shape, stride, padding, bias or activation EFM3 cannot express",
    "X010": "the arch cannot be inferred without doubt; give --arch",
    "X011": "the network is not of the given arch",
    "X012": "EFM3's metadata in the file contradict one another or cannot be read",
    "X013": "the result does not compute what the source computes",
    "X014": "something had to be assumed or dropped, and --strict forbids it",
    "X015": "a key that belongs to no layer, or not exactly one network in the file",
    "X016": "the input's preprocessing cannot be undone",
}
"""Every code a conversion can be refused with; codes keep their meaning."""


def refuse(code: str, message: str, place: str = "", found: object = "",
           expected: object = "") -> NoReturn:
    """Raise the one Efm3Error of a refusal; `place` is a key, a node or a file."""
    assert code in CODES
    raise Efm3Error(Finding(code, "error", message[:600], path=place[:200],
                            found=str(found)[:200], expected=str(expected)[:200]))


def needs(library: str, extra: str) -> Any:
    """The library, imported now; X002 names the extra where it is not installed."""
    try:
        return import_module(library)
    except ImportError as e:
        refuse("X002", f"this needs {library}: pip install 'efm3[{extra}]' [{e}]", library)
