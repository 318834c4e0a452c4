# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Encoded pictures (JPEG, PNG, ...) to uint8 RGB, by Pillow, an extra (docs/pictures.md).

The pixels are what a viewer shows, in sRGB, or the picture is refused. How large it is and what
decoding it takes is known before a pixel is decoded.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple, NoReturn

import numpy as np

from efm3.arrays import Pixels
from efm3.extras import need
from efm3.findings import Efm3Error, Finding, error
from efm3.pictures import _colour, _forms
from efm3.pictures._headers import Damaged, Size
from efm3.source import Source, Unreadable, name_of, open_regular
from efm3.source import read as whole

SIDE = 112
MAX_FILE = 1 << 26
"""A file of more bytes is no picture that is decoded."""
SMALL = 1 << 20
"""Pixels of a picture whose header Pillow may read alone, if it reads no more than that."""
MAX_SIDE = 1 << 16
MAX_MEMORY = 200 << 20
"""Bytes that decoding may take, besides the file: a picture that needs more is refused."""
LARGE = 24 << 20
"""Bytes of decoding for which a reader may give back memory that it keeps."""
ALIGN = ("have the face found and aligned (--align, the extra `photos`), or the picture scaled as "
         "it is (--resize)")
"""What to do with a picture that is no aligned face of 112x112 pixels."""


class BadPicture(Efm3Error):
    """Not a picture (F009), a damaged one (F010), too large (F011), of another size (F012), without
    a face (F013) or with several (F014), or of a form whose library is missing (X002). A text
    alone is the message of F010."""

    def __init__(self, finding: Finding | str) -> None:
        super().__init__(error("F010", finding).finding if isinstance(finding, str) else finding)


class Picture(NamedTuple):
    """uint8 RGB [H, W, 3], and what to know of how they came to be, a sentence each."""

    pixels: Pixels
    notes: tuple[str, ...]


def _bad(code: str, message: str, place: str, found: object = "", expected: object = "") \
        -> NoReturn:
    raise BadPicture(error(code, message, place, found, expected).finding) from None


def pillow() -> Any:
    """Pillow's Image module. Raises Efm3Error X002 where it is not installed."""
    return need("PIL.Image", "images")


def read(source: Source, place: str | None = None, memory: int | None = None,
         large: Callable[[], None] | None = None) -> Picture:
    """The picture in a file or in bytes, upright, in its own size; `place` names it in messages.
    `large` is called before a picture is decoded that takes more than LARGE.

    A JPEG that would take more than `memory` bytes, MAX_MEMORY where that is not given, is decoded
    at a half, a quarter or an eighth of its size, and that is noted. Raises BadPicture (F011 for
    what takes more than MAX_MEMORY), Unreadable, and Efm3Error X002 without Pillow.
    """
    return _read(source, place, None, memory, large)


def face(source: Source, resize: bool = False, side: int = SIDE,
         place: str | None = None) -> Picture:
    """The picture as `read` gives it, [side, side, 3]; one of another size is refused.

    With `resize` it is scaled instead, by Pillow's bilinear filter, which averages where it makes
    smaller; one that is not square is squashed, and that is noted.
    """
    pixels, notes = _read(source, place, (side, resize))
    if pixels.shape[:2] != (side, side):
        if pixels.shape[0] != pixels.shape[1]:
            notes += (f"it is not square, and was squashed into {side}x{side} pixels",)
        image = pillow()
        small = image.fromarray(pixels).resize((side, side), image.Resampling.BILINEAR)
        pixels = np.asarray(small)
    return Picture(pixels, notes)


def decode(data: bytes, resize: bool = False, side: int = SIDE) -> Pixels:
    """The pixels of `face`."""
    return face(data, resize, side, "").pixels


def _bytes(source: Source) -> bytes:
    """What the source holds, at most one byte more than MAX_FILE. Raises Unreadable."""
    if not isinstance(source, (str, os.PathLike)):
        return bytes(whole(source))
    with open_regular(os.fspath(source)) as f:
        try:
            return f.read(min(os.fstat(f.fileno()).st_size, MAX_FILE) + 1)
        except OSError as e:
            raise Unreadable(f"{os.fspath(source)}: {e.strerror or e}") from None


def _read(source: Source, place: str | None, wanted: tuple[int, bool] | None,
          memory: int | None = None, large: Callable[[], None] | None = None) -> Picture:
    image = pillow()
    place = name_of(source) if place is None else place
    data = _bytes(source)
    if len(data) > MAX_FILE:
        _bad("F011", f"a file of more than {MAX_FILE:,} bytes", place, "", f"{MAX_FILE} at most")
    kind = _forms.kind_of(data)
    form = _forms.FORMS.get(kind.name) if kind else None
    if kind is None or form is None:
        what = f"{kind.title}{kind.detail}" if kind else "no kind of file that is known"
        _bad("F009", f"this is {what}, not a picture that is decoded here", place,
             kind.title if kind else what, ", ".join(f.name for f in _forms.FORMS.values()))
    try:
        picture: Any = _forms.opened(form, data, image) if form.lazy else None
        if form.size and not (picture and picture.size[0] * picture.size[1] <= SMALL):
            size = form.size(data)
        else:
            size = _forms.measured(form, data, picture)
        scale = _scale(size, form, place, wanted, MAX_MEMORY if memory is None else memory)
        if large and _cost(size, form, scale) > LARGE:
            large()
        picture = picture or _forms.opened(form, data, image)
        with picture:
            if {*picture.size} != {size.width, size.height}:
                raise Damaged(f"{size.width}x{size.height} pixels in one place, "
                                     f"{picture.size[0]}x{picture.size[1]} in another")
            return _decoded(picture, form, scale, wanted is None)
    except BadPicture:
        raise
    except Efm3Error as e:
        raise BadPicture(replace(e.finding, path=place, found=kind.title,
                                 expected=form.library)) from None
    except Exception as e:
        # Pillow's decoders raise nearly every kind of exception on damaged bytes.
        _bad("F010", f"a damaged file, or {kind.title} of a kind that is not decoded: "
             f"{_forms.reason(e)}", place, form.name, "a whole file")


def _scale(size: Size, form: _forms.Form, place: str,
           wanted: tuple[int, bool] | None, memory: int) -> int:
    """1, or by how much the picture is made smaller as it is decoded. Raises BadPicture."""
    width, height = size.width, size.height
    least, scale = min(width, height), 1
    if least < 1:
        raise Damaged(f"{width}x{height} pixels")
    if wanted and not wanted[1] and (width, height) != (wanted[0], wanted[0]):
        _bad("F012", f"{width}x{height} pixels, not {wanted[0]}x{wanted[0]}; {ALIGN}", place,
             f"{width}x{height}", f"{wanted[0]}x{wanted[0]}")
    most = 8 if form.name == "JPEG" else 1
    while wanted and scale < most and 4 * scale * wanted[0] <= least:
        scale *= 2
    while (costs := _cost(size, form, scale)) > memory and scale < most:
        scale *= 2
    if costs > MAX_MEMORY or max(width, height) > MAX_SIDE:
        _bad("F011", f"{width}x{height} pixels, which take {costs >> 20:,} MB to decode", place,
             f"{costs >> 20:,} MB", f"{MAX_MEMORY >> 20} MB, {MAX_SIDE:,} pixels on a side")
    return scale


def _cost(size: Size, form: _forms.Form, scale: int) -> int:
    """Bytes that decoding takes at 1/scale, the result among them."""
    decoded = (size.width // scale + 1) * (size.height // scale + 1)
    return int(size.fixed + size.working * size.width * size.height + (form.pixel + 3) * decoded)


def _decoded(picture: Any, form: _forms.Form, scale: int, said: bool) -> Picture:
    notes: list[str] = []
    if scale > 1:
        width, height = picture.size
        picture.draft("RGB", (width // scale, height // scale))
        notes += [f"decoded at 1/{scale} of its {width}x{height} pixels"] * said
    if form.name in ("GIF", "PNG", "WEBP", "TIFF", "AVIF") and picture.is_animated:
        notes += ["the first of several pages" if form.name == "TIFF" else
                  "the first picture of an animation"]
    picture.load()
    return Picture(_colour.upright(picture, _colour.pixels(picture, form.name, notes)),
                   tuple(notes))
