# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a bulk run writes: one row a face, or one a picture that has none to give."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from efm3.arrays import Floats

FORMAT = "efm3.embeddings/1"
"""The name and version of the tables and manifests that are written."""
COLUMNS = ("path", "face", "embedding", "box", "points", "score", "error", "reason")
"""The columns of a table, in their order; the fields of Row."""
POINTS = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
"""The five points, x and y each; left and right as in the picture."""
_ESCAPED = re.compile(rb"\\x([89a-f][0-9a-f])")
"""A byte that is no UTF-8, as `path_text` writes it."""


class Row(NamedTuple):
    """A face of a picture; or a picture without an embedding, and why.

    Where `error` is None the row has an embedding. `path` is text that can be encoded
    (`path_text`). `box` is left, top, right, bottom, `points` are five of x and y, both in pixels
    of the photograph and None where no face was looked for.
    """

    path: str
    face: int = 0
    embedding: Floats | None = None
    box: tuple[float, ...] | None = None
    points: tuple[float, ...] | None = None
    score: float | None = None
    error: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Job:
    """What decides the embeddings of a run: two runs with equal jobs give equal rows.

    `model` is the SHA-256 of the weight file's tensor table, as `meta.sha256` states it, in hex;
    `dim` the length of an embedding; `options` are the choices by name (JSON values).
    """

    model: str
    dim: int
    options: dict[str, Any] = field(default_factory=dict)


def path_text(path: str) -> str:
    """The path as text that every form can hold: bytes that are no UTF-8 become escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def path_of(text: str) -> str:
    """The path that `path_text` gave this text for, as far as the disk can tell.

    The text as it is, unless nothing is there and something is where its escapes are bytes: a
    name may hold the letters of an escape.
    """
    if os.path.lexists(text):
        return text
    data = _ESCAPED.sub(lambda m: bytes([int(m[1], 16)]), text.encode("utf-8", "surrogatepass"))
    path = os.fsdecode(data)
    return path if os.path.lexists(path) else text
