# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Which plugin or library opens a file, and what is said where none does."""

from types import SimpleNamespace

import pytest

from efm3.pictures import _av1, _forms
from efm3.pictures._forms import FORMS
from efm3.pictures._headers import Damaged

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
AVIF = b"\0\0\0\x18ftypmif1\0\0\0\0avifmif1"


@pytest.mark.parametrize("data,name", [
    (b"\xff\xd8\xff", "jpeg"), (b"\x89PNG\r\n\x1a\n", "png"), (b"BM", "bmp"), (b"Pf\n", "pnm"),
    (b"\xff\x0a", "jxl"), (b"\xff\x4f\xff\x51", "jp2"), (b"EFM3" + bytes(96), "efm3")])
def test_a_kind_by_its_first_bytes(data, name):
    assert _forms.kind_of(data).name == name


def test_nothing_is_of_no_kind():
    assert _forms.kind_of(b"\x8f\x11\x9a\x02" * 9) is None
    assert _forms._marked(b"BM", ()) is None


def pillow(**plugins):
    """A Pillow whose plugins are (what opens, what accepts)."""
    return SimpleNamespace(OPEN=plugins)


def opens(stream, name):
    return stream.read(), name


def test_a_plugin_is_asked_with_sixteen_bytes():
    asked = []
    image = pillow(PNG=(opens, lambda head: asked.append(head) or True), PPM=(opens, None))
    data = bytes(range(40))
    assert _forms.opened(FORMS["png"], data, image) == (data, "")
    assert asked == [data[:16]]
    assert _forms.opened(FORMS["pnm"], data, image) == (data, "")


@pytest.mark.parametrize("image", [pillow(), pillow(PNG=(opens, lambda head: "no library"))])
def test_a_form_that_this_pillow_does_not_read(image):
    with pytest.raises(Damaged, match="this build of Pillow does not read PNG"):
        _forms.opened(FORMS["png"], b"", image)


def test_a_module_is_imported_where_its_form_is_missing(monkeypatch):
    asked, image = [], pillow(PNG=(opens, None))

    def load(name):
        asked.append(name)
        image.OPEN["TGA"] = opens, None
        if name.endswith("Plugin"):
            raise ImportError(name)
    monkeypatch.setattr(_forms, "import_module", load)
    for name in ("png", "tga", "tga"):
        assert _forms.opened(FORMS[name], b"x", image) == (b"x", "")
    assert asked == ["PIL.TgaImagePlugin"]


@pytest.mark.parametrize("name,data,says,wanted", [
    ("heic", AVIF, True, []), ("heic", AVIF, False, ["pillow_heif", "heif"]),
    ("heic", AVIF, "no library", ["pillow_heif", "heif"]),
    ("heic", HEIC, True, ["pillow_heif", "heif"]), ("jxl", b"", None, ["pillow_jxl", "jxl"])])
def test_who_reads_what_pillow_does_not(monkeypatch, name, data, says, wanted):
    asked, image = [], pillow()
    if says is not None:
        image.OPEN["AVIF"] = opens, lambda head: says

    def need(library, extra):
        asked.extend((library, extra))
        image.OPEN.update(JXL=(lambda stream, name: "another", None))
        return SimpleNamespace(register_heif_opener=lambda: image.OPEN.update(
            HEIF=(lambda stream, name: "another", None)))
    monkeypatch.setattr(_forms, "need", need)
    monkeypatch.setattr(_forms, "import_module", asked.append)
    found = _forms.opened(FORMS[name], data, image)
    assert asked == wanted and found == ("another" if wanted else (data, ""))


@pytest.mark.parametrize("coded,fixed", [(6, 0), (7, 10), (106, 1000), (2, 0)])
def test_the_frames_of_an_avif_are_measured(monkeypatch, coded, fixed):
    monkeypatch.setattr(_av1, "coded_pixels", lambda data: coded)
    picture = SimpleNamespace(size=(3, 2))
    assert _forms.measured(FORMS["heic"], b"", picture) == (3, 2, 0, fixed)
    assert _forms.measured(FORMS["png"], b"", picture) == (3, 2, 0, 0)


def test_what_is_heic():
    assert _forms._is_heic(HEIC) and not _forms._is_heic(AVIF)
    assert not _forms._is_heic(b"\0\0\0\x18ftyxheic\0\0\0\0mif1heic")
    # Brands are looked for in the first box, and in 120 bytes of a large one.
    for length, at, heic in ((24, 29, False), (24, 30, True), (24, 8, False), (5, 10, False),
                             (5, 11, True), (255, 125, False), (255, 126, True)):
        data = b"\0\0\0%cftyp" % length + b"x" * (at - 8) + b"avif" + bytes(200)
        assert _forms._is_heic(data) is heic, (length, at)


def test_why_a_library_gave_up():
    assert _forms.reason(ValueError(" two\n  words ")) == "two words"
    assert _forms.reason(KeyError()) == "KeyError"
    assert _forms.reason(OSError("<_io.BytesIO object at 0x7f00aa> is")) == "the file is"
