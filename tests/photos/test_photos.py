# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`--align`: encoded photographs to the crop of one face, and which face that is."""

import io

import numpy as np
import pytest
from PIL import Image

from efm3 import photos
from efm3.photos import Aligner, Face, choose
from efm3.photos.align import TEMPLATE
from efm3.pictures import BadPicture

NEEDS = ("PIL",)

PICTURE = np.random.default_rng(5).integers(0, 256, (150, 200, 3), np.uint8)


def face(x, y, size=1.0):
    box = np.array([x - 20 * size, y - 25 * size, x + 20 * size, y + 25 * size])
    return Face(box, (np.array(TEMPLATE) - 56) * size + (x, y), 0.9)


class Known:
    """A detector that finds the same faces everywhere."""

    name = "known"

    def __init__(self, *faces):
        self.faces, self.rests = list(faces), 0

    def rest(self):
        self.rests += 1

    def detect(self, rgb):
        return self.faces


def encoded(pixels=PICTURE, **kw):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", **kw)
    return buffer.getvalue()


def test_the_crop():
    crop, notes = Aligner(Known(face(100, 75)))(encoded(), "a.png")
    # The template's point 56 lies at 100, 75 and nothing is scaled: a cut.
    assert np.array_equal(crop, PICTURE[19:131, 44:156]) and notes == ()


def test_orientation_comes_first():
    """The faces are those of the upright picture."""
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encoded(np.ascontiguousarray(np.rot90(PICTURE)), exif=exif)
    crop, _ = Aligner(Known(face(100, 75)))(turned)
    assert np.array_equal(crop, PICTURE[19:131, 44:156])


def test_none_and_several():
    with pytest.raises(BadPicture) as e:
        Aligner(Known())(encoded(), "a.png")
    assert e.value.code == "F013" and e.value.path == "a.png"
    many = Known(face(100, 75), face(30, 75, 2))
    with pytest.raises(BadPicture, match=r"2 faces, of .*40x50.* --face largest") as e:
        Aligner(many)(encoded(), "a.png")
    assert e.value.code == "F014" and "\n" not in str(e.value)
    crop, notes = Aligner(many, "central")(encoded(), "a.png")
    assert np.array_equal(crop, PICTURE[19:131, 44:156]) and notes == ("the central of 2 faces",)
    _, notes = Aligner(many, "largest")(encoded(), "a.png")
    assert notes[0] == "the largest of 2 faces" and "cut by the border" in notes[1]


def test_every_face():
    """All, the largest first, each with its own crop and notes."""
    many = Known(face(30, 75, 2), face(100, 75))
    found = Aligner(many, "all").every(encoded(), "a.png")
    assert [f.centre for _, f in found] == [(30, 75), (100, 75)]
    assert [len(picture.notes) for picture, _ in found] == [1, 0]
    assert np.array_equal(found[1][0].pixels, PICTURE[19:131, 44:156])
    assert Aligner(many, "all")(encoded()).notes == found[0][0].notes
    ((picture, one),) = Aligner(many, "central").every(encoded())
    assert one.centre == (100, 75) and picture.notes == ("the central of 2 faces",)
    for which, code, faces in (("all", "F013", ()), ("one", "F014", many.faces)):
        with pytest.raises(BadPicture) as e:
            Aligner(Known(*faces), which).every(encoded(), "a.png")
        assert e.value.code == code and e.value.path == "a.png"


def test_the_detector_rests_while_a_large_photograph_is_decoded():
    known = Known(face(100, 75))
    align = Aligner(known)
    align(encoded())
    assert known.rests == 0
    align(encoded(np.zeros((1900, 1900, 3), np.uint8)))
    assert known.rests == 1


def test_a_jpeg_is_decoded_smaller_where_another_form_is_as_it_is(monkeypatch):
    wide = np.zeros((200, 400, 3), np.uint8)
    monkeypatch.setattr(photos, "DECODED", 400 * 200 * 7 - 1)
    for form, size in (("JPEG", (100, 200)), ("PNG", (200, 400))):
        data = io.BytesIO()
        Image.fromarray(wide).save(data, form)
        picture = photos.photograph(data.getvalue(), Known())
        assert picture.pixels.shape[:2] == size
        assert any("1/2" in note for note in picture.notes) == (form == "JPEG")


def test_choice():
    left, right = face(30, 50), face(150, 60, 0.5)
    assert choose([left, right], "largest", 200, 100, "") == [left]
    assert choose([left, right], "central", 200, 100, "") == [right]
    assert choose([left], "one", 200, 100, "") == [left]
    assert choose([right, left], "all", 200, 100, "") == [right, left]
    crowd = [face(k, 0) for k in range(500)]
    with pytest.raises(BadPicture, match=r"500 faces.* \.\.\. pixels") as e:
        choose(crowd, "one", 200, 100, "")
    assert len(e.value.finding.message) < 300


def at(x, y):
    return Face(np.array([x - 5, y - 5, x + 5, y + 5.0]), np.zeros((5, 2)), 1.0)


@pytest.mark.parametrize("near,far", [
    ((99.0, 49.5), (100.1, 49.5)), ((100.0, 49.5), (98.9, 49.5)),
    ((99.5, 49.0), (99.5, 50.1)), ((99.5, 50.0), (99.5, 48.9))])
def test_the_middle_is_between_the_first_pixel_and_the_last(near, far):
    """Of 200x100 pixels (99.5, 49.5): a centre half a pixel away is nearer than one of 0.6."""
    for faces in ([at(*near), at(*far)], [at(*far), at(*near)]):
        (found,) = choose(faces, "central", 200, 100, "")
        assert found.centre == near


def test_how_many_faces_are_named():
    assert (photos.DECODED, photos.MOST_NAMED) == (117_440_512, 9)
    for count, more in ((9, False), (10, True)):
        with pytest.raises(BadPicture) as e:
            choose([at(k, 0) for k in range(count)], "one", 200, 100, "")
        assert e.value.finding.message.count("10x10") == 9
        assert (" ... pixels" in e.value.finding.message) == more


def test_a_photograph_is_named_by_its_path(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded())
    with pytest.raises(BadPicture) as e:
        Aligner(Known())(str(tmp_path / "a.png"))
    assert e.value.path == str(tmp_path / "a.png")
