# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Pairs of ncnn's files for fuzz_python.py: a graph's length in four bytes, the graph, its weights.

The mutator changes a word of the graph and leaves the counts of its lines right, or damages bytes.
"""

from __future__ import annotations

import os
import random
import struct
from functools import lru_cache

import efm3
from efm3.arch import Arch, Stage
from efm3.conformance import sample
from efm3.convert import ncnn
from efm3.convert._base import Wanted
from efm3.convert.matching import network_of
from efm3.source import Unreadable
from tests.convert import ncnn_files as files
from tests.fuzz.mutators import raw

ARCH = Arch("small", 0.25, 2, 2, 4, 3, 14, (Stage(2, 1, 2), Stage(2, 1, 2)))
LINES = (
    files.picture(4, 6, 6), "Split s 1 3 in a b c", "BinaryOp m 1 1 a m 0=2 1=1 2=0.5",
    "Convolution v 1 1 m v 0=4 1=3 4=-233 5=1 6=144 9=2 -23310=1,0.25",
    "ConvolutionDepthWise w 1 1 v w 0=4 1=3 3=2 4=1 6=36 7=4 8=1",
    "BatchNorm n 1 1 w n 0=4 1=1.000000e-05", "PReLU p 1 1 n p 0=4",
    "Crop q 1 1 b q -23309=1,1 -23310=1,4 -23311=1,-1",
    "Reduction r 1 1 q r 0=3 1=0 -23303=1,1 5=1",
    "Permute t 1 1 c t 0=3", "Slice u 1 2 t u1 u2 -23300=2,2,-233 1=1", "Concat x 2 1 u2 u1 x 0=1",
    "Reshape y 1 1 x y 0=-1", "Pooling z 1 1 p z 0=1 4=1", "InnerProduct i 1 1 y i 0=4 1=1 2=576",
    "Eltwise e 2 1 i z e 0=1 -23301=2,0.5,1.0", "Scale f 1 1 e f 0=4 1=1", "Clip g 1 1 f g 1=6.0",
    "Reduction h 1 1 r h", "BinaryOp j 2 1 g h j 0=0", "MemoryData k 0 1 k 0=4",
    "BinaryOp l 2 1 j k l 0=2", "Normalize o 1 1 l o 0=1 1=1 3=1 9=1")
WORDS = ("0", "1", "-1", "2", "-233", "-234", "4", "2147483647", "-2147483648", "99999999999",
         "0.5", "1e-5", "1e38", "nan", "", ",", "1,2", '"', "x", "7767517", "-23300", "31")
EDGES = (-2**31, -23400, -23300, -233, -1, 0, 1, 2, 4, 26, 200, 2**20, 2**31 - 1)


def _packed(graph: bytes, weights: bytes) -> bytes:
    return struct.pack("<I", len(graph)) + graph + weights


def _split(data: bytes) -> tuple[bytes, bytes]:
    size = int.from_bytes(data[:4], "little")
    return data[4:4 + size], data[4 + size:]


def seeds() -> list[bytes]:
    """A pair that efm3 writes, folded or not, and layers of many kinds, as text and as words."""
    model = efm3.load(sample.build(ARCH))
    out = [_packed(b"".join(ncnn.parts(model, "x.param", fold)),
                   b"".join(ncnn.weights(model, "x.param", fold))) for fold in (False, True)]
    one = [0.5] * 4
    weights = (files.half([0.25] * 144) + files.raw(one) + files.small(range(36))
               + files.raw(one, [9], one, one, one, one, one) + files.floats([0.125] * 576)
               + files.raw(*[one] * 4, [1]))
    return [*out, _packed(files.text(LINES).encode(), weights),
            _packed(files.words(LINES), weights)]


def pair(rng: random.Random, data: bytes) -> bytes:
    """One change of the graph or of the weights."""
    graph, weights = _split(data)
    kind = rng.randrange(8)
    if kind == 0:
        return raw(rng, data)
    if kind == 1:
        return _packed(graph, raw(rng, weights))
    if kind == 2:
        return _packed(raw(rng, graph), weights)
    if graph[:1] == b"7":
        return _packed(_line(rng, graph), weights)
    at = rng.randrange(len(graph) // 4 + 1) * 4
    word = struct.pack("<i", rng.choice(EDGES))
    return _packed(graph[:at] + word + graph[at + rng.choice((0, 4, 4, 4, 8)):], weights)


def _line(rng: random.Random, graph: bytes) -> bytes:
    """The text with one word changed, lost, twice or another's; or one line."""
    lines = graph.split(b"\n")
    at = rng.randrange(len(lines))
    words = lines[at].split(b" ")
    i, other = rng.randrange(len(words)), rng.choice(rng.choice(lines).split(b" "))
    kind = rng.randrange(7)
    key, equals, _ = words[i].partition(b"=")
    if kind == 0:
        words[i] = other
    elif kind == 1:
        del words[i]
    elif kind == 2:
        words.insert(i, other)
    elif kind == 3:
        lines[at:at + 1] = rng.choice(([], [lines[at]] * 2, [rng.choice(lines)]))
        head = lines[1].split() if len(lines) > 1 else []
        if len(head) == 2:
            lines[1] = b"%d %s" % (len([n for n in lines[2:] if n]), head[1])
        return b"\n".join(lines)
    else:
        words[i] = (key + equals if equals else b"") + rng.choice(WORDS).encode()
    lines[at] = b" ".join(words)
    return b"\n".join(lines)


@lru_cache(maxsize=1)
def _memory() -> tuple[tuple[int, str], ...]:
    made = (os.memfd_create("graph"), os.memfd_create("weights"))
    return tuple((fd, f"/proc/self/fd/{fd}") for fd in made)


def check(data: bytes) -> str:
    """A model, a graph that is none of EFM3's, Efm3Error or Unreadable."""
    for (fd, _), part in zip(_memory(), _split(data), strict=True):
        os.ftruncate(fd, 0)
        os.pwrite(fd, part, 0)
    (_, graph), (_, weights) = _memory()
    try:
        source = ncnn.read(graph, Wanted(), weights)
    except efm3.Efm3Error as e:
        return e.code
    except Unreadable:
        return "unreadable"
    assert source.graph is not None
    try:
        model = network_of(source, Wanted()).model
    except efm3.Efm3Error as e:
        return f"graph {e.code}"
    assert efm3.validate(b"".join(model.parts(finite=False)), "structure").ok
    return "network"
