# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Mutated files from a seed: small complete files of many shapes, slightly changed or newly made.

Most changes are tests/fuzz/mutate.c's, which repairs the lengths; the others edit the mirror, the
table and the header by themselves. A seed gives the same files in every run.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

from efm3 import format as fmt
from efm3.arch import Arch, Stage, last_side
from efm3.conformance import sample
from efm3.conformance.cases import corpus
from efm3.conformance.disagree import QUIRKS
from tools.evidence._damage import EDGES, bases
from tools.evidence._hostile import Guard, Input

MOST = 2560
POOL = 400
PREFIX = fmt.PREFIX_SIZE
FIELDS = [f for f in fmt.FIELDS.values() if f.size in (1, 2, 4) and f.path != "magic"]
FLOATS = (0, 1, 0x80000000, 0x7F800000, 0xFF800000, 0x7FC00000, 0x7F800001, 0x3F800000)
U32 = struct.Struct("<I")


@lru_cache(maxsize=1)
def seeds() -> list[bytes]:
    """The small files of the conformance set, the tiny base, and 60 small archs."""
    rng = random.Random(0)
    out = [bases()["tiny"]]
    out += [d for c in corpus() if c.kind == "reader" and len(d := c.data()) <= MOST]
    while len(out) < POOL // 2:
        stages = tuple(Stage(rng.choice((1, 1, 2)), 1, rng.randint(1, 4))
                       for _ in range(rng.choice((1, 1, 1, 2))))
        own: dict[str, Any] = {k: rng.randint(1, 3) for k in (
            "stem_channels", "block_channels", "final_channels", "embedding_dim")}
        own |= {"stem_kernel": rng.choice((1, 3, 5)), "stem_stride": rng.randint(2, 4),
                "stages": stages}
        side = last_side(SimpleNamespace(**own))
        text = rng.choice((None, b"", b"{}", b"null ", b"\xff" * rng.randrange(9)))
        data = sample.build(Arch("any", 1.0, gdc_kernel=side, **own), text=text)
        if side < 9 and len(data) <= MOST:
            out.append(data)
    return out


Change = Callable[[random.Random, bytes], bytes]


def _head(data: bytes) -> tuple[int, int]:
    """json_len and n_tensors' offset, both within the file."""
    n = U32.unpack_from(data, PREFIX - 4)[0]
    n = min(n, max(len(data) - PREFIX - 4, 0))
    return n, PREFIX + n


def _mirror(rng: random.Random, data: bytes) -> bytes:
    n, table = _head(data)
    text = data[PREFIX:table]
    kind = rng.randrange(4)
    if kind == 0:
        text = rng.randbytes(rng.randrange(40))
    elif kind == 1 and n:
        at = rng.randrange(n)
        text = text[:at] + rng.randbytes(1) + text[at + 1:]
    else:
        old, new = rng.choice(QUIRKS)
        text = text.replace(old.encode(), new.encode(errors="surrogatepass"), 1)
    length = len(text) if rng.random() < 0.85 else len(text) + rng.choice((-4, -1, 1, 4))
    return data[:PREFIX - 4] + U32.pack(max(length, 0)) + text + data[table:]


def _field(rng: random.Random, data: bytes) -> bytes:
    f = rng.choice(FIELDS)
    lo, hi, top = f.con.lo, f.con.hi, 256 ** f.size - 1
    value = rng.choice((0, 1, 2, lo, hi, max(lo - 1, 0), min(hi + 1, top), top,
                        rng.randint(0, top)))
    return data[:f.offset] + value.to_bytes(f.size, "little") + data[f.offset + f.size:]


def _sizes(data: bytes) -> list[int]:
    """Offsets of the size fields, as far as the file believes in them."""
    at, out = _head(data)[1] + 4, list[int]()
    while at + 4 <= len(data) and len(out) < 64:
        out.append(at)
        at += 4 + U32.unpack_from(data, at)[0]
    return out


def _size(rng: random.Random, data: bytes) -> bytes:
    places = [_head(data)[1], *_sizes(data)]
    at = rng.choice(places)
    if at + 4 > len(data):
        return data
    now = U32.unpack_from(data, at)[0]
    new = rng.choice((now + 1, now + 4, now - 1, now - 4, 2 * now, now // 2, now // 4,
                      int.from_bytes(data[at:at + 4], "big"), rng.choice(EDGES)))
    return data[:at] + U32.pack(new & 0xFFFFFFFF) + data[at + 4:]


def _swap(rng: random.Random, data: bytes) -> bytes:
    places = _sizes(data)
    if len(places) < 2:
        return data
    a, b = sorted(rng.sample(places, 2))
    return data[:a] + data[b:b + 4] + data[a + 4:b] + data[a:a + 4] + data[b + 4:]


def _splice(rng: random.Random, data: bytes) -> bytes:
    other = rng.choice(seeds())
    i = rng.choice((8, 88, PREFIX, rng.randrange(len(data) + 1)))
    j = i if rng.random() < 0.7 else rng.randrange(len(other) + 1)
    return data[:i] + other[j:]


def _length(rng: random.Random, data: bytes) -> bytes:
    places = [len(data), PREFIX, _head(data)[1], rng.randrange(len(data) + 1), *_sizes(data)[-3:]]
    at, n = rng.choice(places), rng.choice((1, 1, 2, 4, 4, 8))
    kind = rng.randrange(4)
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + data[at + n:]
    return data[:at] + (bytes(n) if kind == 2 else rng.randbytes(n)) + data[at:]


def _values(rng: random.Random, data: bytes) -> bytes:
    for _ in range(rng.randint(1, 3)):
        at = rng.choice(_sizes(data) or [0]) + 4
        data = data[:at] + U32.pack(rng.choice(FLOATS)) + data[at + 4:] if at < len(data) else data
    return data


CHANGES: tuple[Change, ...] = (_mirror, _mirror, _mirror, _field, _field, _size, _swap, _splice,
                               _length, _values, _values)


def mutated(guard: Guard, seed: int, count: int) -> Iterator[Input]:
    """`count` files; each starts from a seed file or from one that came before."""
    rng = random.Random(seed)
    start = seeds()
    pool = list(start)
    for i in range(count):
        data = rng.choice(pool)
        for _ in range(1 if rng.random() < 0.7 else 2):
            if len(data) < PREFIX or rng.random() < 0.5:
                data = guard.mutate(data, MOST, rng.getrandbits(60))
            else:
                data = rng.choice(CHANGES)(rng, data)[:MOST]
        yield ("seed", seed, "file", i), data
        if i % 8 == 0 and len(data) > PREFIX:
            if len(pool) < POOL:
                pool.append(data)
            else:
                pool[rng.randrange(len(start), POOL)] = data
