# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a network takes: .npy arrays and encoded pictures, from files and from bytes."""

import io

import numpy as np
import pytest

from efm3 import Efm3Error, pictures, untrained
from efm3.pictures.load import array, contents, crop
from efm3.source import Unreadable

PIXELS = untrained.images(3, 1)[0]


def npy(value, **kw):
    buffer = io.BytesIO()
    np.save(buffer, value, **kw)
    return buffer.getvalue()


def refused(data, **kw):
    with pytest.raises(Efm3Error) as e:
        crop(data, place="a name", **kw)
    assert e.value.path == "a name"
    return e.value.code


def test_an_array_is_taken_as_it_is(tmp_path):
    for value in (PIXELS, np.asfortranarray(PIXELS)):
        assert np.array_equal(crop(npy(value)).pixels, PIXELS)
    (tmp_path / "a.npy").write_bytes(npy(PIXELS) + b"more")
    assert np.array_equal(crop(str(tmp_path / "a.npy"), align=None).pixels, PIXELS)
    # No face is looked for in it.
    assert crop(npy(PIXELS), align=lambda data, place: pytest.fail("looked")).notes == ()


@pytest.mark.parametrize("value,code", [
    (np.zeros((10, 10, 3), np.uint8), "F012"), (np.zeros((112, 112, 3)), "F012"),
    (np.zeros((2, 112, 112, 3), np.uint8), "F012"), (np.array([{}], object), "F012"),
])
def test_other_arrays_are_refused_by_their_header(value, code):
    assert refused(npy(value, allow_pickle=True)) == code


def test_damaged_arrays():
    whole = npy(PIXELS)
    assert refused(whole[:-1]) == "F010"
    assert refused(whole[:40]) == "F010"
    assert refused(b"\x93NUMPY\1\0\x20\0" + b"(" * 32) == "F010"
    with pytest.raises(Efm3Error, match="F010 x"):
        array(b"nothing", "x")
    # A header that promises 10^15 pictures is refused before anything is allocated.
    huge = whole.replace(b"(112, 112, 3)", b"(10**15,)    ", 1)
    assert refused(huge) in ("F010", "F012")


def test_the_header_of_an_array():
    """Of any version; one of 4096 bytes is the longest."""
    for version in ((1, 0), (2, 0), (3, 0)):
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, PIXELS, version)
        assert np.array_equal(crop(buffer.getvalue()).pixels, PIXELS)
    whole = npy(PIXELS)
    text = whole[10:whole.index(b"\n")]
    for length in (4096, 4097):
        padded = text.ljust(length - 11) + b"\n"
        data = b"\x93NUMPY\1\0" + len(padded).to_bytes(2, "little") + padded + PIXELS.tobytes()
        if length == 4096:
            assert np.array_equal(crop(data).pixels, PIXELS)
        else:
            assert refused(data) == "F010"


def test_encoded_pictures(tmp_path):
    image = pytest.importorskip("PIL.Image", reason="Pillow is an extra")
    path = tmp_path / "a.png"
    image.fromarray(PIXELS).save(path)
    assert np.array_equal(crop(str(path)).pixels, PIXELS)
    assert np.array_equal(crop(contents(str(path)), place="b").pixels, PIXELS)
    image.fromarray(PIXELS).resize((50, 50)).save(path)
    assert refused(path.read_bytes()) == "F012"
    assert crop(str(path), resize=True).pixels.shape == (112, 112, 3)
    found = crop(str(path), align=lambda data, place: pictures.Picture(PIXELS, (place,)))
    assert found.notes == (str(path),)


def test_what_is_no_file(tmp_path):
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(Unreadable):
            crop(str(path))
