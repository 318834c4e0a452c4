# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Sets of pairs from pickles, pairs files and arrays, and what is refused."""


import io
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from efm3 import Efm3Error, untrained
from efm3.evaluation import from_arrays, open_pairs
from efm3.evaluation.sets import contiguous
from efm3.pictures import BadPicture

NEEDS = ("PIL",)

PICTURES = untrained.images(3, 4)
SAME = [True, False] * 6


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


ENCODED = [png(p) for p in PICTURES]


def refused(code, *args, **kw):
    with pytest.raises(Efm3Error) as e:
        open_pairs(*args, **kw)
    assert e.value.code == code, str(e.value)
    return e.value.finding


def dumped(pictures, answers, protocol=2):
    return pickle.dumps((pictures, answers), protocol)


def test_a_pickled_set():
    order = [0, 1, 2, 3, 0, 2, 3, 3] * 3
    for protocol in (2, 3, 4):
        got = open_pairs(dumped([ENCODED[i] for i in order], SAME, protocol))
        # Equal pictures are one.
        assert got.count == 4 and got.folds == 10
        assert got.first.tolist() == order[::2] and got.second.tolist() == order[1::2]
        assert got.same.tolist() == SAME and got.fold.tolist() == [0, 0, 1, 1, *range(2, 10)]
        assert all(np.array_equal(got.load(i), PICTURES[i]) for i in range(4))
        assert got.title(2) == "<bytes>, picture 2"
        flags = open_pairs(dumped([ENCODED[i] for i in order], np.array(SAME), protocol))
        assert flags.same.tolist() == SAME


@pytest.mark.parametrize("value", [
    ENCODED, "text", (ENCODED,), (ENCODED * 6, SAME, 1), (ENCODED * 6, True), (3, SAME),
    (ENCODED * 6, SAME[:-1]), (["text"] * 24, SAME), ([[]] * 24, SAME), (ENCODED * 6, [2] * 12),
    (ENCODED * 6, ["x"] * 12), (ENCODED * 6, [None] * 12), ([None] * 24, SAME),
])
def test_pickles_of_something_else(value):
    assert refused("F001", pickle.dumps(value, 2)).message


def test_numbers_of_pictures_and_answers_must_fit():
    finding = refused("F001", dumped(ENCODED * 6, SAME[:-1]))
    assert (finding.found, finding.expected) == ("24", "22")


def test_a_pickle_of_laughs():
    steps = b"".join(b"](" + b"h%c" % i * 10 + b"eq%c" % (i + 1) for i in range(200))
    data = b"\x80\x02](]q\x00" + steps + b"e]\x88a\x86."
    refused("F001", data)


def test_too_few_pairs():
    refused("F007", dumped(ENCODED * 4, [True, False] * 4))
    refused("F007", dumped(ENCODED * 6, [True] * 12))
    refused("F007", dumped(ENCODED * 6, [False] * 12))
    refused("F007", dumped([], []))


@pytest.mark.parametrize("data,name", [
    (b"EFM3" + bytes(100), "an EFM3 file"), (b"\xff\xd8\xff\xe0", "a JPEG picture"),
    (b"", "an empty file"), (b"<!DOCTYPE html><title>Sign in</title>", "an HTML page"),
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 9\n",
     "a Git LFS pointer"), (b"PK\3\4" + bytes(40), "a zip archive"),
    (b"Ann\t1\t2\n", "a plain text"),
])
def test_what_is_no_set_is_named(tmp_path, data, name):
    (tmp_path / "lfw.bin").write_bytes(data)
    finding = refused("F001", str(tmp_path / "lfw.bin"))
    assert finding.message.startswith(f"this is {name}") and finding.path.endswith("lfw.bin")
    assert finding.found and finding.expected
    assert finding.message.endswith(
        "; a pairs file's name does not end in .bin") == (name == "a plain text")


@pytest.mark.parametrize("data,code,words", [
    (b"cos\nsystem\n(S'ls'\ntR.", "F002", "os"), (b"\x8f\x11\x9a\x02" * 9, "F002", "opcode"),
    (pickle.dumps("ab", 2), "F001", "the pickle does not hold two things")])
def test_what_a_pickle_must_not_hold_is_said(tmp_path, data, code, words):
    """Also of an old one, which is a plain text, and of what is no kind of file."""
    (tmp_path / "lfw.bin").write_bytes(data)
    assert words in refused(code, str(tmp_path / "lfw.bin")).message


def test_a_picture_is_named_by_its_first_place():
    order = [0, 0, 1, 1, 2, 3, 0, 3]
    got = open_pairs(io.BytesIO(dumped([ENCODED[i] for i in order * 3], SAME)))
    assert [got.title(i).rpartition(" ")[2] for i in range(got.count)] == ["0", "2", "4", "5"]
    assert np.array_equal(got.load(1), PICTURES[1])


def test_photographs_are_given_to_the_aligner():
    given = []

    def align(encoded, place):
        given.append((encoded, place))
        return SimpleNamespace(pixels=PICTURES[3])
    got = open_pairs(dumped([*ENCODED[:3], b"a photograph"] * 6, SAME), align=align)
    assert np.array_equal(got.load(3), PICTURES[3]) and given == [(b"a photograph", "")]


def arrays(pictures, shape=(-1,)):
    return [np.frombuffer(p, np.uint8).reshape(shape).copy() for p in pictures]


ORDER = [0, 1, 2, 3, 0, 2, 3, 3] * 3


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize("form", [
    arrays, lambda p: arrays(p, (-1, 1)), lambda p: arrays(p, (1, -1)),
])
def test_pictures_as_programs_keep_them(protocol, form):
    """OpenCV's imencode gives uint8 [N], before 5.0 [N, 1]."""
    got = open_pairs(dumped(form([ENCODED[i] for i in ORDER]), SAME, protocol))
    assert got.count == 4 and got.same.tolist() == SAME
    assert np.array_equal(got.load(3), PICTURES[3])


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize("kind", ["?", "u1", "i1", "<i2", ">i4", "<i8", ">u8", "<u4"])
def test_answers_of_any_whole_type(protocol, kind):
    answers = np.array(SAME).astype(kind)
    encoded = [ENCODED[i] for i in ORDER]
    for form in (answers, answers[:, None], list(answers)):
        assert open_pairs(dumped(encoded, form, protocol)).same.tolist() == SAME
    two = answers.copy()
    two[5] = 2
    if kind != "?":
        refused("F001", dumped(encoded, two, protocol))


@pytest.mark.parametrize("answers", [np.zeros((3, 4), bool), np.zeros(12), np.array([b"x"] * 12),
                                     np.zeros(12, np.uint8).view("V1")])
def test_answers_of_other_types(answers):
    for protocol in range(2, 6):
        refused("F002", dumped([ENCODED[i] for i in ORDER], answers, protocol))


def test_broken_pictures_are_found_when_loaded():
    got = open_pairs(dumped([*ENCODED[:3], b"junk"] * 6, SAME))
    with pytest.raises(BadPicture):
        got.load(3)
    small = png(PICTURES[0][:50])
    with pytest.raises(BadPicture, match="112x50"):
        open_pairs(dumped([*ENCODED[:3], small] * 6, SAME)).load(3)
    assert open_pairs(dumped([*ENCODED[:3], small] * 6, SAME), resize=True).load(3).shape == (
        112, 112, 3)


@pytest.fixture
def folder(tmp_path):
    """LFW's folders: Ann with pictures 1 and 2, Bob with 1, 2 of other suffixes."""
    for i, name in enumerate(("Ann/Ann_0001.png", "Ann/Ann_0002.png", "Bob_B/Bob_B_0001.bmp",
                              "Bob_B/Bob_B_0002.png")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(PICTURES[i]).save(tmp_path / name)
    return tmp_path


LFW = ["Ann\t1\t2", "Bob_B\t1\t2", "Ann\t1\tBob_B\t1", "Ann\t2\tBob_B\t2"]


def write(folder, lines, name="pairs.txt"):
    (folder / name).write_text("\n".join([*lines, ""]))
    return str(folder / name)


def test_lfw_lines(folder):
    got = open_pairs(write(folder, ["3\t2", *LFW * 3]))
    assert got.count == 4 and got.folds == 3 and got.fold.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert got.same.tolist() == [True, True, False, False] * 3
    assert got.first.tolist() == [0, 2, 0, 1] * 3 and got.second.tolist() == [1, 3, 2, 3] * 3
    assert np.array_equal(got.load(2), PICTURES[2])
    assert open_pairs(str(folder)).count == 4
    # No header, or the header of LFW's training set, which has one number: ten blocks.
    assert open_pairs(write(folder, LFW * 3)).folds == 10
    assert open_pairs(write(folder, ["6", *LFW * 3])).folds == 10


def test_explicit_lines(folder):
    lines = ["# ours", "Ann/Ann_0001.png Ann/Ann_0002.png 1", "",
             "Ann/Ann_0001.png\tBob_B/Bob_B_0001.bmp\t0"] * 5
    got = open_pairs(write(folder, lines))
    assert got.count == 3 and got.same.tolist() == [True, False] * 5 and got.folds == 10
    lines = [f"Ann/Ann_0001.png Ann/Ann_0002.png {k % 2} {k // 4}" for k in range(12)]
    assert open_pairs(write(folder, lines)).fold.tolist() == [k // 4 for k in range(12)]
    (folder / "with space.png").write_bytes(ENCODED[0])
    lines = [f"with space.png\tAnn/Ann_0001.png\t{k % 2}" for k in range(12)]
    assert open_pairs(write(folder, lines)).count == 2


def test_pictures_elsewhere(folder, tmp_path):
    away = tmp_path / "away"
    away.mkdir()
    path = write(away, LFW * 3)
    refused("F005", path)
    got = open_pairs(path, images=str(folder))
    assert got.count == 4
    (folder / "Ann" / "Ann_0001.png").unlink()
    with pytest.raises(BadPicture):
        got.load(0)


@pytest.mark.parametrize("name", ["lfw", "lfw_funneled", "lfw-deepfunneled"])
def test_lfw_as_it_is_unpacked(folder, tmp_path_factory, name):
    """Its folder of people, with pairs.txt in it, beside it, and one folder further up."""
    top = tmp_path_factory.mktemp("sets")
    people = top / name
    folder.rename(people)
    (people / "Ann" / "Ann_0001.png").rename(people / "Ann" / "Ann_0001.JPG")
    inside = write(people, LFW * 3)
    for given in (inside, people):
        assert open_pairs(str(given)).count == 4
    write(top, LFW * 3)
    (people / "pairs.txt").unlink()
    for given in (people, f"{people}/", top, top / "pairs.txt"):
        got = open_pairs(str(given))
        assert np.array_equal(got.load(0), PICTURES[0]), given
        assert [got.title(0)] == [str(people / "Ann" / "Ann_0001.JPG")]
    assert open_pairs(write(top, ["6", *LFW * 3], "pairsDevTest.txt")).count == 4


def test_a_folder_without_pairs(folder):
    finding = refused("F005", str(folder))
    for looked_for in (folder / "pairs.txt", folder.parent / "pairs.txt"):
        assert str(looked_for) in finding.message
    assert finding.path == str(folder) and "--images" in finding.message


@pytest.mark.parametrize("lines", [["2", "3", "Ann\t1"], ["2", "Ann\t1"]])
def test_a_list_of_people(folder, lines):
    """LFW's people.txt, and peopleDevTest.txt."""
    assert "lists people and no pairs" in refused("F004", write(folder, lines)).message


def test_texts_of_other_encodings(folder):
    path = write(folder, LFW * 3)
    text = "\n".join([*LFW * 3, ""])
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        (folder / "pairs.txt").write_bytes(text.encode(encoding))
        assert open_pairs(path).count == 4, encoding
    text = text.replace("Bob_B", "Bjørn")
    for encoding, words, place in (("latin-1", "byte 0xf8 of this text is not UTF-8", ", line 2"),
                                   ("utf-16-le", "UTF-16 without its mark", ""),
                                   ("utf-16-be", "UTF-16 without its mark", "")):
        (folder / "pairs.txt").write_bytes(text.encode(encoding))
        finding = refused("F004", path)
        assert words in finding.message and finding.path == path + place and finding.expected
    (folder / "pairs.txt").write_bytes("Ann".encode("utf-16") + b"\0")
    assert "says UTF-16" in refused("F004", path).message


@pytest.mark.parametrize("line", ["Ann", "Ann 1", "Ann 1 2 3 4", "a.png b.png 2", "a.png b.png",
                                  "a.png b.png 1 x", "<html>", "a.png b.png 1 -1"])
def test_lines_that_are_no_pair(folder, line):
    finding = refused("F004", write(folder, [*LFW * 3, line]))
    assert finding.path.endswith("pairs.txt, line 13") and finding.expected


@pytest.mark.parametrize("lines", [
    ["10 300", *LFW], ["3 1", *LFW * 3],
    [*["Ann/Ann_0001.png Ann/Ann_0002.png 1 0"] * 11, "Ann/Ann_0001.png Ann/Ann_0002.png 0"],
])
def test_numbers_that_do_not_fit(folder, lines):
    refused("F004", write(folder, lines))


def test_folds_with_a_gap(folder):
    lines = [f"Ann/Ann_0001.png Ann/Ann_0002.png {k % 2} {k % 2 * 999999999}" for k in range(12)]
    refused("F001", write(folder, lines))


@pytest.mark.parametrize("name", ["Cid/Cid_0001", "../secret.png", "/etc/passwd",
                                  "Ann/../../secret.png", "Ann", "."])
def test_pictures_that_are_not_there(folder, name):
    inner = folder / "Ann"
    (folder / "secret.png").write_bytes(ENCODED[0])
    lines = [f"{name}\tAnn_0001.png\t{k % 2}" for k in range(12)]
    finding = refused("F005", write(folder, lines), images=str(inner))
    assert finding.path.endswith("line 1") and name in finding.message


def test_arrays():
    got = from_arrays("mine", PICTURES, [0] * 12, [1, 2] * 6, SAME, [0, 1] * 6)
    assert got.folds == 2 and np.array_equal(got.load(2), PICTURES[2])
    one, two = [0] * 12, [1] * 12
    for args in ((PICTURES.astype(float), one, two, SAME), (PICTURES, one[1:], two, SAME),
                 (PICTURES, one, [4] * 12, SAME), (PICTURES, [-1] * 12, two, SAME),
                 (PICTURES, one, two, SAME, one), (PICTURES, one, two, SAME, [0, 2] * 6),
                 (PICTURES, one, two, SAME, [0, 1] * 7), (PICTURES[:, :50], one, two, SAME),
                 (PICTURES, one, two, SAME[1:]), (PICTURES, [one], [two], [SAME])):
        with pytest.raises(Efm3Error) as e:
            from_arrays("mine", *args)
        assert e.value.code == "F001"


def test_contiguous_folds():
    assert contiguous(12).tolist() == [0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert np.bincount(contiguous(6000)).tolist() == [600] * 10
