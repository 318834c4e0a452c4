# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Pixels of every mode to sRGB, value by value: turned, in bands, of many bits, by curves and
profiles."""

import io
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageCms

from efm3.pictures import _colour as c
from efm3.pictures._headers import Damaged
from tests.encodings import LINEAR_GREY, icc, inks, xyz

NEEDS = ("PIL",)

STORED = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)


def stored(tag=None, form="PNG", info=("exif",)):
    return SimpleNamespace(format=form, info=dict.fromkeys(info),
                           getexif=lambda: {} if tag is None else {0x0112: tag})


@pytest.mark.parametrize("tag,rows", [
    (None, "012 345"), (0, "012 345"), (1, "012 345"), (2, "210 543"), (3, "543 210"),
    (4, "345 012"), (5, "03 14 25"), (6, "30 41 52"), (7, "52 41 30"), (8, "25 14 03"),
    (9, "012 345")])
def test_the_eight_ways_to_hold_a_camera(tag, rows):
    """By EXIF 2.3: what the first stored row and column are in the picture."""
    want = np.array([[STORED.reshape(6, 3)[int(i)] for i in row] for row in rows.split()])
    for info in (("exif",), ("Raw profile type exif", "dpi")):
        found = c.upright(stored(tag, info=info), STORED)
        assert np.array_equal(found, want) and found.flags.c_contiguous
    for left in (stored(tag, "TIFF"), stored(tag, info=("dpi",))):
        assert c.upright(left, STORED) is STORED


@pytest.fixture
def bands(monkeypatch):
    """The sizes of what is converted at a time."""
    sizes, rgb = [], c._Steps.rgb
    monkeypatch.setattr(c._Steps, "rgb", lambda self, b: sizes.append(b.size) or rgb(self, b))
    return sizes


def image(mode, height=4, width=6):
    noise = np.random.default_rng(1).integers(0, 256, (height, width, len(mode)), np.uint8)
    return Image.fromarray(noise if len(mode) > 1 else noise[..., 0])


@pytest.mark.parametrize("mode,band,sizes", [
    ("RGB", 24, []), ("RGB", 23, [(6, 3), (6, 1)]), ("RGB", 12, [(6, 2)] * 2),
    ("RGBA", 24, [(6, 4)]), ("RGBA", 23, [(6, 3), (6, 1)]), ("RGBA", 6, [(6, 1)] * 4),
    ("RGBA", 5, [(6, 1)] * 4), ("L", 13, [(6, 2)] * 2)])
def test_no_more_than_a_band_is_converted_at_a_time(monkeypatch, bands, mode, band, sizes):
    monkeypatch.setattr(c, "BAND", band)
    picture, notes = image(mode), []
    found = c.pixels(picture, "PNG", notes)
    assert bands == sizes and found.shape == (4, 6, 3) and found.dtype == np.uint8
    white = Image.new("RGBA", picture.size, "white")
    white.alpha_composite(picture.convert("RGBA"))
    assert np.array_equal(found, np.asarray(white.convert("RGB")))
    assert notes == ["transparent parts are white"] * (mode == "RGBA")


def test_the_limits():
    assert (c.BAND, c.MAX_PROFILE, c.SLACK) == (1 << 20, 1 << 22, 16)


@pytest.mark.parametrize("mode", ["LA", "RGBA", "RGBa"])
def test_what_is_transparent_is_white(mode):
    picture = Image.new("RGBA", (2, 1), (0, 0, 0, 255))
    picture.putpixel((1, 0), (0, 0, 0, 0))
    notes = []
    found = c.pixels(picture.convert(mode), "PNG", notes)
    assert found[0, :, 0].tolist() == [0, 255] and len(notes) == 1


def test_one_deep_value_is_transparent():
    picture = Image.fromarray(np.array([[0, 257 * 9, 65535]], np.uint16))
    picture.info["transparency"] = 257 * 9
    notes = []
    assert c.pixels(picture, "PNG", notes).tolist() == [[[0] * 3, [255] * 3, [255] * 3]]
    assert notes == ["transparent parts are white"]
    picture.info["transparency"] = 5
    assert c.pixels(picture, "PNG", notes)[0, 1].tolist() == [9] * 3 and len(notes) == 1


def test_levels_to_bytes():
    values = np.array([-1, 0, 128, 129, 385, 386, 65535, 70000])
    assert c._Levels(0, 65535).bytes_of(values).tolist() == [0, 0, 0, 1, 1, 2, 255, 255]
    assert c._Levels(65535, 0).bytes_of(values).tolist() == [255, 255, 255, 254, 254, 253, 0, 0]
    assert c._Levels(0, 1).bytes_of(np.float32([0.5, 2, -1])).tolist() == [128, 255, 0]


def deep(mode, values, **tags):
    """A picture of one row; tags are photometric and bits."""
    rows = np.array([values])
    return SimpleNamespace(
        mode=mode, size=(len(values), 1), crop=lambda box: rows[box[1]:box[3], box[0]:box[2]],
        tag_v2={{"photometric": 262, "bits": 258}[k]: v for k, v in tags.items()})


@pytest.mark.parametrize("mode,form,tags,levels", [
    ("I;16", "PNG", {}, (0, 65535)), ("I;16B", "TIFF", {}, (0, 65535)),
    ("I;16", "TIFF", {"bits": (12,)}, (0, 4095)), ("I;16", "TIFF", {"photometric": 0}, (65535, 0)),
    ("I;16", "TIFF", {"bits": (12,), "photometric": 0}, (4095, 0)),
    ("I;16", "TIFF", {"bits": (13,), "photometric": 1}, (0, 65535)),
    ("I;16", "PNG", {"bits": (12,), "photometric": 0}, (0, 65535)),
    ("I", "PNG", {}, (0, 65535)), ("I", "PPM", {}, (0, 65535)), ("I", "TIFF", {}, (0, 255)),
    ("F", "PPM", {}, (0, 255))])
def test_the_range_that_a_file_states(mode, form, tags, levels):
    assert c._levels(deep(mode, [0, 200], **tags), form) == levels


@pytest.mark.parametrize("mode,bits,low,high,white", [
    ("F", 32, 0, 1, 1), ("F", 32, -1 / 16, 17 / 16, 1), ("F", 32, 0, 0, 1), ("F", 32, 0, 0.001, 1),
    ("F", 32, -1 / 16, 1.0626, 0), ("F", 32, 0, 1.0626, 0), ("F", 32, -0.063, 1, 0),
    ("F", 32, 0, 31.875, 255), ("F", 32, 0, 31.87, 0), ("F", 32, -15.9375, 270.9375, 255),
    ("F", 32, -15.94, 255, 0), ("F", 32, 0, 270.94, 0), ("F", 32, -15.94, 9000, 65535),
    ("F", 32, 0, 8191.875, 65535), ("F", 32, 0, 8191.87, 0), ("F", 32, -9, 69630.9375, 65535),
    ("F", 32, 0, 69630.95, 0), ("F", 32, -4095.9375, 65535, 65535), ("F", 32, -4095.95, 65535, 0),
    ("F", 32, -np.inf, 1, 0), ("F", 32, 0, np.nan, 0), ("F", 16, 0, 34814, 32767),
    ("I", 32, 0, 1, 0), ("I", 32, 0, 0, 255), ("I", 32, -15, 0, 255), ("I", 32, -16, 0, 65535),
    ("I", 32, 0, 31, 0), ("I", 32, 0, 32, 255), ("I", 16, 0, 4095, 0), ("I", 16, 0, 4096, 32767),
    ("I", 16, 0, 34814, 32767), ("I", 16, 0, 34815, 0), ("I", 17, 0, 34815, 65535)])
def test_the_range_that_values_show(monkeypatch, mode, bits, low, high, white):
    """The least of the usual ones that they are in and fill an eighth of; they may be a sixteenth
    outside it."""
    for band in (1 << 20, 1):
        monkeypatch.setattr(c, "BAND", band)
        picture = deep(mode, [low, low, high], bits=(bits,))
        if white:
            assert c._levels(picture, "TIFF") == (0, white)
        else:
            with pytest.raises(Damaged, match="values from"):
                c._levels(picture, "TIFF")


def test_every_band_is_looked_at(monkeypatch):
    monkeypatch.setattr(c, "BAND", 1)
    rows = np.float32([[-15, 9], [9, 9], [9, 270], [9, 9]])
    picture = SimpleNamespace(mode="F", size=(2, 4), tag_v2={},
                              crop=lambda box: rows[box[1]:box[3], box[0]:box[2]])
    assert c._levels(picture, "TIFF") == (0, 255)
    rows[2, 1] = 271
    with pytest.raises(Damaged, match="from -15 to 271,"):
        c._levels(picture, "TIFF")


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LAB = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()


@pytest.mark.parametrize("profile,mode,takes", [
    (SRGB, "RGB", "RGB"), (SRGB, "RGBA", "RGB"), (SRGB, "P", "RGB"), (SRGB, "L", "RGB"),
    (LINEAR_GREY, "L", "L"), (LINEAR_GREY, "LA", "L"), (LINEAR_GREY, "La", "L"),
    (LINEAR_GREY, "1", "L"), (inks(), "CMYK", "CMYK"), (LAB, "LAB", "LAB"), (None, "LAB", "LAB"),
    (LINEAR_GREY, "RGB", None), (LINEAR_GREY, "P", None), (LINEAR_GREY, "CMYK", None),
    (SRGB, "CMYK", None), (SRGB, "LAB", None), (LAB, "RGB", None), (LAB, "L", None),
    (inks(), "RGB", None), (inks(), "L", None),
    (icc(b"YCbr", {b"wtpt": xyz(0.9642, 1, 0.8249)}), "RGB", None)])
def test_which_profile_is_for_which_mode(profile, mode, takes):
    if takes:
        assert c._colours(profile, mode)[0] == takes
    else:
        with pytest.raises(ValueError, match=f"it is for .* and the picture is {mode}"):
            c._colours(profile, mode)


def test_the_longest_profile():
    longest = SRGB + bytes((1 << 22) - len(SRGB))
    assert c._colours(longest, "RGB")[0] == "RGB"
    with pytest.raises(ValueError, match="it has 4,194,305 bytes"):
        c._colours(longest + b"\0", "RGB")


@pytest.mark.parametrize("mode,profile,asked,note", [
    ("RGB", None, [], ""), ("RGB", SRGB, [(SRGB, "RGB")], ""), ("I;16", SRGB, [(SRGB, "L")], ""),
    ("LAB", None, [(None, "LAB")], ""), ("LAB", LAB, [(LAB, "LAB")], ""),
    ("CMYK", None, [], "CMYK without a profile"), ("CMYK", inks(), [(inks(), "CMYK")], ""),
    ("RGB", b"junk", [(b"junk", "RGB")], "its ICC profile was ignored"),
    ("LAB", b"junk", [(b"junk", "LAB"), (None, "LAB")], "its ICC profile was ignored")])
def test_what_is_done_with_a_profile(monkeypatch, mode, profile, asked, note):
    calls, found = [], c._colours
    monkeypatch.setattr(c, "_colours", lambda *args: calls.append(args) or found(*args))
    picture = Image.new(mode, (1, 1))
    if profile:
        picture.info["icc_profile"] = profile
    notes = []
    steps = c._Steps(picture, "PNG", notes)
    assert calls == asked and (notes[0].startswith(note) if note else not notes)
    assert (steps._colours is not None) == (len(asked) > (profile == b"junk"))
    assert steps.plain == (mode == "RGB" and profile != SRGB)


def test_grey_of_light_is_brighter_by_its_profile():
    picture = Image.new("LA", (1, 1), (55, 255))
    picture.info["icc_profile"] = LINEAR_GREY
    assert abs(int(c.pixels(picture, "PNG", [])[0, 0, 0]) - 128) <= 1  # as IEC 61966-2-1 says


@pytest.mark.parametrize("form,info,bright", [
    ("PNG", {"gamma": 1.0}, True), ("PNG", {"gamma": 0.45455}, False), ("PNG", {}, False),
    ("TIFF", {"gamma": 1.0}, False), ("PNG", {"gamma": 1.0, "srgb": 0}, False),
    ("PNG", {"gamma": 1.0, "icc_profile": b"junk"}, False)])
def test_what_is_done_with_a_gamma(form, info, bright):
    picture = Image.new("RGB", (1, 1), (55, 100, 255))
    picture.info.update(info)
    found = c.pixels(picture, form, [])[0, 0].tolist()
    assert found == ([127, 167, 255] if bright else [55, 100, 255])


@pytest.mark.parametrize("power,same", [
    (1.049, True), (1.051, False), (0.951, True), (0.949, False), (2, False)])
def test_what_is_within_a_twentieth_of_srgb_stays(power, same):
    curve = c._curve(1 / 2.2 / power)
    assert curve == (None if same else [round(255 * (v / 255) ** power) for v in range(256)])


@pytest.mark.parametrize("gamma,known", [
    (0.01, True), (0.0099, False), (100, True), (100.1, False), (0, False), (-1, False)])
def test_a_gamma_that_is_none_is_left(gamma, known):
    assert (c._curve(gamma) is not None) == known


def test_a_picture_as_a_file():
    """The whole way, of a file of each kind."""
    for mode in ("L", "LA", "RGB", "RGBA", "1", "P"):
        buffer = io.BytesIO()
        image("RGB").convert(mode).save(buffer, "PNG")
        with Image.open(buffer) as picture:
            found = c.pixels(picture, "PNG", [])
            assert np.array_equal(found, np.asarray(picture.convert("RGB"))), mode
