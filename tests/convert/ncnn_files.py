# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Writes ncnn's two files from the lines of a graph and the bytes of its weights; reads them.

`write(folder, lines, data)` gives the path of NAME.param, with NAME.bin beside it. `words` is what
a converter to ncnn's binary graph makes of the lines.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

import efm3
from efm3.convert import ncnn
from efm3.convert._base import Wanted
from efm3.convert._ncnn_param import TYPES
from efm3.convert.graph import run
from efm3.source import write_atomic

HALF, BRAIN, SMALL, SCALED = 0x01306B47, 0x01348B83, 0x000D4B38, 0x0002C056


def text(lines: Sequence[str], blobs: int | None = None) -> str:
    """The .param file of some lines; the count of blobs is theirs where it is not given."""
    count = blobs or sum(int(n) for line in lines for n in line.split()[3:4])
    return "\n".join(["7767517", f"{len(lines)} {count}", *lines, ""])


def write(folder: Path, lines: Sequence[str], data: bytes = b"", name: str = "x") -> Path:
    """Both files; the path of the graph."""
    (folder / f"{name}.bin").write_bytes(data)
    path = folder / f"{name}.param"
    path.write_text(text(lines), encoding="utf-8")
    return path


def pair(folder: Path, model: efm3.Model, fold: bool = False, name: str = "f.ncnn") -> str:
    """The two files of a model, as a conversion writes them; the path of the graph."""
    path = str(folder / f"{name}.param")
    write_atomic(path, ncnn.parts(model, path, fold), lambda _: write_atomic(
        ncnn.beside(path), ncnn.weights(model, path, fold)))
    return path


def forward(path: Path, x: NDArray[Any], output: str | None = None) -> NDArray[Any]:
    """The source's output for one blob without a batch."""
    graph = ncnn.read(str(path), Wanted(output=output)).graph
    assert graph is not None
    out: NDArray[Any] = run.forward(graph, x[None])[0]
    return out


def refusal(path: Path | str, wanted: Wanted | None = None, *words: str) -> str:
    """The code of the refusal, whose message holds some words; "" where there is none."""
    try:
        ncnn.read(str(path), wanted or Wanted())
    except efm3.Efm3Error as e:
        for word in words:
            assert word in e.finding.message, e.finding.message
        return e.code
    return ""


def picture(*shape: int) -> str:
    """The line of an input of this shape, [C, H, W] or fewer."""
    keys = {1: (0,), 2: (1, 0), 3: (2, 1, 0)}[len(shape)]
    return "Input in 0 1 in " + " ".join(f"{k}={s}" for k, s in zip(keys, shape, strict=True))


def words(lines: Sequence[str]) -> bytes:
    """The binary graph, .param.bin, of some lines."""
    numbers: dict[str, int] = {}
    out = [7767517, len(lines), sum(int(line.split()[3]) for line in lines)]
    for line in lines:
        kind, _, taken, put, *rest = line.split()
        names, params = rest[:int(taken) + int(put)], rest[int(taken) + int(put):]
        for name in names[int(taken):]:
            numbers[name] = len(numbers)
        out += [TYPES.index(kind), int(taken), int(put), *(numbers[n] for n in names)]
        for pair in params:
            key, _, value = pair.partition("=")
            values = value.split(",")
            out += [int(key), *([int(values[0])] if int(key) <= -23300 else [])]
            out += [_word(v) for v in (values[1:] if int(key) <= -23300 else values)]
        out.append(-233)
    return struct.pack(f"<{len(out)}i", *out)


def _word(value: str) -> int:
    real = "." in value or "e" in value
    word: int = struct.unpack("<i", struct.pack("<f", float(value)))[0] if real else int(value)
    return word


def raw(*arrays: ArrayLike) -> bytes:
    """Arrays as they are."""
    return b"".join(np.asarray(a, "<f4").tobytes() for a in arrays)


def floats(a: ArrayLike, word: int = 0) -> bytes:
    """Weights behind the word of float32."""
    return word.to_bytes(4, "little") + raw(a)


def half(a: ArrayLike) -> bytes:
    """Weights as float16."""
    return _padded(HALF, np.asarray(a, "<f2"))


def brain(a: ArrayLike) -> bytes:
    """Weights as bfloat16, cut."""
    return _padded(BRAIN, (np.asarray(a, "<f4").view("<u4") >> 16).astype("<u2"))


def small(a: ArrayLike) -> bytes:
    """Weights as int8."""
    return _padded(SMALL, np.asarray(a, np.int8))


def table(numbers: ArrayLike, indices: ArrayLike) -> bytes:
    """Weights as indices into 256 numbers."""
    return struct.pack("<I", 1) + raw(numbers) + _padded(0, np.asarray(indices, np.uint8))[4:]


def _padded(word: int, a: NDArray[Any]) -> bytes:
    return word.to_bytes(4, "little") + a.tobytes() + bytes(-a.nbytes % 4)
