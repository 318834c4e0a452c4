# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Sizes out of headers that are written by hand: every field, every limit, no decoder."""

import struct

import pytest

from efm3.pictures import _headers as h


def broken(function, data, words=None):
    with pytest.raises(h.Damaged, match=words):
        function(data)


def test_the_limits():
    assert (h.STEPS, h.MAX_SCANS, h.MAX_VALUES) == (20_000, 200, 131_072)


@pytest.mark.parametrize("function,data,size", [
    (h.png, b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 300, 200), (300, 200)),
    (h.bmp, bytes(14) + struct.pack("<Iii", 40, 70000, -200), (70000, 200)),
    (h.bmp, bytes(14) + struct.pack("<IHH", 12, 300, 40000), (300, 40000)),
    (h.bmp, bytes(14) + struct.pack("<Iii", 13, 70000, 200), (70000, 200)),
    (h.tga, bytes(12) + struct.pack("<HH", 300, 200), (300, 200)),
    (h.webp, bytes(12) + b"VP8X" + bytes(8) + b"\x45\x23\1\x67\x45\2", (0x12346, 0x24568)),
    (h.webp, bytes(12) + b"VP8L" + bytes(4) + b"\x2f"
     + struct.pack("<I", 0x2ABC | 0x3001 << 14 | 15 << 28), (0x2ABD, 0x3002)),
    (h.webp, bytes(12) + b"VP8 " + bytes(10) + struct.pack("<HH", 0x4000 | 0x2ABC, 0xC000 | 0x3001),
     (0x2ABC, 0x3001)),
])
def test_a_header_of_fixed_places(function, data, size):
    assert function(data) == (*size, 0, 0)
    assert function(data + bytes(9)) == (*size, 0, 0)
    for cut in (len(data) - 1, 11):
        broken(function, data[:cut])


def test_a_png_begins_with_its_size():
    broken(h.png, b"\x89PNG\r\n\x1a\n\0\0\0\rIDAT" + bytes(8), "IHDR")


def segment(marker, body=b""):
    return struct.pack(">BBH", 0xFF, marker, 2 + len(body)) + body


def frame(marker, width, height, *factors):
    body = struct.pack(">BHHB", 8, height, width, len(factors))
    return segment(marker, body + b"".join(bytes((i, f, 0)) for i, f in enumerate(factors)))


def scan(count):
    return segment(0xDA, bytes((count, *range(9))))


SOI, LONG = b"\xff\xd8", segment(0xE0, bytes(700))


@pytest.mark.parametrize("parts,size", [
    ((frame(0xC0, 300, 200, 0x22, 0x11, 0x11), scan(3)), (300, 200, 0, 0)),
    ((LONG, b"\xff\xff\xff\1\xff\0\xff\xd3", frame(0xC1, 300, 200, 0x11), scan(1)),
     (300, 200, 0, 0)),
    ((scan(3), frame(0xC9, 300, 200, 0x11), b"junk", scan(1)), (300, 200, 0, 0)),
    ((segment(0xC4, bytes(9)), segment(0xC8, bytes(9)), segment(0xCC, bytes(9)),
      frame(0xC0, 300, 200, 0x11), frame(0xC2, 9, 9, 0x11), scan(1)), (300, 200, 0, 0)),
    # Coefficients: two bytes each, of as many as the components have beside the largest.
    ((frame(0xC0, 300, 200, 0x42, 0x21, 0x12), scan(1)), (300, 200, 2 * 12 / 8, 0)),
    ((frame(0xC2, 300, 200, 0x22, 0x11, 0x11), scan(3)), (300, 200, 3, 0)),
    ((frame(0xC2, 300, 200, 0x18, 0x11), scan(2)), (300, 200, 2 * 9 / 8, 0)),
    ((frame(0xCF, 300, 200, 0x00), scan(1)), (300, 200, 0, 0)),
    ((frame(0xCA, 300, 200, 0x11), *[scan(1)] * 200), (300, 200, 2, 0)),
])
def test_a_jpeg(parts, size):
    data = SOI + b"".join(parts)
    assert h.jpeg(data) == size
    broken(h.jpeg, data[:data.rindex(b"\xff\xda")] if len(parts) < 9 else data + scan(1))


def test_a_jpeg_of_parts_that_are_missing():
    for parts in ((), (scan(1),), (frame(0xC0, 9, 9, 0x11),), (segment(0xDB, bytes(64)), scan(1))):
        broken(h.jpeg, SOI + b"".join(parts), "no frame and scan")
    broken(h.jpeg, SOI + segment(0xC0, b"\x08\0\x09\0\x09\x63") + scan(1), "ends within")


def test_segments():
    assert list(h._segments(b"\xff\xe1\0\2", 0)) == [(0xE1, 2)]
    assert list(h._segments(b"\0\0\xff\xe1\0\2\xff\xe2\1\0")) == [(0xE1, 4), (0xE2, 8)]
    assert list(h._segments(b"\xff\xe1\0\2")) == list(h._segments(b"\0\0\xff\xe1\0")) == []
    # What a segment holds is passed, to its last byte and no further.
    inside = segment(0xE3, b"\xff\xe5\0\2" * 100 + b"\xff")
    assert list(h._segments(inside + b"\xe6\0\2" + segment(0xE4), 0)) == [(0xE3, 2), (0xE4, 410)]
    for fill, found in ((19_999, 1), (20_000, 0)):
        data = b"\xff" * fill + b"\xff\xe1\0\2"
        assert len(list(h._segments(data, 0))) == found


def gif(flags, *blocks, palette=0):
    head = b"GIF89a" + struct.pack("<HHBBB", 100, 50, flags, 0, 0)
    return head + bytes(palette) + b"".join(blocks)


def image(left, top, width, height):
    return b"," + struct.pack("<HHHH", left, top, width, height) + b"\0"


NOTE = b"!\xfe\2,,\1,\0"
"""An extension whose blocks hold what begins a picture."""


@pytest.mark.parametrize("data,size", [
    (gif(0, image(0, 0, 9, 9)), (100, 50)), (gif(7, image(20, 10, 300, 200)), (320, 210)),
    (gif(0x80, image(0, 0, 101, 51), palette=6), (101, 51)),
    (gif(0x81, image(0, 0, 101, 51), palette=12), (101, 51)),
    (gif(0x82, NOTE, NOTE, image(99, 49, 2, 2), palette=24), (101, 51)),
    (gif(0, *[b"!,\0"] * 9999, image(0, 0, 300, 200)), (300, 200)),
])
def test_a_gif(data, size):
    assert h.gif(data) == (*size, 0, 0)


@pytest.mark.parametrize("data", [
    gif(0), gif(0, b";"), gif(0, b";,\0", image(0, 0, 9, 9)), gif(0, NOTE[:4]), gif(0, b"!\xfe\1"),
    gif(0, *[b"!,\0"] * 10_000, image(0, 0, 300, 200))])
def test_a_gif_without_a_picture(data):
    broken(h.gif, data, "no picture")


def test_a_gif_that_ends():
    broken(h.gif, gif(0)[:10], "ends within")
    broken(h.gif, gif(0, image(0, 0, 9, 9)[:8]), "ends within")


FORMS = {1: "B", 3: "H", 4: "I", 16: "Q"}


def tiff(tags, order="<", big=False, count=None):
    """Tags (number, kind, values); values that do not fit are behind them, as the form says."""
    room, word = (8, "Q") if big else (4, "I")
    at = 16 if big else 8
    head = b"II" if order == "<" else b"MM"
    out = (head + struct.pack(f"{order}HHHQ", 43, 8, 0, at) if big
           else head + struct.pack(f"{order}HI", 42, at))
    out += struct.pack(order + ("Q" if big else "H"), len(tags) if count is None else count)
    more, behind = b"", len(out) + len(tags) * (20 if big else 12)
    for number, kind, values in tags:
        packed = struct.pack(f"{order}{len(values)}{FORMS.get(kind, 'B')}", *values)
        if len(packed) > room:
            packed, more = struct.pack(order + word, behind + len(more)), more + packed
        out += struct.pack(f"{order}HH{word}", number, kind, len(values))
        out += packed.ljust(room, b"\0")
    return out + more


SIZE = [(256, 3, [300]), (257, 4, [200])]
EVERY = [pytest.param(order, big, id=f"{order}{big}") for order in "<>" for big in (False, True)]


@pytest.mark.parametrize("order,big", EVERY)
def test_a_tiff(order, big):
    def fixed(*tags):
        found = h.tiff(tiff([*SIZE, *tags], order, big))
        assert found[:3] == (300, 200, 0)
        return found.fixed
    assert fixed() == 300 * 200
    assert fixed((258, 3, [16]), (277, 3, [3]), (278, 3, [10])) == 300 * 10 * 6
    assert fixed((258, 3, [4, 4, 4, 4, 4]), (278, 4, [999])) == 300 * 200 / 2
    for bits16 in ((258, 1, [16] * 9), (258, 16, [16]), (258, 16, [16] * 2)):
        assert fixed(bits16) == 120_000
    # Values that just fit stand in their entry, others elsewhere.
    for kind, size in ((1, 1), (3, 2), (4, 4)):
        for count in (8 // size, 8 // size + 1, 4 // size, 4 // size + 1):
            assert fixed((278, kind, [9] * count)) == 2700
    assert fixed((278, 3, [10]), (322, 3, [64]), (323, 4, [32])) == 2 * 64 * 32
    assert fixed((278, 3, [10]), (322, 3, [50]), (323, 4, [30])) == 3000
    assert fixed((278, 3, [1]), (322, 4, [9999])) == fixed((278, 3, [1]), (323, 4, [9999])) == 300
    huge = [(n, 4, [(1 << 32) - 1]) for n in (322, 323)]
    assert fixed(*huge) == 1 << 62
    # What has another kind, or no value, is not read.
    assert fixed((278, 5, [1] * 8), (278, 99, [1]), (278, 3, [])) == 60_000


@pytest.mark.parametrize("order,big", EVERY)
def test_a_tiff_that_ends(order, big):
    whole = tiff([*SIZE, (258, 1, [8] * 9)], order, big)
    assert h.tiff(whole)[:2] == (300, 200)
    for cut in (3, 9, len(whole) - 30, len(whole) - 9):
        broken(h.tiff, whole[:cut], "ends within")
    assert h.tiff(tiff(SIZE[:1], order, big))[:2] == (300, 0)
    assert h.tiff(tiff(SIZE[1:], order, big))[:2] == (0, 200)
    broken(h.tiff, tiff(SIZE, order, big, count=9), "ends within")


def stated(kind, values):
    """A TIFF with a tag that says how many values it has; they stand at its start."""
    return (b"II" + struct.pack("<HIH", 42, 8, 2) + struct.pack("<HHIHxx", 256, 3, 1, 300)
            + struct.pack("<HHII", 273, kind, values, 0))


def test_a_tag_of_many_values():
    for kind in (3, 4, 5, 8, 9, 10, 11, 12, 13, 16, 17, 18):
        assert h.tiff(stated(kind, 131_072)).width == 300
        broken(h.tiff, stated(kind, 131_073), "tag 273 has 131073 values")
    for kind in (1, 2, 6, 7, 99):
        assert h.tiff(stated(kind, 131_073)).width == 300


def test_a_directory_of_many_tags():
    """65536 are looked at, which is as many as a small TIFF can have."""
    entry = struct.pack("<HHQQ", 1, 3, 0, 0)
    head = b"II" + struct.pack("<HHHQQ", 43, 8, 0, 16, 65_537)
    tall, wide = (struct.pack("<HHQQ", tag, 3, 1, 300) for tag in (257, 256))
    assert h.tiff(head + entry * 65_535 + tall + wide)[:2] == (0, 300)


def box(name, body=b"", length=None):
    return struct.pack(">I4s", 8 + len(body) if length is None else length, name) + body


def test_boxes():
    def found(data, at=0, end=None, **kw):
        return list(h.boxes(data, at, len(data) if end is None else end, **kw))
    two = box(b"abcd", b"12") + box(b"efgh")
    assert found(two) == [(b"abcd", 8, 10), (b"efgh", 18, 18)]
    assert found(two, 10) == found(two + bytes(7), 10) == [(b"efgh", 18, 18)]
    assert found(two, end=17) == [(b"abcd", 8, 10)] and found(two, end=9) == []
    assert found(box(b"last", b"123", 0)) == [(b"last", 8, 11)]
    long = struct.pack(">I4sQ", 1, b"long", 19) + b"123"
    assert found(long + two) == [(b"long", 16, 19), (b"abcd", 27, 29), (b"efgh", 37, 37)]
    assert found(struct.pack(">I4sQ", 1, b"long", 16)) == [(b"long", 16, 16)]
    for wrong in (b"\0\0\0\1abc", box(b"less", length=7), box(b"more", length=9),
                  box(b"two ", length=2), struct.pack(">I4sQ", 1, b"long", 15)):
        assert found(wrong) == []
    many = box(b"many") * 20_001
    assert len(found(many)) == 20_000
    steps = iter(range(5))
    assert len(found(many, steps=steps)) == 5 and found(many, steps=steps) == []


def test_jpeg_2000():
    stream = b"\xff\x4f\xff\x51" + bytes(4) + struct.pack(">8IH", 340, 230, 40, 30, 1, 2, 3, 4, 5)
    whole = box(b"jP  ", b"\r\n\x87\n") + box(b"jp2c", stream)
    for data in (stream, whole):
        assert h.jp2(data) == (300, 200, 25.0, 0)
        broken(h.jp2, data[:-1])
    for data in (b"", box(b"jP  ", stream), box(b"jp2c", b"\xff\x4f\xff\x52" + stream[4:])):
        broken(h.jp2, data, "no codestream")


def bits(*fields):
    """A JPEG XL's first fields, (value, bits) each, the first in the lowest bits."""
    out = at = 0
    for value, width in fields:
        out, at = out | value << at, at + width
    return b"\xff\x0a" + out.to_bytes(12, "little")


def side(value):
    select = next(i for i, w in enumerate((9, 13, 18, 30)) if value <= 1 << w)
    return (select, 2), (value - 1, (9, 13, 18, 30)[select])


@pytest.mark.parametrize("height,width", [
    (1, 512), (513, 8192), (8192, 513), (8193, 1 << 18), ((1 << 18) + 1, 1 << 30), (1 << 30, 1)])
def test_a_jpeg_xl_of_any_size(height, width):
    stream = bits((0, 1), *side(height), (0, 3), *side(width))
    assert h.jxl(stream) == (width, height, 0, 0)
    boxes = box(b"JXL ", b"\r\n\x87\n")
    assert h.jxl(boxes + box(b"jxlc", stream))[:2] == (width, height)
    assert h.jxl(boxes + box(b"jxlp", bytes(4) + stream))[:2] == (width, height)
    for data in (b"", b"\xff\x0b" + stream[2:], boxes, boxes + box(b"jxlc", bytes(4) + stream),
                 boxes + box(b"jxlp", stream)):
        broken(h.jxl, data, "no codestream")


@pytest.mark.parametrize("ratio,width", [*enumerate((104, 240, 288, 320, 360, 426, 300, 480))])
def test_a_small_jpeg_xl(ratio, width):
    """Sides of whole eights, the width by its ratio to the height, or for itself."""
    assert h.jxl(bits((1, 1), (29, 5), (ratio, 3), (12, 5)))[:2] == (width, 240)
    large = bits((0, 1), *side(600), (ratio, 3), *side(1040))
    assert h.jxl(large)[:2] == ((1040, 600, 720, 800, 900, 1066, 750, 1200)[ratio], 600)
