# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a run and its workers say to each other: frames of JSON with bytes behind it.

No pickle: a worker has had foreign pictures in its memory, so what it says is data alone.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from efm3.bulk.row import Row
from efm3.bulk.rows import Made
from efm3.findings import Efm3Error, Finding

HEAD = struct.Struct("<QQ")
"""Bytes of the JSON, and bytes behind it."""
LARGEST = 1 << 28
"""Bytes of a frame."""
PLAIN = 0
"""In an answer: a picture with one row and nothing to be said of it."""
Pictures = Sequence[tuple[str, "str | bytes"]]


class Garbled(ValueError):
    """A frame that is none: the other side is damaged."""


def frame(words: dict[str, Any], body: bytes | memoryview = b"") -> bytes:
    """The bytes of a frame."""
    text = json.dumps(words, separators=(",", ":")).encode()
    return b"".join((HEAD.pack(len(text), len(body)), text, body))


def read_frame(read: Callable[[int], bytes]) -> tuple[dict[str, Any], bytes]:
    """The next frame; `read` gives so many bytes, or fewer at the end. Raises EOFError, Garbled."""
    head = read(HEAD.size)
    if len(head) < HEAD.size:
        raise EOFError
    length, more = HEAD.unpack(head)
    if length > LARGEST or more > LARGEST:
        raise Garbled("a frame of too many bytes")
    text, body = read(length), read(more)
    if len(text) < length or len(body) < more:
        raise EOFError
    try:
        words = json.loads(text)
    except (ValueError, RecursionError):
        raise Garbled("no JSON") from None
    if not isinstance(words, dict):
        raise Garbled("no object")
    return words, body


def question(pictures: Pictures) -> bytes:
    """Pictures as a frame: a path is written, of bytes their number."""
    rows = [[name, source if isinstance(source, str) else len(source)]
            for name, source in pictures]
    return frame({"pictures": rows},
                 b"".join(s for _, s in pictures if not isinstance(s, str)))


def asked(words: dict[str, Any], body: bytes) -> list[tuple[str, str | bytes]]:
    """The pictures of a question."""
    out: list[tuple[str, str | bytes]] = []
    at = 0
    for name, source in words["pictures"]:
        if isinstance(source, int):
            out.append((name, body[at:at + source]))
            at += source
        else:
            out.append((name, source))
    return out


def answer(made: Sequence[Made], seconds: float) -> bytes:
    """Rows as a frame, which took so long to make; the names are known to who asked."""
    pictures = [PLAIN if _plain(m) else {
        "notes": m.notes, "rows": [[r.box, r.points, r.score, r.error, r.reason] for r in m.rows]}
        for m in made]
    vectors = [r.embedding for m in made for r in m.rows if r.embedding is not None]
    body = np.concatenate(vectors).astype("<f4").data.cast("B") if vectors else b""
    return frame({"seconds": seconds, "pictures": pictures}, body)


def _plain(m: Made) -> bool:
    return not m.notes and len(m.rows) == 1 and m.rows[0].error is None and m.rows[0].box is None


def answered(words: dict[str, Any], body: bytes, names: Sequence[str], dim: int) -> list[Made]:
    """The rows of an answer for these names. Raises Garbled, and the Efm3Error that it holds."""
    try:
        if "refused" in words:
            raise Efm3Error(Finding(**words["refused"]))
        vectors = iter(np.frombuffer(body, "<f4").reshape(-1, dim).astype(np.float32, copy=False))
        out = []
        for name, told in zip(names, words["pictures"], strict=True):
            if told == PLAIN:
                out.append(Made(name, (Row(name, embedding=next(vectors)),)))
                continue
            rows = tuple(Row(name, number, None if error is not None else next(vectors),
                             _tuple(box), _tuple(points), score, error, reason)
                         for number, (box, points, score, error, reason)
                         in enumerate(told["rows"]))
            out.append(Made(name, rows, tuple(told["notes"])))
        if next(vectors, None) is not None or not all(m.rows for m in out):
            raise ValueError("rows that do not fit")
    except Efm3Error:
        raise
    except (ValueError, TypeError, KeyError, StopIteration, RuntimeError) as e:
        raise Garbled(f"an answer that cannot be read: {e}") from None
    return out


def _tuple(values: list[float] | None) -> tuple[float, ...] | None:
    return None if values is None else tuple(values)


def refusal(e: Efm3Error) -> bytes:
    """An error that is not of one picture, as a frame."""
    return frame({"refused": asdict(e.finding)})
