# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Pixels of any mode and colour space to 8-bit sRGB, upright, as viewers show them.

All steps are pixel by pixel, so large pictures go through them in bands of rows: besides the
decoder's picture and the result there is never a third one.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from efm3.arrays import Pixels
from efm3.extras import need
from efm3.pictures._forms import reason
from efm3.pictures._headers import Damaged

BAND = 1 << 20
"""Pixels that are converted at a time."""
MAX_PROFILE = 1 << 22
"""A longer ICC profile is ignored: printers' are at most 3 MB."""
SRGB_GAMMA = 1 / 2.2
"""The gAMA that means sRGB; within a twentieth of it nothing is converted, as in libpng."""

DEEP = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
"""Modes with more than eight bits."""
TRANSPARENT = ("RGBA", "RGBa", "LA", "La", "PA")
SLACK = 16
"""Values may be outside a range by this part of it, as after sharpening."""
_PHOTOMETRIC, _BITS = 262, 258


def upright(picture: Any, pixels: Pixels) -> Pixels:
    """The pixels turned and mirrored as the EXIF orientation says, 1 where it says nothing.

    Pillow turns a TIFF itself, and its older versions leave the tag; HEIC's and AVIF's
    containers state theirs, which is put into EXIF.
    """
    if picture.format == "TIFF" or not {"exif", "Raw profile type exif"} & picture.info.keys():
        return pixels
    said = picture.getexif().get(0x0112, 1)
    if said in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if said in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if said in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def pixels(picture: Any, form: str, notes: list[str]) -> Pixels:
    """uint8 [H, W, 3] of a decoded picture; the notes say what had to be decided."""
    steps = _Steps(picture, form, notes)
    if steps.plain and picture.size[0] * picture.size[1] <= BAND:
        return np.asarray(picture)
    width, height = picture.size
    if width * height <= BAND:
        out = np.asarray(steps.rgb(picture))
    else:
        out = np.empty((height, width, 3), np.uint8)
        for top, band in _bands(picture):
            out[top:top + band.size[1]] = np.asarray(steps.rgb(band))
    if steps.composed:
        notes += ["transparent parts are white"]
    return out


def _bands(picture: Any) -> Iterator[tuple[int, Any]]:
    width, height = picture.size
    rows = max(1, BAND // width)
    for top in range(0, height, rows):
        yield top, picture.crop((0, top, width, min(height, top + rows)))


class _Steps:
    """What the pixels of one picture need, found once; `rgb` does it to a band of its rows."""

    def __init__(self, picture: Any, form: str, notes: list[str]) -> None:
        info, mode = picture.info, picture.mode
        self.composed = False
        self._transparent = mode in TRANSPARENT or "transparency" in info
        self._levels = _levels(picture, form) if mode in DEEP else None
        self._colours: Colours | None = None
        if profile := info.get("icc_profile"):
            try:
                self._colours = _colours(profile, "L" if mode in DEEP else mode)
            except Exception as e:
                # littleCMS in Pillow says in many kinds of exceptions what is wrong.
                notes += [f"its ICC profile was ignored: {reason(e)}"]
        if mode == "LAB" and self._colours is None:
            self._colours = _colours(None, mode)
        if mode == "CMYK" and self._colours is None:
            notes += ["CMYK without a profile, converted by the plain formula"]
        self._curve: list[int] | None = None
        if form == "PNG" and "gamma" in info and not {"srgb", "icc_profile"} & info.keys():
            self._curve = _curve(info["gamma"])
        self.plain = mode == "RGB" and not (
            self._transparent or self._colours or self._curve)

    def rgb(self, band: Any) -> Any:
        """The band in sRGB."""
        image = need("PIL.Image", "images")
        alpha = None
        if self._levels is not None:
            values = np.asarray(band)
            if self._transparent:
                hidden = values == band.info["transparency"]
                alpha = image.fromarray(np.where(hidden, 0, 255).astype(np.uint8))
            band = image.fromarray(self._levels.bytes_of(values))
        elif self._transparent:
            band = band.convert("RGBA")
            alpha = band.getchannel("A")
            band = band.convert("RGB")
        if self._colours:
            mode, transform = self._colours
            band = need("PIL.ImageCms", "images").applyTransform(band.convert(mode), transform)
        band = band.convert("RGB")
        if self._curve:
            band = band.point(self._curve * 3)
        if alpha is None or alpha.getextrema()[0] == 255:
            return band
        self.composed = True
        return image.composite(band, image.new("RGB", band.size, "white"), alpha)


class _Levels(NamedTuple):
    """Values of more than eight bits: `black` and `white` become 0 and 255."""

    black: float
    white: float

    def bytes_of(self, values: Any) -> Pixels:
        """The values as bytes; those outside the range are as dark or as bright as it goes."""
        scaled = (values.astype(np.float32) - self.black) * (255 / (self.white - self.black))
        return np.asarray(np.clip(np.rint(scaled), 0, 255), np.uint8)


def _levels(picture: Any, form: str) -> _Levels:
    """What is black and white in a picture of more than eight bits.

    The file says it, but for floats and for integers of 32 bits: there it is the least of the
    usual ranges that holds the values, and where they fill an eighth of none the picture is
    refused, since it would be nearly black.
    """
    tags = picture.tag_v2 if form == "TIFF" else {}
    bits = tags.get(_BITS, (0,))[0]
    if picture.mode.startswith("I;16") or (form in ("PNG", "PPM") and picture.mode == "I"):
        white = 4095 if bits == 12 else 65535
        return _Levels(white, 0) if tags.get(_PHOTOMETRIC) == 0 else _Levels(0, white)
    low, high = np.inf, -np.inf
    for _, band in _bands(picture):
        values = np.asarray(band)
        low, high = float(np.minimum(low, values.min())), float(np.maximum(high, values.max()))
    ranges = (255, 32767 if bits == 16 else 65535)
    for white in ((1, *ranges) if picture.mode == "F" else ranges):
        if low >= -white / SLACK and high <= white + white / SLACK and (
                white == 1 or high >= white / 8 or high == 0):
            return _Levels(0, white)
    raise Damaged(f"values from {low:g} to {high:g}, neither 0..1 nor 0..255 nor 0..65535")


Colours = tuple[str, Any]
"""The mode that a conversion of colours takes, and the conversion."""
_SPACES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}


@lru_cache(maxsize=8)
def _colours(profile: bytes | None, mode: str) -> Colours:
    """The conversion of a picture to sRGB by its profile, None for plain LAB.

    Raises ValueError, and what littleCMS has to say.
    """
    cms = need("PIL.ImageCms", "images")
    if profile is None:
        source = cms.ImageCmsProfile(cms.createProfile("LAB"))
    elif len(profile) > MAX_PROFILE:
        raise ValueError(f"it has {len(profile):,} bytes")
    else:
        source = cms.ImageCmsProfile(io.BytesIO(profile))
    space = source.profile.xcolor_space.strip()
    takes, own = _SPACES.get(space), mode if mode in ("CMYK", "LAB") else "RGB"
    grey = mode in ("L", "LA", "La", "1")
    if takes != own and not (grey and takes == "L"):
        raise ValueError(f"it is for {space}, and the picture is {mode}")
    return takes, cms.buildTransform(source, cms.createProfile("sRGB"), takes, "RGB")


def _curve(gamma: float) -> list[int] | None:
    """Bytes of a PNG with this gAMA to bytes of sRGB; None where they are the same."""
    power = SRGB_GAMMA / gamma if 0.01 <= gamma <= 100 else 1
    if abs(power - 1) <= 0.05:
        return None
    return [round(255 * (value / 255) ** power) for value in range(256)]
