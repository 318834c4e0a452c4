# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The EFM3 container, declared once.

Every field has its construct type, its name, a one-line doc and its limits.
The structs below parse and build; readers, rules, the hex view and the
generated C header take every offset, size and limit from here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from construct import Array, Bytes, Int8ul, Int16ul, Int32ul, Renamed, Struct, this

MAGIC = b"EFM3"
VERSION = 3
HDR_VERSION = 1
STAGE_SLOTS = 8
INPUT_CHANNELS = 3
INPUT_SIDE = 112
BN_EPS = 1e-5
L2_EPS = 1e-12
TENSOR_ALIGN = 4
MAX_JSON_DEPTH = 16
"""Deepest nesting of the mirror; the canonical text needs 3, `meta` a few more."""

# Limits no single field can state (spec/decisions/0001-limits.md).
MAX_BLOCKS = 256
"""Blocks over all stages: four times the most that the original engine holds."""
MAX_EXPANDED = 65535
"""Widest expansion c*t: what the u16 channel fields can state."""


class Limited(Renamed):  # type: ignore[misc]
    """A named construct with inclusive limits, and the mirror key that repeats it."""

    def __init__(self, name: str, con: Any, doc: str, lo: int, hi: int, *,
                 step: int = 1, mirror: str | None = None) -> None:
        super().__init__(con, newname=name, newdocs=doc)
        self.lo, self.hi, self.step, self.mirror = lo, hi, step, mirror

    def allows(self, value: int) -> bool:
        """True where lo <= value <= hi and value lies on the step."""
        return self.lo <= value <= self.hi and (value - self.lo) % self.step == 0

    @property
    def legal(self) -> str:
        """The limits in words, for messages and tables."""
        if self.lo == self.hi:
            return str(self.lo)
        return f"{self.lo}..{self.hi}" + (", odd" if self.step == 2 else "")


def _mirrored(name: str, con: Any, doc: str, lo: int, hi: int) -> Limited:
    return Limited(name, con, doc, lo, hi, mirror=name)


STAGE = Struct(
    _mirrored("t", Int8ul, "expansion factor of every block of the stage", 1, 255),
    _mirrored("n", Int8ul, "number of blocks", 1, 255),
    _mirrored("s", Int8ul, "stride of the first block; the others have 1", 1, 4),
    Limited("pad", Int8ul, "zero", 0, 0),
    Limited("reserved", Int32ul, "zero", 0, 0),
)

ARCH_HEADER = Struct(
    Limited("hdr_version", Int8ul, "version of the arch header", HDR_VERSION, HDR_VERSION),
    Limited("n_stages", Int8ul, "used stage records", 1, STAGE_SLOTS),
    Limited("stem_kernel", Int8ul, "side of the first convolution's kernel", 1, 15, step=2),
    Limited("stem_stride", Int8ul, "stride of the first convolution", 1, 4),
    _mirrored("stem_channels", Int16ul, "channels of the stem and of stage 1", 1, 65535),
    _mirrored("block_channels", Int16ul, "channels of every stage after the first", 1, 65535),
    _mirrored("final_channels", Int16ul, "channels of final_conv and gdconv", 1, 65535),
    _mirrored("embedding_dim", Int16ul, "length of the embedding", 1, 65535),
    _mirrored("gdc_kernel", Int8ul, "kernel of gdconv = side of the last feature map",
              1, INPUT_SIDE),
    Limited("pad", Bytes(3), "zero", 0, 0),
    "stages" / Array(STAGE_SLOTS, STAGE) * "stage records; unused ones are all zero",
)

PREFIX = Struct(
    Limited("magic", Bytes(4), "the letters EFM3", 0, 0),
    Limited("version", Int32ul, "version of the container", VERSION, VERSION),
    "arch" / ARCH_HEADER * "the network's shape; what an engine reads",
    Limited("json_len", Int32ul, "bytes of the JSON mirror", 0, 1 << 20),
)

TENSOR = Struct(
    Limited("size", Int32ul, "payload bytes: 4 x the product of the shape", 4, 0xFFFFFFFC),
    "data" / Bytes(this.size) * "float32 little-endian, C order",
)

FILE = Struct(
    "prefix" / PREFIX * "magic, version, arch header and the mirror's length",
    "json" / Bytes(this.prefix.json_len) * "JSON mirror, UTF-8; engines skip it",
    Limited("n_tensors", Int32ul, "entries of the tensor table", 1, 0xFFFFFFFF),
    "tensors" / Array(this.n_tensors, TENSOR) * "the tensor table, in layout order",
)

PREFIX_SIZE: int = PREFIX.sizeof()
ARCH_SIZE: int = ARCH_HEADER.sizeof()
STAGE_SIZE: int = STAGE.sizeof()
COUNT_SIZE: int = Int32ul.sizeof()
MAX_JSON_LEN: int = PREFIX.json_len.hi
U32 = Int32ul

MIRROR_KEYS: tuple[tuple[str, str], ...] = (
    ("name", "string"), ("width_mult", "number"), ("stem_channels", "integer"),
    ("block_channels", "integer"), ("final_channels", "integer"),
    ("embedding_dim", "integer"), ("gdc_kernel", "integer"), ("stages", "array"),
)
"""Keys of the JSON mirror in canonical order, with their JSON types."""

META_KEYS: dict[str, str] = {
    "licence": "SPDX expression of the weights' licence",
    "source": "where the file comes from",
    "training_data": "what the weights were trained on",
    "description": "one sentence for a person",
    "created": "date, ISO 8601",
    "picture": "how the network takes an upright picture: `upright`, as where the key is missing, "
               "or `turned-180`, turned by 180 degrees",
    "trained": "false for weights that never saw a face",
    "seed": "seed of generated weights",
    "sha256": "SHA-256 of the tensor table (from the first size field to the end), hex",
}
"""Registered keys of the mirror's `meta` object; others are allowed."""

META_KEY, PICTURE_KEY = "meta", "picture"
UPRIGHT, TURNED = "upright", "turned-180"
PICTURES = (UPRIGHT, TURNED)
"""Values of `meta.picture`; the first is what a mirror without it means."""


class Field(NamedTuple):
    """One fixed-size field: dotted path, offset in the file, size, and its declaration."""

    path: str
    offset: int
    size: int
    con: Limited

    @property
    def doc(self) -> str:
        """The field's one-line description."""
        return str(self.con.docs)


def _walk(struct: Any, path: str, offset: int) -> Iterator[Field]:
    for con in struct.subcons:
        here = f"{path}.{con.name}" if path else str(con.name)
        inner = con.subcon
        while isinstance(inner, Renamed):
            inner = inner.subcon
        if isinstance(con, Limited):
            yield Field(here, offset, con.sizeof(), con)
        elif isinstance(inner, Array):
            for i in range(inner.count):
                yield from _walk(inner.subcon, f"{here}[{i}]", offset + i * inner.subcon.sizeof())
        else:
            yield from _walk(inner, here, offset)
        offset += con.sizeof()


FIELDS: dict[str, Field] = {f.path: f for f in _walk(PREFIX, "", 0)}
"""Every field of the fixed 92-byte prefix by path (`arch.stages[2].t`)."""
