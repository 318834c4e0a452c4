# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a run on Daft is made of, without Daft: what URLs mean, and what a worker answers."""

import numpy as np
import pytest

from efm3 import Efm3Error, untrained
from efm3.bulk import _frames, _places
from efm3.bulk._actor import COUNT, Actor, read_answer
from efm3.bulk._places import Places, Url
from efm3.bulk.inputs import Inputs
from efm3.bulk.rows import Maker, Plan
from efm3.conformance import sample
from efm3.findings import Finding
from efm3.pictures import MAX_FILE
from efm3.version import __version__

NEEDS = ("pyarrow",)
MODEL = untrained.dumps(sample.ARCH, 1)
DIM = sample.ARCH.embedding_dim
PLAN = {"align": False, "resize": False}


@pytest.fixture
def store(monkeypatch):
    """Listings by pattern; the patterns that were asked for."""
    asked = []
    places = [("a.jpg", 5), (".b.jpg", 5), ("c/.d/e.jpg", 5), ("c/f.PNG", None), ("g.txt", 5),
              ("h.tar", 5), ("i.jpg", MAX_FILE + 1), ("j#1 %?.jpg", MAX_FILE)]

    def listed(pattern):
        asked.append(pattern)
        return ((f"s3://bucket/x/{name}", size) for name, size in places)

    monkeypatch.setattr(_places, "_listed", listed)
    return asked


def told(item):
    return item.name.rpartition("/")[2], item.source.code if isinstance(item.source, Finding) \
        else type(item.source)


def test_a_folder_of_a_store_is_its_pictures(store):
    inputs = Places(["s3://bucket/x/"])
    assert [told(i) for i in inputs.pictures()] == [
        ("a.jpg", Url), ("f.PNG", Url), ("i.jpg", "F011"), ("j#1 %?.jpg", Url)]
    assert store == ["s3://bucket/x/**"]
    assert inputs.skipped == {"hidden": 2, "other files": 1, "archives in folders": 1}
    assert inputs.count() is None


def test_which_urls_are_listed(store):
    """A store's pattern is; another URL is one picture, and so is each line of a list."""
    list(Places(["gs://b/*.jpg", "az://b/[ab].jpg", "S3://b/{c,d}/", "abfss://b/e/"]).pictures())
    assert store == ["gs://b/*.jpg", "az://b/[ab].jpg", "S3://b/{c,d}/**", "abfss://b/e/**"]
    store.clear()
    urls = ["s3://b/a.jpg", "https://h/a.jpg?size=*", "https://h/folder/", "s3://b/x.tar.gz",
            "https://h/x.zip?a=b"]
    assert [told(i)[1] for i in Places(urls).pictures()] == [Url, Url, Url, "B015", "B015"]
    assert not store


def test_lists_and_paths_beside_urls(tmp_path, store):
    (tmp_path / "a.npy").write_bytes(b"")
    (tmp_path / "list").write_text(f"s3://b/q?*.jpg\n{tmp_path}/a.npy\ns3://b/x.tar\n")
    inputs = Places([tmp_path / "a.npy", "s3://b/k.jpg"], str(tmp_path / "list"))
    found = list(inputs.pictures(lambda name: name == "s3://b/k.jpg"))
    assert [told(i) for i in found] == [
        ("a.npy", str), ("q?*.jpg", Url), ("a.npy", str), ("x.tar", "B015")]
    assert inputs.passed == 1 and not store
    assert Places([tmp_path / "a.npy"], str(tmp_path / "list")).count() == 4
    with pytest.raises(Efm3Error, match="B011"):
        Inputs(["s3://b/k.jpg"])


class Series:
    """As much of Daft's as an actor uses."""

    def __init__(self, values, kind):
        import pyarrow as pa

        self._array = pa.array(values, kind)

    def to_arrow(self):
        return self._array


def asked(actor, pictures, first=0):
    """What the actor answers to (name, path, data) each."""
    names, paths, data = zip(*pictures, strict=True)
    n = len(names)
    return actor.answers(Series(range(first, first + n), "int64"), Series(names, "string"),
                         Series(paths, "binary"), Series(data, "binary")).to_pylist()


def test_an_answer_is_the_rows_of_a_batch(tmp_path):
    pixels = untrained.images(1, 2)
    name = tmp_path / "a#%.npy"
    np.save(name, pixels[0])
    np.save(tmp_path / "b.npy", pixels[1])
    data = (tmp_path / "b.npy").read_bytes()
    first, *rest = asked(Actor(__version__, MODEL, PLAN), [
        ("a", bytes(name), None), ("b", None, data), ("c", None, None)], 7)
    assert rest == [None, None]
    positions, words, body = read_answer(first)
    assert positions == [7, 8, 9]
    a, b, c = _frames.answered(words, body, ["a", "b", "c"], DIM)
    for made, want in zip((a, b), Maker(MODEL, Plan()).made([("a", str(name)), ("b", data)]),
                          strict=True):
        assert made.rows[0].embedding.tobytes() == want.rows[0].embedding.tobytes()
    assert (c.rows[0].error, c.rows[0].reason) == ("B015", "it could not be downloaded")


@pytest.mark.parametrize("arguments,match", [
    (("0.0.0", MODEL, PLAN), "B016 .*a worker has efm3 .*, and the run 0.0.0"),
    ((__version__, b"EFM3", PLAN), "E_"),
    ((__version__, MODEL, {"no": 1}), "B016 .*a worker fails: TypeError"),
])
def test_what_concerns_all_pictures_is_a_refusal(arguments, match):
    first, second = asked(Actor(*arguments), [("a", None, b""), ("b", None, b"")])
    assert second is None
    _, words, body = read_answer(first)
    with pytest.raises(Efm3Error, match=match):
        _frames.answered(words, body, [], DIM)


def test_a_worker_that_is_not_wanted_fails(tmp_path):
    with pytest.raises(InterruptedError):
        asked(Actor(__version__, MODEL, PLAN, str(tmp_path / "gone")), [("a", None, b"")])


@pytest.mark.parametrize("data", [
    b"", b"\0" * 7, COUNT.pack(1), COUNT.pack(1 << 63), COUNT.pack(0), COUNT.pack(0) + b"x" * 15,
    COUNT.pack(0) + _frames.frame({"a": 1})[:-1], COUNT.pack(0) + b"\xff" * 16])
def test_an_answer_that_is_cut(data):
    with pytest.raises(_frames.Garbled):
        read_answer(data)
