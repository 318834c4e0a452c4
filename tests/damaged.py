# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Files for comparing verdicts: whole ones of many shapes, and seeded damage of every kind."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from efm3 import Arch, Stage
from efm3 import format as fmt
from efm3.arch import last_side
from efm3.conformance import sample
from efm3.conformance.examples import EXAMPLES, example
from efm3.network import tensor_layout

BASE = sample.base()
EDGES = (0, 1, 2**31 - 1, 2**31, 2**32 - 1)
HEADER = fmt.FIELDS["arch.hdr_version"].offset


def boundaries(data: bytes = BASE) -> list[int]:
    """Every offset at which a part starts or ends."""
    spans = list(sample.spans(data).spans())
    return sorted({s.offset for s in spans} | {s.offset + s.length for s in spans})


def prefixes(data: bytes = BASE) -> Iterator[bytes]:
    """The file cut at, before and after every boundary, and one byte too long."""
    cuts = {n for at in boundaries(data) for n in (at - 1, at, at + 1) if 0 <= n <= len(data)}
    yield from (data[:n] for n in sorted(cuts))
    yield data + b"\0"


def u32_fields(data: bytes = BASE) -> list[int]:
    """Offsets of every u32 field."""
    s = sample.spans(data)
    assert s.table_offset is not None
    fixed = [f.offset for f in fmt.FIELDS.values() if f.size == 4]
    return [*fixed, s.table_offset - fmt.COUNT_SIZE, *(t.offset for t in s.tensors)]


def edges(data: bytes = BASE) -> Iterator[bytes]:
    """Every u32 field at the edges of its type and one off what it was."""
    for at in u32_fields(data):
        was = int.from_bytes(data[at:at + 4], "little")
        for value in {*EDGES, was - 1, was + 1, was + 4, 4 * was} - {-1}:
            yield sample.put(at, struct.pack("<I", value))(data)


def arch(rng: random.Random) -> Arch:
    """A small network of any legal form."""
    stages = tuple(Stage(rng.choice((1, 1, 2, 3, 6)), rng.choice((1, 1, 2, 3)), rng.randint(1, 4))
                   for _ in range(rng.choice((1, 1, 2, 3, 8))))
    own: dict[str, Any] = {k: rng.randint(1, 9) for k in (
        "stem_channels", "block_channels", "final_channels", "embedding_dim")}
    own |= {"stem_kernel": rng.randrange(1, 16, 2), "stem_stride": rng.randint(1, 4),
            "stages": stages}
    return Arch("any", 1.0, gdc_kernel=last_side(SimpleNamespace(**own)), **own)


def shapes(seed: int, count: int) -> Iterator[bytes]:
    """Whole files of `count` shapes, each also with a header field changed."""
    rng = random.Random(seed)
    for _ in range(count):
        data = sample.build(arch(rng))
        yield data
        at = rng.randrange(HEADER, HEADER + fmt.ARCH_SIZE)
        yield sample.put(at, bytes([rng.choice((0, 1, 2, data[at] ^ 1, rng.randrange(256)))]))(data)


def headers(seed: int, count: int) -> Iterator[bytes]:
    """Random headers before the sample's table, from noise to nearly right."""
    rng = random.Random(seed)
    small = (0, 1, 2, 3, 7, 255)
    for i in range(count):
        header = (rng.randbytes(fmt.ARCH_SIZE) if i % 4 == 0
                  else fmt.ARCH_HEADER.build(arch(rng).header() if i % 4 == 1 else _near(rng)))
        for _ in range(rng.randrange(3) if i % 4 else 0):
            header = sample.put(rng.randrange(len(header)), bytes([rng.choice(small)]))(header)
        yield sample.put(HEADER, header)(BASE)


def _near(rng: random.Random) -> dict[str, Any]:
    record = {"t": rng.choice((0, 1, 2, 255)), "n": rng.choice((0, 1, 2, 128, 255)),
              "s": rng.randrange(6)}
    values = sample.ARCH.header()
    values["stages"] = [s | record if rng.random() < 0.2 else s for s in values["stages"]]
    return values | {k: rng.choice((0, 1, 8, 16, 65535)) for k in (
        "stem_channels", "block_channels") if rng.random() < 0.5}


def patches(seed: int, count: int) -> Iterator[bytes]:
    """The sample with up to six short random patches."""
    rng = random.Random(seed)
    for _ in range(count):
        data = BASE
        for _ in range(rng.randint(1, 6)):
            at = rng.randrange(400 if rng.random() < 0.4 else len(data))
            data = sample.put(at, rng.randbytes(rng.randint(1, 8)))(data)[:len(BASE)]
        yield data


def lawless(**changes: object) -> Arch:
    """An arch like the sample's with these changes, which nothing has checked."""
    out = object.__new__(Arch)
    vars(out).update(vars(sample.ARCH) | changes)
    vars(out).update({"gdc_kernel": last_side(out)} | changes)
    return out


def limits() -> Iterator[bytes]:
    """Files at a limit, and files beyond it that are whole in all else."""
    for kernel in (1, 2, 14, 15, 16, 17):
        yield sample.build(lawless(stem_kernel=kernel))
    for stride in (1, 4, 5):
        yield sample.build(lawless(stem_stride=stride))
        yield sample.build(lawless(stages=(Stage(1, 1, stride),)))
    for blocks in (0, 1, 255, 256, 257):
        stages = (Stage(1, min(blocks, 255), 2), Stage(1, 1, 2), Stage(1, blocks - 256, 2))
        yield sample.build(lawless(stem_channels=1, block_channels=1,
                                   stages=stages[:1 + (blocks > 255) + (blocks > 256)]))
    for count in (0, 1, 8):
        yield sample.build(lawless(stages=(Stage(1, 1, 1),) * count))
    for size in (0, fmt.MAX_JSON_LEN, fmt.MAX_JSON_LEN + 1):
        yield sample.build(text=b" " * size)


def wraps() -> bytes:
    """A file whose expand and project have size 0, which 4 x 32768 x 32768 is in 32 bits."""
    wide = 32768
    network = Arch("wraps", 1.0, wide, wide, 1, 1, 56, (Stage(1, 1, 1),), stem_kernel=1)
    empty = (".expand.conv.w", ".project.conv.w")
    return sample.build(network, [
        (name, b"" if name.endswith(empty) else bytes(4 * _product(shape)))
        for name, shape in tensor_layout(network)])


def _product(shape: tuple[int, ...]) -> int:
    out = 1
    for n in shape:
        out *= n
    return out


def all_kinds(scale: int = 1) -> dict[str, Callable[[], Iterator[bytes]]]:
    """(kind, files) of every kind; `scale` divides the random ones' number."""
    one_stage = replace(sample.ARCH, stages=sample.ARCH.stages[:1], gdc_kernel=28)
    return {
        "examples": lambda: (example(code)[1] for code in EXAMPLES),
        "prefixes": prefixes, "edges": edges, "limits": limits,
        "edges of one stage": lambda: edges(sample.build(one_stage)),
        "shapes": lambda: shapes(1, 200 // scale), "headers": lambda: headers(2, 2000 // scale),
        "patches": lambda: patches(3, 2000 // scale),
    }
