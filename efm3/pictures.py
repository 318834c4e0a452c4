# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Encoded pictures (JPEG, PNG, ...) to uint8 RGB [112, 112, 3], by Pillow, an extra."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from efm3.arrays import Pixels
from efm3.extras import need

SIDE = 112
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "PPM", "GIF", "TIFF")
"""Formats that are decoded. Pillow supports more, and starts a program for one (EPS)."""
MAX_PIXELS = 1 << 26
"""A picture of more pixels is refused before a pixel is decoded."""

class BadPicture(ValueError):
    """Bytes that are not a picture, or a picture of another size."""


def pillow() -> Any:
    """Pillow's Image module. Raises Efm3Error X002 where it is not installed."""
    return need("PIL.Image", "images")


def decode(data: bytes, resize: bool = False, side: int = SIDE) -> Pixels:
    """The picture in `data`: uint8 RGB [side, side, 3].

    One of another size is scaled with `resize`, else refused. Raises BadPicture, and Efm3Error
    X002 without Pillow.
    """
    image = pillow()
    try:
        with image.open(io.BytesIO(data), formats=FORMATS) as picture:
            width, height = picture.size
            if width * height > MAX_PIXELS:
                raise BadPicture(f"{width}x{height} pixels, more than {MAX_PIXELS}")
            if resize and picture.format == "JPEG" and min(width, height) >= 4 * side:
                picture.draft("RGB", (2 * side, 2 * side))
            rgb = picture.convert("RGB")
    except BadPicture:
        raise
    except Exception as e:
        # Pillow's decoders raise nearly every kind of exception on damaged bytes.
        raise BadPicture(str(e) or type(e).__name__) from None
    if rgb.size != (side, side):
        if not resize:
            raise BadPicture(f"{rgb.size[0]}x{rgb.size[1]} pixels, not {side}x{side}; crop and "
                             "align the face, or have it scaled (--resize)")
        rgb = rgb.resize((side, side), image.Resampling.BILINEAR)
    return np.asarray(rgb)
