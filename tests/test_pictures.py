# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Encoded pictures: what is decoded, and that nothing but two exceptions comes out."""

import contextlib
import io
import struct
import sys

import numpy as np
import pytest

from efm3 import Efm3Error, pictures, untrained
from efm3.pictures import BadPicture, _colour, _forms, _headers, decode, face, read
from efm3.source import Unreadable
from tests.encodings import LONG, SHORT, tiff, writes

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
    for side in (8500, 20000, 1 << 30):
        bomb[18:26] = side.to_bytes(4, "little") * 2
        assert refused(bytes(bomb), "F011", resize=True).found.endswith(" MB")
        refused(bytes(bomb), "F012")


def refused(data, code, **kw):
    with pytest.raises(BadPicture) as e:
        face(data, place="a.png", **kw)
    f = e.value.finding
    assert f.code == code and f.path == "a.png" and f.found and f.expected, f
    assert "\n" not in f.message and " at 0x" not in f.message
    return f


@pytest.mark.parametrize("data,words", [
    (b"", "an empty file"), (b"some lines of text", "a plain text"), (b"EFM3" + bytes(96), "EFM3"),
    (b"\x93NUMPY\1\0", "a NumPy array"), (b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", "a PDF document"),
    (b"\x8f\x11\x9a\x02" * 9, "no kind of file that is known"),
])
def test_what_is_no_picture_is_named(image, data, words):
    assert words in refused(data, "F009").message


PIXELS = bytes(3 * 112 * 112)
TAGS = {256: (SHORT, 112), 257: (SHORT, 112), 258: (SHORT, 8, 8, 8), 259: (SHORT, 1),
        262: (SHORT, 2), 273: (LONG, 8), 277: (SHORT, 3), 278: (LONG, 112),
        279: (LONG, len(PIXELS))}


def test_headers_that_ask_for_more_than_their_pixels(image):
    assert read(tiff(TAGS, PIXELS)).pixels.shape == (112, 112, 3)
    tile = {322: (LONG, 60000), 323: (LONG, 60000), 324: (LONG, 8), 325: (LONG, 9)}
    refused(tiff({**TAGS, **tile}, PIXELS), "F011")
    many = tiff({**TAGS, 273: (LONG, *[8] * 140_000)}, PIXELS)
    assert "values" in refused(many, "F010").message


def test_what_tags_and_sides_say(image):
    # 12 bits a sample, in three bytes two: 0x800 and 0xFFF are grey and white.
    twelve = {**TAGS, 258: (SHORT, 12), 262: (SHORT, 1), 277: (SHORT, 1), 279: (LONG, 168 * 112)}
    got = read(tiff(twelve, b"\x80\x0f\xff" * 56 * 112)).pixels
    assert (got[:, ::2] == 128).all() and (got[:, 1::2] == 255).all()
    assert (read(encoded(image, "TIFF", np.zeros((9, 9), np.int32))).pixels == 0).all()
    assert "70000 pixels" in refused(encoded(image, "PNG", np.zeros((70000, 1), np.uint8)), "F011",
                                     resize=True).message


def test_a_librarys_words_are_one_line_without_addresses():
    words = _forms.reason(OSError("cannot identify <_io.BytesIO object at 0x7f00aa>\n here\n"))
    assert words == "cannot identify the file here" and _forms.reason(EOFError()) == "EOFError"


def test_a_jpeg_of_many_scans(image, monkeypatch):
    data = encoded(image, "JPEG", progressive=True)
    scan = data.index(b"\xff\xda")
    monkeypatch.setattr(pictures, "SMALL", 0)
    assert face(data).pixels.shape == (112, 112, 3)
    empty = b"\xff\xda\0\x08\1\1\0\0\x3f\0" * 300
    assert "scans" in refused(data[:scan] + empty + data[scan:], "F010").message


@pytest.mark.parametrize("form,at,sizes", [
    ("PNG", 16, struct.pack(">II", 112, 113)), ("BMP", 18, struct.pack("<ii", 112, 160)),
    ("GIF", -1, b""), ("JPEG2000", -1, b""),
])
def test_a_size_that_is_not_the_datas(image, form, at, sizes):
    if form == "JPEG2000":
        if not writes("jpg_2000"):
            pytest.skip("this Pillow has no JPEG 2000")
        data = encoded(image, form)
        box = data.index(b"ihdr") + 4
        data = data[:box] + struct.pack(">II", 64, 64) + data[box + 8:]
        assert "in another" in refused(data, "F010", resize=True).message
    elif form == "GIF":
        data = encoded(image, form)
        frame = data.index(b",\0\0\0\0\x70\0\x70\0")
        big = data[:frame + 5] + b"\xff\xff\xff\xff" + data[frame + 9:]
        refused(big, "F012")
        refused(big, "F011", resize=True)
    else:
        data = encoded(image, form)
        refused(data[:at] + sizes + data[at + len(sizes):], "F010", resize=True)


def test_the_limits():
    assert (pictures.SIDE, pictures.MAX_SIDE) == (112, 65536)
    assert (pictures.MAX_FILE, pictures.SMALL) == (64 << 20, 1 << 20)
    assert (pictures.MAX_MEMORY, pictures.LARGE) == (200 << 20, 24 << 20)


JPEG, PNG = _forms.FORMS["jpeg"], _forms.FORMS["png"]


def scaled(width, height, form=JPEG, wanted=None, memory=1 << 30):
    return pictures._scale(_headers.Size(width, height), form, "", wanted, memory)


def test_what_decoding_costs():
    size = _headers.Size(99, 49, 2, 1000)
    # A row and a column more than there are, of four bytes kept and three given.
    assert pictures._cost(size, JPEG, 1) == 1000 + 2 * 99 * 49 + 7 * 100 * 50
    assert pictures._cost(size, JPEG, 4) == 1000 + 2 * 99 * 49 + 7 * 25 * 13
    assert pictures._cost(_headers.Size(99, 49), PNG._replace(pixel=0.5), 1) == 17500


@pytest.mark.parametrize("least,scale", [
    (1, 1), (447, 1), (448, 2), (895, 2), (896, 4), (1791, 4), (1792, 8), (4000, 8)])
def test_a_jpeg_is_decoded_at_no_less_than_twice_the_side(least, scale):
    """448 is four times 112: half of it is still twice the side."""
    assert scaled(least, least, wanted=(112, True)) == scale
    assert scaled(least, least + 9, wanted=(112, True)) == scale
    assert scaled(least, least) == scaled(least, least, PNG, (112, True)) == 1


def test_a_jpeg_that_takes_too_much_is_decoded_smaller():
    costs = [pictures._cost(_headers.Size(800, 600), JPEG, s) for s in (1, 2, 4, 8)]
    for memory, scale in ((costs[0], 1), (costs[0] - 1, 2), (costs[1], 2), (costs[1] - 1, 4),
                          (costs[2] - 1, 8), (0, 8)):
        assert scaled(800, 600, memory=memory) == scale
    assert scaled(800, 600, PNG, memory=0) == 1


def test_where_a_picture_is_too_large(monkeypatch):
    assert scaled(65536, 1) == scaled(1, 65536) == 1
    for sides in ((65537, 1), (1, 65537)):
        with pytest.raises(BadPicture, match="F011"):
            scaled(*sides)
    for sides in ((0, 5), (5, 0)):
        with pytest.raises(_headers.Damaged, match="pixels"):
            scaled(*sides)
    costs = pictures._cost(_headers.Size(300, 200), PNG, 1)
    monkeypatch.setattr(pictures, "MAX_MEMORY", costs)
    assert scaled(300, 200, PNG) == 1
    monkeypatch.setattr(pictures, "MAX_MEMORY", costs - 1)
    with pytest.raises(BadPicture, match="F011"):
        scaled(300, 200, PNG)
    assert scaled(112, 112, PNG, (112, False)) == 1
    for sides in ((112, 113), (113, 112)):
        with pytest.raises(BadPicture, match="F012"):
            scaled(*sides, PNG, (112, False))


def test_the_largest_file(image, monkeypatch, tmp_path):
    data = encoded(image)
    (tmp_path / "a.png").write_bytes(data)
    monkeypatch.setattr(pictures, "MAX_FILE", len(data))
    for source in (data, str(tmp_path / "a.png")):
        assert face(source).pixels.shape == (112, 112, 3)
    monkeypatch.setattr(pictures, "MAX_FILE", len(data) - 1)
    for source in (data, str(tmp_path / "a.png")):
        with pytest.raises(BadPicture, match="F011"):
            face(source)
    monkeypatch.setattr(pictures, "MAX_FILE", 20)
    assert pictures._bytes(str(tmp_path / "a.png")) == data[:21]


def test_who_is_told_of_a_large_picture(image, monkeypatch):
    calls, data = [], encoded(image)
    costs = pictures._cost(_headers.Size(112, 112), PNG, 1)
    for limit in (costs, costs - 1):
        monkeypatch.setattr(pictures, "LARGE", limit)
        read(data, large=lambda limit=limit: calls.append(limit))
    assert calls == [costs - 1]
    assert read(data).pixels.shape == (112, 112, 3)  # nobody is


def test_a_file_that_cannot_be_read_to_its_end(monkeypatch, tmp_path):
    class Failing(io.BytesIO):
        def fileno(self):
            raise OSError(5, "Input/output error")
    monkeypatch.setattr(pictures, "open_regular", lambda path: Failing())
    with pytest.raises(Unreadable, match=r"a\.png: Input/output error"):
        read(str(tmp_path / "a.png"))


def test_whose_header_pillow_reads_alone(image, monkeypatch):
    calls, measured = [], _forms.measured
    data = encoded(image, pixels=PICTURE[:50, :100])
    monkeypatch.setattr(_forms, "measured", lambda *a: calls.append(1) or measured(*a))
    monkeypatch.setattr(pictures, "SMALL", 50 * 100)
    read(data)
    assert calls == [1]
    monkeypatch.setattr(pictures, "SMALL", 50 * 100 - 1)
    read(data)
    assert calls == [1]
    # A form without a reader of its own is left to Pillow however large it is.
    assert read(encoded(image, "PPM")).pixels.shape == (112, 112, 3) and calls == [1, 1]


def test_a_jpeg_in_little_memory_is_smaller_and_says_so(image):
    data = encoded(image, "JPEG", np.zeros((600, 800, 3), np.uint8))
    assert read(data).pixels.shape == (600, 800, 3) and read(data).notes == ()
    got = read(data, memory=1 << 20)
    assert got.pixels.shape == (300, 400, 3)
    assert got.notes == ("decoded at 1/2 of its 800x600 pixels",)
    # Where it is scaled anyway nothing is said.
    assert face(encoded(image, "JPEG", np.zeros((900, 900, 3), np.uint8)), True).notes == ()


def test_transparent_parts_are_white(image):
    alpha = np.full((112, 112), 255, np.uint8)
    alpha[:50], alpha[50:60] = 0, 128
    want = PICTURE.copy()
    want[:50] = 255
    want[50:60] = np.rint(PICTURE[50:60] * (128 / 255) + 255 * (127 / 255))
    rgba = np.dstack([PICTURE, alpha])
    for form in ("PNG", "TIFF"):
        got = read(encoded(image, form, rgba))
        assert np.abs(got.pixels.astype(int) - want).max() <= 1
        assert got.notes == ("transparent parts are white",)
    assert read(encoded(image, "PNG", np.dstack([PICTURE, np.full_like(alpha, 255)]))).notes == ()
    grey = read(encoded(image, "PNG", np.dstack([PICTURE[..., 0], alpha])))
    assert (grey.pixels[:50] == 255).all() and (grey.pixels[60:] == PICTURE[60:, :, :1]).all()
    # tRNS: one colour, or one of the palette, is transparent.
    squares = np.zeros((112, 112, 3), np.uint8)
    squares[:50], squares[50:] = (9, 8, 7), (70, 80, 90)
    for kind in ("RGB", "P", "L"):
        picture = image.fromarray(squares)
        picture = picture.quantize(2) if kind == "P" else picture.convert(kind)
        hidden = picture.getpixel((0, 0))
        buffer = io.BytesIO()
        picture.save(buffer, "PNG", transparency=hidden)
        got = read(buffer.getvalue())
        assert (got.pixels[:50] == 255).all() and (got.pixels[50:] != 255).any(), kind
    deep = np.full((112, 112), 30000, np.uint16)
    deep[:50] = 1000
    buffer = io.BytesIO()
    image.fromarray(deep).save(buffer, "PNG", transparency=1000)
    got = read(buffer.getvalue())
    if got.notes:  # an older Pillow drops the tRNS of 16 bits when it writes
        assert (got.pixels[:50] == 255).all() and (got.pixels[50:] == 117).all()


def test_one_bit(image):
    got = read(encoded(image, "PNG", PICTURE[..., 0] > 99)).pixels
    assert (got == np.where(PICTURE[..., :1] > 99, 255, 0)).all()


@pytest.mark.parametrize("values,ok", [
    ((0, 1), True), ((-0.05, 1.05), True), ((0, 255), True), ((-9, 260), True), ((0, 65535), True),
    ((-1, 1), False), ((0, 2), False), ((0, 300), False), ((0, 1e6), False), ((0, np.nan), False),
    ((0, np.inf), False), ((-np.inf, 1), False), ((0, 0), True),
])
def test_floats_of_a_range_that_is_known_or_refused(image, values, ok):
    low, high = values
    ramp = np.linspace(0, 1, 112 * 112, dtype=np.float32).reshape(112, 112)
    pixels = ramp * np.float32(high if np.isfinite(high) else 1)
    pixels[0, 0], pixels[-1, -1] = low, high
    data = encoded(image, "TIFF", pixels)
    if not ok:
        assert "values from" in refused(data, "F010").message
        return
    got = face(data).pixels
    assert got[0, 0, 0] == 0 and got[-1, -1, 0] == (255 if high else 0)
    assert high == 0 or abs(int(got[56, 0, 0]) - 128) < 12


def test_animations_and_pages_give_the_first(image):
    other = image.fromarray(255 - PICTURE)
    for form, note in (("PNG", "the first picture of an animation"), ("GIF", "the first picture of "
                       "an animation"), ("WEBP", "the first picture of an animation"),
                       ("TIFF", "the first of several pages")):
        data = encoded(image, form, save_all=True, append_images=[other], **(
            {"lossless": True} if form == "WEBP" else {}))
        got = face(data)
        assert got.notes == (note,), form
        assert np.abs(got.pixels.astype(int) - PICTURE).mean() < 20, form


def test_profiles_that_do_not_fit_are_ignored_and_said(image):
    cms = pytest.importorskip("PIL.ImageCms", reason="Pillow is an extra")
    lab = cms.ImageCmsProfile(cms.createProfile("LAB")).tobytes()
    srgb = cms.ImageCmsProfile(cms.createProfile("sRGB")).tobytes()
    for profile in (b"junk", lab, lab[:200], srgb + bytes(5 << 20)):
        got = read(encoded(image, "TIFF", icc_profile=profile))
        (note,) = got.notes
        assert note.startswith("its ICC profile was ignored: ") and "\n" not in note
        assert np.array_equal(got.pixels, PICTURE)
    (note,) = read(encoded(image, "TIFF", PICTURE[..., 0], icc_profile=lab)).notes
    assert "it is for Lab" in note


def test_scaling(image):
    wide = np.zeros((300, 448, 3), np.uint8)
    wide[:, 224:] = 200
    for form in ("PNG", "JPEG"):
        got = face(encoded(image, form, wide), resize=True)
        assert got.notes == ("it is not square, and was squashed into 112x112 pixels",)
        assert got.pixels[:, :50].max() < 9 and got.pixels[:, 62:].min() > 190
    # Every pixel counts where it is made smaller: stripes become grey.
    stripes = np.zeros((448, 448, 3), np.uint8)
    stripes[:, ::2] = 254
    got = face(encoded(image, "PNG", stripes), resize=True)
    assert got.notes == () and np.abs(got.pixels[5:-5, 5:-5].astype(int) - 127).max() <= 2


def test_a_large_jpeg_is_decoded_at_a_fraction(image, monkeypatch):
    data = encoded(image, "JPEG", np.full((480, 640, 3), (10, 200, 30), np.uint8))
    monkeypatch.setattr(pictures, "SMALL", 0)
    for most, shape, notes in ((1 << 24, (480, 640, 3), ()), (1 << 20, (240, 320, 3), (
            "decoded at 1/2 of its 640x480 pixels",)), (1 << 16, (60, 80, 3), (
            "decoded at 1/8 of its 640x480 pixels",))):
        monkeypatch.setattr(pictures, "MAX_MEMORY", most)
        got = read(data)
        assert got.pixels.shape == shape and got.notes == notes
    monkeypatch.setattr(pictures, "MAX_MEMORY", 1 << 14)
    refused(data, "F011", resize=True)


def test_bands_are_as_the_whole(image, monkeypatch):
    pixels = np.dstack([np.tile(PICTURE, (2, 3, 1)), np.tile(PICTURE[..., 0], (2, 3))])
    data = encoded(image, "PNG", pixels)
    plain, deep = encoded(image, "PNG", pixels[..., :3]), encoded(
        image, "TIFF", pixels[..., 0].astype(np.float32))
    whole = [read(d) for d in (data, plain, deep)]
    monkeypatch.setattr(_colour, "BAND", 1000)
    for before, d in zip(whole, (data, plain, deep), strict=True):
        after = read(d)
        assert np.array_equal(after.pixels, before.pixels) and after.notes == before.notes


def test_paths_and_streams(image, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encoded(image))
    for source in (path, str(path), path.read_bytes(), io.BytesIO(path.read_bytes())):
        assert np.array_equal(read(source).pixels, PICTURE)
    path.write_bytes(b"nothing at all")
    with pytest.raises(BadPicture) as e:
        read(path)
    assert e.value.path == str(path)
    with open(path, "wb") as f:
        f.truncate(1 << 40)
    with pytest.raises(BadPicture, match="F011"):
        read(path)
    with pytest.raises(Unreadable):
        read(tmp_path)
    assert BadPicture("is broken").code == "F010"


@pytest.mark.parametrize("data,module,extra", [
    (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "pillow_heif", "heif"),
    (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "pillow_heif", "heif"),
    (b"\xff\x0a" + (1 | 13 << 1 | 1 << 6).to_bytes(13, "little"), "pillow_jxl", "jxl"),
])
def test_a_form_of_another_library_names_it(image, monkeypatch, data, module, extra):
    monkeypatch.setitem(sys.modules, module, None)
    found = refused(data, "X002")
    assert f"extra `{extra}`" in found.message and found.expected == module


@pytest.mark.parametrize("module,form", [("pillow_heif", "HEIF"), ("pillow_jxl", "JXL")])
def test_a_form_of_another_library(image, module, form):
    library = pytest.importorskip(module, reason=f"{module} is an extra")
    if module == "pillow_heif":
        library.register_heif_opener()
    got = face(encoded(image, form, quality=95)).pixels
    assert np.abs(got.astype(int) - PICTURE).mean() < 12
    with pytest.raises(BadPicture):
        read(encoded(image, form)[:-200])


def test_the_size_of_a_jpeg_xl():
    with pytest.raises(_headers.Damaged, match="codestream"):
        _headers.jxl(b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(9))

    def coded(height, width):
        bits = 1 << 1 | (height - 1) << 3 | 0 << 16 | 1 << 19 | (width - 1) << 21
        return b"\xff\x0a" + bits.to_bytes(8, "little")
    assert _headers.jxl(coded(112, 200))[:2] == (200, 112)
    whole = b"\0\0\0\x0cJXL \r\n\x87\n"
    for box in (b"jxlc" + coded(8000, 77), b"jxlp\0\0\0\0" + coded(8000, 77)):
        data = whole + struct.pack(">I", 4 + len(box)) + box
        assert _headers.jxl(data)[:2] == (77, 8000)
    # Eight times 14 a side, and the same side by the ratio 1:1.
    small = b"\xff\x0a" + (1 | 13 << 1 | 1 << 6).to_bytes(8, "little")
    assert _headers.jxl(small)[:2] == (112, 112)


def test_damaged_headers_raise_one_exception(image):
    rng = np.random.default_rng(2)
    forms = ["PNG", "JPEG", "TIFF", "GIF", "WEBP", "BMP", "PPM", "TGA"]
    forms += [f for f, word in (("AVIF", "avif"), ("JPEG2000", "jpg_2000"))
              if writes(word)]
    small = PICTURE[:40, :40]
    for form in forms:
        data = encoded(image, form, small)
        for _ in range(40):
            broken = bytearray(data)
            for at in rng.integers(0, min(len(data), 400), 3):
                broken[at] = rng.integers(256)
            with contextlib.suppress(BadPicture):
                face(bytes(broken[:rng.integers(len(data) // 2, len(data) + 1)]), resize=True)


def test_without_pillow(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(Efm3Error, match=r"X002.*extra `images`"):
        decode(b"")
