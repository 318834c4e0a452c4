# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Pictures for fuzz_python.py: small ones of every form, mode and marking that Pillow writes.

The mutator changes one piece of a container and writes what stands around it again: lengths and
checksums of PNG's chunks, lengths of JPEG's segments and of RIFF's and ISO's boxes, entries of a
TIFF's directory. Without that nearly every change would end at a checksum.
"""

from __future__ import annotations

import io
import random
import struct
import warnings
import zlib
from functools import lru_cache
from typing import Any

import numpy as np

from efm3 import pictures
from efm3.findings import Efm3Error
from efm3.pictures import _forms
from tests.fuzz.mutators import raw

SIDE = 16
EDGES = (0, 1, 2, 7, 8, 16, 255, 256, 4096, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1)
CODES = ("F009", "F010", "F011", "F012", "X002")


@lru_cache(maxsize=1)
def _pixels() -> Any:
    rng = np.random.default_rng(3)
    smooth = np.add.outer(np.arange(SIDE) * 9, np.arange(SIDE) * 5)
    return (smooth[..., None] + rng.integers(0, 40, (SIDE, SIDE, 4))).astype(np.uint8)


def _profile(kind: str) -> bytes:
    from PIL import ImageCms

    made: bytes = ImageCms.ImageCmsProfile(ImageCms.createProfile(kind)).tobytes()
    return made


def _exif(orientation: int) -> bytes:
    """An EXIF directory with its orientation."""
    return (b"Exif\0\0MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHIHH", 0x112, 3, 1, orientation, 0)
            + bytes(4))


def seeds() -> list[bytes]:
    """A picture of each form that this Pillow writes, in its modes and with its markings."""
    from PIL import Image, features

    rgba = Image.fromarray(_pixels())
    rgb, grey = rgba.convert("RGB"), rgba.convert("L")
    deep = Image.fromarray(_pixels()[..., 0].astype(np.uint16) * 257)
    real = Image.fromarray(_pixels()[..., 0].astype(np.float32) / 255)
    paper = rgb.convert("CMYK")
    profile = {"icc_profile": _profile("sRGB")}
    made: list[tuple[Any, str, dict[str, Any]]] = [
        (rgb, "PNG", {}), (rgba, "PNG", {}), (grey.convert("LA"), "PNG", {}), (deep, "PNG", {}),
        (rgb.convert("P"), "PNG", {"transparency": 3}), (grey.convert("1"), "PNG", {}),
        (rgb, "PNG", {**profile, "exif": _exif(6)}), (grey, "PNG", {"transparency": 9}),
        (rgb, "JPEG", {}), (rgb, "JPEG", {"progressive": True, "exif": _exif(8)}),
        (grey, "JPEG", {}), (paper, "JPEG", {}), (rgb, "JPEG", {**profile, "subsampling": 0}),
        (rgb, "BMP", {}), (rgb.convert("P"), "BMP", {}), (rgba, "BMP", {}),
        (rgb.convert("P"), "GIF", {"transparency": 1}), (rgb, "PPM", {}), (grey, "PPM", {}),
        (rgb, "TGA", {}), (rgb, "TGA", {"compression": "tga_rle"}),
        (rgb, "TIFF", {}), (deep, "TIFF", {}), (real, "TIFF", {}), (paper, "TIFF", {}),
        (rgba, "TIFF", {"tiffinfo": {0x112: 6}}), (rgb.convert("LAB"), "TIFF", {}),
        (grey.convert("1"), "TIFF", {}),
        (rgb, "TIFF", profile), *((rgb, "TIFF", {"compression": c}) for c in (
            "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"))]
    two = {"save_all": True, "append_images": [rgb.rotate(90)]}
    made += [(rgb.convert("P"), "GIF", two), (rgb, "TIFF", two), (rgb, "PNG", two)]
    if features.check("webp"):
        made += [(rgb, "WEBP", {}), (rgba, "WEBP", {"lossless": True}),
                 (rgb, "WEBP", {**profile, "exif": _exif(3)}), (rgb, "WEBP", two)]
    if features.check("avif"):
        made += [(rgb, "AVIF", {"speed": 10}), (rgba, "AVIF", {"speed": 10, "exif": _exif(6)})]
    if features.check("jpg_2000"):
        made += [(rgb, "JPEG2000", {}), (grey, "JPEG2000", {"no_jp2": True})]
    out = []
    for image, form, options in made:
        buffer = io.BytesIO()
        image.save(buffer, form, **options)
        out.append(buffer.getvalue())
    gamma = struct.pack(">I", 100000)
    return [*out, _png(out[0], lambda chunks: chunks.insert(1, (b"gAMA", gamma)))]


def _png(data: bytes, change: Any) -> bytes:
    chunks, at = [], 8
    while at + 8 <= len(data):
        size = int.from_bytes(data[at:at + 4], "big")
        chunks.append((data[at + 4:at + 8], data[at + 8:at + 8 + size]))
        at += 12 + size
    change(chunks)
    return data[:8] + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks)


def change(rng: random.Random, data: bytes) -> bytes:
    """The picture with one to three changes, in a container that holds."""
    for _ in range(rng.randint(1, 3)):
        data = _once(rng, data)
    return data


def _once(rng: random.Random, data: bytes) -> bytes:
    if rng.randrange(4) == 0 or len(data) < 32:
        return raw(rng, data)
    if data.startswith(b"\x89PNG"):
        return _png(data, lambda chunks: _chunk(rng, chunks))
    if data.startswith(b"\xff\xd8"):
        return _segment(rng, data)
    if data[:2] in (b"II", b"MM"):
        return _entry(rng, data)
    if data.startswith(b"RIFF"):
        body = _chunks(rng, data[12:])
        return data[:4] + struct.pack("<I", len(body) + 4) + data[8:12] + body
    if data[4:8] in (b"ftyp", b"jP  "):
        return _boxes(rng, data)
    # What is left has a fixed header, which is what is believed.
    head = bytearray(data)
    at = rng.randrange(min(len(head) - 4, 60))
    head[at:at + 2] = struct.pack("<H", rng.choice(EDGES) & 0xffff)
    return bytes(head)


def _chunk(rng: random.Random, chunks: list[tuple[bytes, bytes]]) -> None:
    if not chunks:
        return
    at = rng.randrange(len(chunks))
    kind, body = chunks[at]
    way = rng.randrange(6)
    if way == 0:
        chunks[at:at + 1] = rng.choice(([], [chunks[at]] * 2, [rng.choice(chunks)]))
    elif way == 1:
        chunks[at] = rng.choice((b"tRNS", b"gAMA", b"eXIf", b"iCCP", b"PLTE", b"acTL", b"fcTL",
                                 b"sRGB", b"zTXt", b"iTXt", b"tEXt")), body
    elif kind == b"IHDR":
        new = bytearray(body.ljust(13, b"\0"))
        place = rng.randrange(9)
        if place < 2:
            new[4 * place:4 * place + 4] = struct.pack(">I", rng.choice(EDGES))
        else:
            new[8 + place % 5] = rng.choice((0, 1, 2, 3, 4, 6, 8, 16))
        chunks[at] = kind, bytes(new)
    elif kind == b"IDAT" and rng.randrange(2):
        try:
            chunks[at] = kind, zlib.compress(raw(rng, zlib.decompress(body)))
        except zlib.error:
            chunks[at] = kind, raw(rng, body)
    else:
        chunks[at] = kind, raw(rng, body)


def _segment(rng: random.Random, data: bytes) -> bytes:
    """One segment of a JPEG before its scan, with the length that it has."""
    places, at = [], 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        size = int.from_bytes(data[at + 2:at + 4], "big")
        places.append((at, at + 2 + size))
        at += 2 + size
    if not places:
        return raw(rng, data)
    start, end = rng.choice(places)
    marker, body = data[start:start + 2], data[start + 4:end]
    way = rng.randrange(5)
    if way == 0:
        return data[:start] + rng.choice((b"", data[start:end] * 2)) + data[end:]
    if way == 1:
        marker = b"\xff" + bytes([rng.choice((0xC0, 0xC1, 0xC2, 0xC4, 0xDB, 0xDD, 0xE1, 0xE2,
                                              0xEE, 0xC9, 0xFE))])
    elif way == 2 and len(body) > 5:
        place = rng.randrange(min(6, len(body) - 1))
        body = body[:place] + struct.pack(">H", rng.choice(EDGES) & 0xffff) + body[place + 2:]
    else:
        body = raw(rng, body)
    return (data[:start] + marker + struct.pack(">H", len(body) + 2 & 0xffff) + body + data[end:])


def _entry(rng: random.Random, data: bytes) -> bytes:
    """One entry of a TIFF's first directory: its tag, type, count or value."""
    order = "<" if data[:2] == b"II" else ">"
    (at,) = struct.unpack_from(order + "I", data, 4)
    if at + 2 > len(data):
        return raw(rng, data)
    (count,) = struct.unpack_from(order + "H", data, at)
    entry = at + 2 + 12 * rng.randrange(max(1, min(count, 40)))
    if entry + 12 > len(data):
        return raw(rng, data)
    tag, kind, values, value = struct.unpack_from(order + "HHII", data, entry)
    way = rng.randrange(5)
    if way == 0:
        tag = rng.choice((256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 317, 320,
                          322, 323, 324, 338, 339, 34675, 0))
    elif way == 1:
        kind = rng.randrange(20)
    elif way == 2:
        values = rng.choice(EDGES)
    else:
        value = rng.choice((*EDGES, *range(9)))
    new = struct.pack(order + "HHII", tag, kind, values, value & 0xffffffff)
    return data[:entry] + new + data[entry + 12:]


def _chunks(rng: random.Random, data: bytes) -> bytes:
    """One chunk of a RIFF file."""
    pieces, at = [], 0
    while at + 8 <= len(data):
        (size,) = struct.unpack_from("<I", data, at + 4)
        pieces.append((data[at:at + 4], data[at + 8:at + 8 + size]))
        at += 8 + size + size % 2
    if pieces:
        _chunk(rng, pieces)
    return b"".join(kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)
                    for kind, body in pieces)


HOLDERS = (b"meta", b"iprp", b"ipco", b"moov", b"trak", b"mdia", b"minf", b"stbl", b"jp2h")


def _boxes(rng: random.Random, data: bytes, depth: int = 0) -> bytes:
    """One box of an ISO file, the lengths of those around it right."""
    pieces, at = [], 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at:at + 4], "big") or len(data) - at
        pieces.append((data[at + 4:at + 8], data[at + 8:at + max(size, 8)]))
        at += max(size, 8)
    if not pieces:
        return raw(rng, data)
    i = rng.randrange(len(pieces))
    kind, body = pieces[i]
    if kind in HOLDERS and depth < 6 and rng.randrange(6):
        skip = 4 * (kind == b"meta")
        pieces[i] = kind, body[:skip] + _boxes(rng, body[skip:], depth + 1)
    else:
        _chunk(rng, pieces)
    return b"".join(struct.pack(">I", len(body) + 8) + kind + body for kind, body in pieces)


def check(data: bytes) -> str:
    """Pixels, now and then asked for twice and the same ones, or Efm3Error of a picture."""
    with warnings.catch_warnings():
        # Pillow says of a damaged tag that it goes on without it.
        warnings.simplefilter("ignore")
        try:
            pixels, notes = pictures.read(data, "x")
        except Efm3Error as e:
            assert e.code in CODES, e
            return e.code
        assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3
        assert pixels.size
        if len(data) % 4 == 0:
            assert np.array_equal(pixels, pictures.read(data, "x").pixels)
            face = pictures.decode(data, resize=True)
            assert face.shape == (pictures.SIDE, pictures.SIDE, 3)
    kind = _forms.kind_of(data)
    return f"{kind.name if kind else ''} {' '.join(n[:12] for n in notes)}"
