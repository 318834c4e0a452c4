# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Encoded pictures: what is decoded, and that nothing but two exceptions comes out."""

import contextlib
import io
import sys

import numpy as np
import pytest

from efm3 import Efm3Error, untrained
from efm3.pictures import BadPicture, decode

PICTURE = untrained.images(4, 1)[0]


@pytest.fixture
def image():
    return pytest.importorskip("PIL.Image", reason="Pillow is an extra")


def encoded(image, form="PNG", pixels=PICTURE, **kw):
    buffer = io.BytesIO()
    image.fromarray(pixels).save(buffer, form, **kw)
    return buffer.getvalue()


def test_decode(image):
    for form in ("PNG", "BMP", "PPM", "TIFF"):
        assert np.array_equal(decode(encoded(image, form)), PICTURE), form
    got = decode(encoded(image, "JPEG", quality=95, subsampling=0))
    assert got.dtype == np.uint8 and np.abs(got.astype(int) - PICTURE).mean() < 5
    grey = decode(encoded(image, pixels=PICTURE[..., 0]))
    assert np.array_equal(grey, np.repeat(PICTURE[..., :1], 3, axis=2))


def test_sizes(image):
    big = np.full((900, 700, 3), (10, 200, 30), np.uint8)
    for form in ("PNG", "JPEG"):
        data = encoded(image, form, big)
        with pytest.raises(BadPicture, match="700x900 pixels, not 112x112"):
            decode(data)
        assert np.abs(decode(data, resize=True).astype(int) - (10, 200, 30)).max() < 4
        assert decode(data, True, 64).shape == (64, 64, 3)


def test_damaged(image):
    for form in ("PNG", "JPEG", "TIFF", "GIF", "WEBP"):
        data = encoded(image, form)
        for cut in (0, 3, 20, len(data) // 2):
            with pytest.raises(BadPicture):
                decode(data[:cut])
    rng = np.random.default_rng(1)
    for form in ("PNG", "JPEG", "GIF"):
        data = encoded(image, form)
        for _ in range(60):
            broken = bytearray(data)
            for at in rng.integers(0, len(data), 4):
                broken[at] = rng.integers(256)
            with contextlib.suppress(BadPicture):
                decode(bytes(broken), resize=True)


def test_other_formats_are_not_tried(image):
    for form in ("SGI", "PCX", "ICO"):
        with pytest.raises(BadPicture):
            decode(encoded(image, form), resize=True)


def test_a_picture_that_is_a_program_is_not_run(image):
    script = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 112 112\nshowpage\n%%EOF\n"
    with pytest.raises(BadPicture):
        decode(script)


def test_too_many_pixels(image):
    header = encoded(image, "BMP")
    bomb = bytearray(header)
    bomb[18:26] = (20000).to_bytes(4, "little") * 2
    with pytest.raises(BadPicture):
        decode(bytes(bomb), resize=True)
    bomb[18:26] = (8500).to_bytes(4, "little") * 2
    with pytest.raises(BadPicture, match="8500x8500 pixels, which take"):
        decode(bytes(bomb), resize=True)


def test_without_pillow(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(Efm3Error, match=r"X002.*extra `images`"):
        decode(b"")
