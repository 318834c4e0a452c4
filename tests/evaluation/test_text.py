# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Pairs files by themselves: what is a text, what a line says, and where a picture is."""

import os

import pytest

from efm3 import Efm3Error
from efm3.evaluation import _text


def refused(code, words, work, *args):
    with pytest.raises(Efm3Error) as e:
        work(*args)
    assert e.value.code == code and words in str(e.value), str(e.value)
    return e.value.finding


@pytest.mark.parametrize("data", [
    b"", b"\x80 abc\n", b"abc.", b"a\x01b", b"a\x1fb", b"a\0bc", b"\0\0\0\0", b"\0a\0\0b\0",
    b"\xff\xd8\xff\xe0", b"a" * 65535 + b"\x01"])
def test_what_is_no_text(data):
    assert _text.of(data, "p") is None


@pytest.mark.parametrize("data,text", [
    (b"a\tb\r\n\x1b", "a\tb\r\n\x1b"), (b"a.b", "a.b"), (b"a" * 65536 + b"\x01", None),
    ("é".encode(), "é"), ("aé".encode("utf-16"), "aé"), (b"\xfe\xff\0a", "a")])
def test_a_text(data, text):
    assert _text.of(data, "p") == (data.decode() if text is None else text)


@pytest.mark.parametrize("data,words,place", [
    (b"a\0", "without its mark", "p"), (b"a\0b\0c\0", "without its mark", "p"),
    (b"\0a\0b\0c", "without its mark", "p"), (b"a\0bc\0d" + b"e\0" * 3, "byte", None),
    (b"\xff\xfea\0b", "byte 4 is not of that", "p"), (b"\xff\xfe\0\xd8", "byte 2 is not", "p"),
    (b"\nBj\xf8rn", "byte 0xf8 of this text", "p, line 2"),
    (b"Bj\xe6rn\n", "byte 0xe6 of this text", "p, line 1")])
def test_a_text_of_another_encoding(data, words, place):
    if place is None:  # no zeros of one side alone
        assert _text.of(data, "p") is None
        return
    assert refused("F004", words, _text.of, data, "p").path == place


@pytest.mark.parametrize("line,row", [
    ("Ann 1 2", ("Ann/Ann_0001", "Ann/Ann_0002", True)),
    ("Ann 1\t2", ("Ann/Ann_0001", "Ann/Ann_0002", True)),
    ("A B\t1\t12", ("A B/A B_0001", "A B/A B_0012", True)),
    (" Ann \t1 \t 2 ", ("Ann/Ann_0001", "Ann/Ann_0002", True)),
    ("1 2 3", ("1/1_0002", "1/1_0003", True)),
    ("Ann 3 Bob 4", ("Ann/Ann_0003", "Bob/Bob_0004", False)),
    ("Ann 3 Bob B\t4\tx\t", None), ("7 3 8 4", ("7/7_0003", "8/8_0004", False)),
    ("a.png b.png 1", ("a.png", "b.png", True)), ("a.png b.png 0", ("a.png", "b.png", False)),
    ("a b.png\tc.png\t1", ("a b.png", "c.png", True)),
    ("Ann 123456789 1", ("Ann/Ann_123456789", "Ann/Ann_0001", True)),
    ("Ann 1234567890 1", ("Ann", "1234567890", True)),
    ("Ann 1 2 3", ("Ann/Ann_0001", "2/2_0003", False)), ("Ann 1", None), ("Ann", None),
    ("a b 2", None), ("a b 1 x", None), ("Ann 1 x", None), ("a b x 1", None), ("Ann 1 2 3 4", None),
    ("Ann x 2", None), ("a b 1 2 3", None)])
def test_a_line(line, row):
    if row is None:
        finding = refused("F004", "", _text.pairs, f"\n{line}\n", "p")
        assert finding.path == "p, line 2"
        return
    rows, fold = _text.pairs(f"# a comment\n\n{line}\n", "p")
    assert rows == [(3, row[:2], row[2])] and fold is None


@pytest.mark.parametrize("line,words", [
    ("Ann 1", "lists people"), ("Ann", "is not a pair"), ("Ann 1 2 3 4", "is not a pair"),
    ("1 2 3 4 5", "is not a pair"), ("a b 2", "is not a pair")])
def test_a_list_of_people_is_told(line, words):
    refused("F004", words, _text.pairs, line, "p")


def test_a_long_line_is_cut():
    finding = refused("F004", "", _text.pairs, "x" * 81, "p")
    assert finding.found == "x" * 80 and finding.message.startswith(f"'{'x' * 80}' is not")
    assert refused("F004", "", _text.pairs, "x" * 80 + "\t1", "p").found == "x" * 80


PAIR = "Ann 1 2"


@pytest.mark.parametrize("head,pairs,fold", [
    ("2 1", 4, [0, 0, 1, 1]), ("1", 2, None), ("1 2", 4, None), ("2", 4, None),
    ("3 2", 12, [0] * 4 + [1] * 4 + [2] * 4)])
def test_the_first_line_says_folds(head, pairs, fold):
    found = _text.pairs("\n".join([head, *[PAIR] * pairs]), "p")[1]
    assert (found if found is None else found.tolist()) == fold


@pytest.mark.parametrize("lines,words", [
    (["2 1", *[PAIR] * 3], "says 2 x 1 pairs"), (["1 2", *[PAIR] * 2], "says 1 x 2 pairs"),
    (["1", PAIR, PAIR, "10 300"], "lists people"),
    ([PAIR, PAIR, "1"], "lists people"), (["1", "1", PAIR], "lists people"),
    (["a b 1 0", "a b 0"], "1 of 2 lines"), (["Ann 1", PAIR], "lists people")])
def test_what_does_not_fit(lines, words):
    refused("F004", words, _text.pairs, "\n".join(lines), "p")


def test_folds_of_the_lines():
    rows, fold = _text.pairs("\ufeffa b 1 7\na c 0 0", "p")
    assert fold.tolist() == [7, 0] and [r[0] for r in rows] == [1, 2]


def test_where_pictures_are(tmp_path, monkeypatch):
    for name in ("lfw", "one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "lfw-deepfunneled").write_bytes(b"")
    top = str(tmp_path)
    assert _text.roots(top) == [top, os.path.join(top, "lfw")]
    one, two = (str(tmp_path / n) for n in ("one", "two"))
    for name in ("b.jpg", "c.JPEG", "c.png", "d.PNG"):
        (tmp_path / "two" / name).write_bytes(b"")
    assert _text.root(["b.jpg", "x"], [one, two]) == two == _text.root(["b"], [one, two])
    assert _text.root(["x"], [one, two]) == one == _text.root([], [one, two])
    for name, found in (("b.jpg", "b.jpg"), ("b", "b.jpg"), ("c", "c.png"), ("d", "d.PNG")):
        assert _text.find(name, two, "p") == os.path.join(two, found)
    monkeypatch.chdir(tmp_path)
    assert _text.find("two/b", ".", "p") == os.path.join("two", "b.jpg")


@pytest.mark.parametrize("name,words", [
    ("x", "no picture x in"), (".", "no picture"), ("../b", "is not below"), ("..", "is not below"),
    ("in/../../b", "is not below"), ("..b", "no picture ..b")])
def test_no_picture(tmp_path, name, words):
    (tmp_path / "b").write_bytes(b"")
    (tmp_path / "in").mkdir()
    refused("F005", words, _text.find, name, str(tmp_path / "in"), "p")


def test_an_absolute_name_is_not_below(tmp_path):
    (tmp_path / "b").write_bytes(b"")
    refused("F005", "is not below", _text.find, str(tmp_path / "b"), str(tmp_path), "p")


def test_the_pairs_of_a_folder(tmp_path, monkeypatch):
    """In it before beside it."""
    inner = tmp_path / "in"
    inner.mkdir()
    refused("F005", "a folder without pairs", _text.within, str(inner))
    (tmp_path / "pairs.txt").write_bytes(b"")
    assert _text.within(str(inner)) == str(tmp_path / "pairs.txt")
    monkeypatch.chdir(inner)
    assert _text.within(".") == str(tmp_path / "pairs.txt")
    (inner / "pairs.txt").write_bytes(b"")
    assert _text.within(str(inner)) == str(inner / "pairs.txt")
