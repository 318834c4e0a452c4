# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The forms of pictures that are decoded: how each is known, measured and opened.

`efm3.sniff` says what a file is. Its plugin of Pillow is then called by name: Pillow's own way
tries one plugin after the other, warns of large pictures on its own terms, and starts a program
for one form (EPS).
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

from efm3 import sniff
from efm3.extras import need
from efm3.pictures import _av1, _headers
from efm3.pictures._headers import Damaged, Size


class Form(NamedTuple):
    """A form: Pillow's module and name for it, its size, and what decoding it takes."""

    module: str
    name: str
    size: Callable[[bytes], Size] | None
    pixel: float
    """Bytes a pixel: the picture as Pillow keeps it, and the decoder's own copies; measured."""
    lazy: bool = False
    """True where Pillow opens it by its header alone."""
    library: str = ""
    """What reads it where Pillow does not, the extra that installs that, its name for the form."""
    extra: str = ""
    opener: str = ""


FORMS = {
    "png": Form("PngImagePlugin", "PNG", _headers.png, 4, True),
    "jpeg": Form("JpegImagePlugin", "JPEG", _headers.jpeg, 4, True),
    "gif": Form("GifImagePlugin", "GIF", _headers.gif, 4),
    "webp": Form("WebPImagePlugin", "WEBP", _headers.webp, 14),
    "bmp": Form("BmpImagePlugin", "BMP", _headers.bmp, 4, True),
    "tiff": Form("TiffImagePlugin", "TIFF", _headers.tiff, 4),
    "pnm": Form("PpmImagePlugin", "PPM", None, 4, True),
    "tga": Form("TgaImagePlugin", "TGA", _headers.tga, 4),
    "jp2": Form("Jpeg2KImagePlugin", "JPEG2000", _headers.jp2, 4),
    "heic": Form("AvifImagePlugin", "AVIF", None, 10, True, "pillow_heif", "heif", "HEIF"),
    "jxl": Form("", "JXL", _headers.jxl, 11, False, "pillow_jxl", "jxl", "JXL"),
}
"""By the name of their kind in `efm3.sniff`. Pillow reads more, of which no face is kept."""

_COMMON = ((b"\xff\xd8\xff", "jpeg"), (b"\x89PNG\r\n\x1a\n", "png"))
"""Marks of nearly all pictures: where they stand nothing else has to be tried."""
_WEAK = ((b"BM", "bmp"), (b"Pf\n", "pnm"), (b"\xff\x0a", "jxl"), (b"\xff\x4f\xff\x51", "jp2"))
"""Marks that are too short to prove anything: they are tried where nothing else is known."""
_ADDRESS = re.compile(r"<[^<>]{0,80} object at 0x[0-9a-f]+>")


def kind_of(data: bytes) -> sniff.Kind | None:
    """The kind of the file, guessed by its first bytes where nothing proves it."""
    found = _marked(data, _COMMON) or sniff.of_data(data)
    return found or _marked(data, _WEAK)


def _marked(data: bytes, marks: tuple[tuple[bytes, str], ...]) -> sniff.Kind | None:
    return next((sniff.KINDS[name] for mark, name in marks if data.startswith(mark)), None)


def opened(form: Form, data: bytes, image: Any) -> Any:
    """Pillow's picture of the data, of which no pixel is decoded yet (but JPEG XL's are).

    `image` is Pillow's module. Raises Efm3Error X002 where the form's library is missing, and
    nearly anything on damaged bytes.
    """
    if form.name not in image.OPEN and form.module:
        # An older Pillow lacks a module, or has it without the library behind it.
        with contextlib.suppress(ImportError):
            import_module(f"PIL.{form.module}")
    factory, accept = image.OPEN.get(form.name, (None, None))
    says = accept(data[:16]) if accept else factory is not None
    if form.library and (says is not True or _is_heic(data)):
        library = need(form.library, form.extra)
        if form.extra == "heif":
            library.register_heif_opener()
        factory = image.OPEN[form.opener][0]
    elif factory is None or isinstance(says, str):
        raise Damaged(f"this build of Pillow does not read {form.name}")
    return factory(io.BytesIO(data), "")


def measured(form: Form, data: bytes, picture: Any) -> Size:
    """The size of a picture that Pillow opened by its header alone."""
    width, height = picture.size
    if form.name != "AVIF":
        return Size(width, height)
    more = _av1.coded_pixels(data) - width * height
    return Size(width, height, 0, int(form.pixel * max(0, more)))


def _is_heic(data: bytes) -> bool:
    """True for a file of the ISO family without AVIF among its brands."""
    return data[4:8] == b"ftyp" and b"avi" not in data[8:8 + min(data[3], 120)]


def reason(error: Exception) -> str:
    """Why a library gave up, in its words and one line, but for the address of an object."""
    return _ADDRESS.sub("the file", " ".join(str(error).split())) or type(error).__name__
