# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""One picture in many encodings is one picture: its embedding by the trained nano says so.

What no library here writes is written by hand: PNGs of 16 bits and with gAMA, ICC profiles.
"""

import contextlib
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

import efm3
from efm3.pictures import _av1, read
from efm3.pictures._headers import Damaged
from tests.encodings import GAMMA, LINEAR_GREY, LONG, SHORT, icc, inks, tiff, writes, xyz

NEEDS = ("PIL",)

ROOT = Path(__file__).parent.parent
EXACT, LOSSY = 0.99, 0.97

COLOUR = Image.open(ROOT / "examples" / "a_1.png").convert("RGB")
GREY = COLOUR.convert("L")
RGB, L = np.asarray(COLOUR), np.asarray(GREY)


def saved(picture, form, **kw):
    buffer = io.BytesIO()
    picture.save(buffer, form, **kw)
    return buffer.getvalue()


WHOLE = ((0, 0, 1, 1),)
ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
         (1, 0, 2, 1))
"""Passes of an interlaced PNG: first row and column, and the steps to the next."""


def png(pixels, kind, chunks=(), passes=WHOLE):
    """A PNG of 8 or 16 bits of an array [H, W] or [H, W, C], every row unfiltered."""
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(
            ">I", zlib.crc32(name + data))
    deep = pixels.astype(pixels.dtype.newbyteorder(">"))
    head = struct.pack(">IIBBBBB", pixels.shape[1], len(pixels), 8 * pixels.itemsize, kind, 0, 0,
                       passes is ADAM7)
    extra = b"".join(chunk(name, data) for name, data in chunks)
    rows = b"".join(b"\0" + row.tobytes() for top, left, down, right in passes
                    for row in deep[top::down, left::right])
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


WIDE = icc(b"RGB ", {b"wtpt": xyz(0.9642, 1, 0.8249), b"rXYZ": xyz(0.5151, 0.2412, -0.0011),
                     b"gXYZ": xyz(0.2920, 0.6922, 0.0419), b"bXYZ": xyz(0.1571, 0.0666, 0.7841),
                     b"rTRC": GAMMA, b"gTRC": GAMMA, b"bTRC": GAMMA})
"""Display P3's primaries, seen from D50."""


def wide():
    """The picture's numbers in Display P3, by the definition of both spaces."""
    ours = [[0.4361, 0.3851, 0.1431], [0.2225, 0.7169, 0.0606], [0.0139, 0.0971, 0.7141]]
    theirs = [[0.5151, 0.2920, 0.1571], [0.2412, 0.6922, 0.0666], [-0.0011, 0.0419, 0.7841]]
    light = linear(RGB) @ (np.linalg.inv(np.array(theirs)) @ np.array(ours)).T
    return np.rint(255 * np.clip(light, 0, 1) ** (1 / 2.2)).astype(np.uint8)


def linear(values):
    x = values / 255
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def turned(orientation):
    """The picture as a camera stores it, and the EXIF that says how to turn it."""
    how = Image.Transpose
    stored = {2: how.FLIP_LEFT_RIGHT, 3: how.ROTATE_180, 4: how.FLIP_TOP_BOTTOM, 5: how.TRANSPOSE,
              6: how.ROTATE_90, 7: how.TRANSVERSE, 8: how.ROTATE_270}
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = COLOUR if orientation == 1 else COLOUR.transpose(stored[orientation])
    return picture, exif


def exact():
    """Encodings that lose nothing, or nothing but bits that are not shown."""
    deep, floats = L.astype(np.uint16) * 257, L.astype(np.float32)
    clear = COLOUR.convert("RGBA")
    yield "PNG", saved(COLOUR, "PNG"), RGB
    yield "PNG RGBA opaque", saved(clear, "PNG"), RGB
    yield "PNG RGB 16", png(RGB.astype(np.uint16) * 257, 2), RGB
    yield "PNG interlaced", png(RGB, 2, passes=ADAM7), RGB
    yield "PNG grey 16 interlaced", png(deep, 0, passes=ADAM7), L
    yield "PNG RGBA 16", png(np.asarray(clear).astype(np.uint16) * 257, 6), RGB
    yield "PNG grey", saved(GREY, "PNG"), L
    yield "PNG LA", saved(GREY.convert("LA"), "PNG"), L
    yield "PNG grey 16", png(deep, 0), L
    yield "PNG gAMA of light", png(np.rint(255 * (RGB / 255) ** 2.2).astype(np.uint8), 2, [
        (b"gAMA", struct.pack(">I", 100_000))]), RGB
    yield "PNG gAMA of sRGB", png(RGB, 2, [(b"gAMA", struct.pack(">I", 45_455))]), RGB
    yield "PNG gAMA beside sRGB", png(RGB, 2, [(b"sRGB", b"\0"), (
        b"gAMA", struct.pack(">I", 100_000))]), RGB
    yield "PNG Display P3", saved(Image.fromarray(wide()), "PNG", icc_profile=WIDE), RGB
    yield "PNG RGBA Display P3", saved(
        Image.fromarray(wide()).convert("RGBA"), "PNG", icc_profile=WIDE), RGB
    yield "PNG sRGB profile", saved(COLOUR, "PNG", icc_profile=ImageCms.ImageCmsProfile(
        ImageCms.createProfile("sRGB")).tobytes()), RGB
    yield "TIFF grey of light", saved(
        Image.fromarray(np.rint(255 * linear(L)).astype(np.uint8)), "TIFF",
        icc_profile=LINEAR_GREY), L
    for name in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"):
        yield f"TIFF {name}", saved(COLOUR, "TIFF", compression=name), RGB
    yield "BigTIFF", saved(COLOUR, "TIFF", big_tiff=True), RGB
    yield "TIFF I;16", saved(Image.fromarray(deep), "TIFF"), L
    yield "TIFF I;16B", saved(Image.frombytes("I;16B", (112, 112), deep.astype(">u2").tobytes()),
                              "TIFF"), L
    yield "TIFF F to 1", saved(Image.fromarray(floats / 255), "TIFF"), L
    yield "TIFF F to 255", saved(Image.fromarray(floats), "TIFF"), L
    yield "TIFF F to 65535", saved(Image.fromarray(floats * 257), "TIFF"), L
    yield "TIFF I to 255", saved(Image.fromarray(L.astype(np.int32)), "TIFF"), L
    yield "TIFF I to 65535", saved(Image.fromarray(deep.astype(np.int32)), "TIFF"), L
    yield "TIFF CMYK", saved(COLOUR.convert("CMYK"), "TIFF"), RGB
    yield "TIFF YCbCr", saved(COLOUR.convert("YCbCr"), "TIFF"), RGB
    yield "TIFF LAB", saved(lab(), "TIFF"), RGB
    yield "TIFF white is 0", white_is_zero(deep), L
    yield "TIFF in tiles", tiles(), RGB
    yield "WebP lossless", saved(COLOUR, "WEBP", lossless=True, method=0), RGB
    yield "BMP", saved(COLOUR, "BMP"), RGB
    yield "PPM", saved(COLOUR, "PPM"), RGB
    yield "PGM 16", b"P5 112 112 65535\n" + deep.astype(">u2").tobytes(), L
    yield "PFM", b"Pf\n112 112\n-1.0\n" + (floats[::-1] / 255).astype("<f4").tobytes(), L
    yield "TGA", saved(COLOUR, "TGA"), RGB
    yield "TGA RLE", saved(COLOUR, "TGA", compression="tga_rle"), RGB
    for orientation in range(1, 9):
        picture, exif = turned(orientation)
        yield f"PNG EXIF {orientation}", saved(picture, "PNG", exif=exif), RGB
        yield f"TIFF EXIF {orientation}", saved(picture, "TIFF", exif=exif), RGB
        yield f"WebP EXIF {orientation}", saved(
            picture, "WEBP", exif=exif, lossless=True, method=0), RGB
    if writes("jpg_2000"):
        yield "JPEG 2000", saved(COLOUR, "JPEG2000"), RGB
        yield "JPEG 2000 codestream", saved(COLOUR, "JPEG2000", no_jp2=True), RGB


def lossy():
    yield "PNG palette", saved(COLOUR.quantize(256), "PNG"), RGB
    yield "GIF", saved(COLOUR, "GIF"), RGB
    for quality in (95, 80):
        yield f"JPEG {quality}", saved(COLOUR, "JPEG", quality=quality), RGB
    yield "JPEG progressive", saved(COLOUR, "JPEG", quality=90, progressive=True), RGB
    yield "JPEG grey", saved(GREY, "JPEG", quality=90), L
    yield "JPEG CMYK", saved(COLOUR.convert("CMYK"), "JPEG", quality=90), RGB
    yield "JPEG Display P3", saved(Image.fromarray(wide()), "JPEG", quality=95,
                                   icc_profile=WIDE), RGB
    for orientation in range(1, 9):
        picture, exif = turned(orientation)
        yield f"JPEG EXIF {orientation}", saved(picture, "JPEG", quality=95, exif=exif), RGB
    yield "TIFF JPEG", saved(COLOUR, "TIFF", compression="jpeg"), RGB
    yield "WebP", saved(COLOUR, "WEBP", quality=90), RGB
    if writes("avif"):
        yield "AVIF", saved(COLOUR, "AVIF", quality=90), RGB
        picture, exif = turned(6)
        yield "AVIF turned", saved(picture, "AVIF", quality=90, exif=exif), RGB


def lab():
    picture = ImageCms.profileToProfile(COLOUR, ImageCms.createProfile("sRGB"),
                                        ImageCms.createProfile("LAB"), outputMode="LAB")
    picture.info.clear()
    return picture


def white_is_zero(deep):
    data = (65535 - deep).astype("<u2").tobytes()
    return tiff({256: (SHORT, 112), 257: (SHORT, 112), 258: (SHORT, 16), 259: (SHORT, 1),
                 262: (SHORT, 0), 273: (LONG, 8), 277: (SHORT, 1), 278: (SHORT, 112),
                 279: (LONG, len(data))}, data)


def tiles():
    """Tiles of 16x16, the least that the form allows."""
    data = b"".join(RGB[y:y + 16, x:x + 16].tobytes() for y in range(0, 112, 16)
                    for x in range(0, 112, 16))
    each = len(data) // 49
    return tiff({256: (SHORT, 112), 257: (SHORT, 112), 258: (SHORT, 8, 8, 8), 259: (SHORT, 1),
                 262: (SHORT, 2), 277: (SHORT, 3), 322: (SHORT, 16), 323: (SHORT, 16),
                 324: (LONG, *(8 + i * each for i in range(49))), 325: (LONG, *[each] * 49)}, data)


@pytest.fixture(scope="module")
def similar():
    """Similarity of pictures with the two originals."""
    with efm3.Engine(ROOT / "weights" / "facex_nano.bin") as engine:
        originals = {2: engine.embed(np.repeat(L[..., None], 3, 2)), 3: engine.embed(RGB)}

        def of(pixels, original):
            return efm3.similarity(engine.embed(pixels), originals[original.ndim])
        yield of


EXACT_ONES, LOSSY_ONES = list(exact()), list(lossy())


@pytest.mark.parametrize("encodings, least", [(EXACT_ONES, EXACT), (LOSSY_ONES, LOSSY)])
def test_one_picture_in_every_encoding(similar, encodings, least):
    found = {name: similar(read(data).pixels, original) for name, data, original in encodings}
    assert len(found) >= 18
    assert {name: s for name, s in found.items() if s < least} == {}


def test_what_loses_nothing_is_the_same_to_the_bit():
    inexact = ("gAMA of light", "Display P3", "of light", "CMYK", "YCbCr", "LAB", "profile", "2000")
    checked = 0
    for name, data, original in EXACT_ONES:
        if not name.endswith(inexact):
            got, want = read(data).pixels, original if original.ndim == 3 else original[..., None]
            assert (got == want).all(), name
            checked += 1
    assert checked > 40


def test_inks_are_converted_by_their_profile():
    """Paper, black, and cyan, which the plain formula would make far too bright."""
    inks_of = np.zeros((112, 112, 4), np.uint8)
    inks_of[40:80, :, 3], inks_of[80:, :, 0] = 255, 255
    picture = Image.frombytes("CMYK", (112, 112), inks_of.tobytes())
    got = read(saved(picture, "TIFF", icc_profile=inks()))
    assert got.notes == ()
    assert got.pixels[:40].min() > 245 and got.pixels[40:80].max() < 10
    assert (got.pixels[80:] == got.pixels[111, 0]).all()
    red, green, blue = map(int, got.pixels[111, 0])
    assert red < 40 and 150 < green < 245 and 120 < blue < 225
    plain = read(saved(picture, "TIFF"))
    assert (plain.pixels[111, 0] == (0, 255, 255)).all() and "plain formula" in plain.notes[0]


@pytest.mark.skipif(not writes("avif"), reason="this Pillow has no AVIF")
def test_the_frames_of_an_avif_count():
    small = COLOUR.resize((200, 180))
    data = saved(small, "AVIF", speed=10)
    assert _av1.coded_pixels(data) == 200 * 180 and read(data).pixels.shape == (180, 200, 3)
    several = saved(small, "AVIF", speed=10, save_all=True,
                    append_images=[small.rotate(90)])
    assert 200 * 180 <= _av1.coded_pixels(several) <= 256 * 256
    assert read(several).notes == ("the first picture of an animation",)
    # What claims to be 8 x 8 pixels still takes memory by its frames.
    lie = data.replace(struct.pack(">II", 200, 180), struct.pack(">II", 8, 8))
    assert lie != data and _av1.coded_pixels(lie) == 200 * 180
    for at in range(0, len(data), 7):
        with contextlib.suppress(Damaged, IndexError):
            assert _av1.coded_pixels(data[:at]) <= 200 * 180
