# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The pictures of a run: folders, patterns, lists and archives, hostile ones too."""

import gzip
import io
import os
import struct
import sys
import tarfile
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efm3 import Efm3Error
from efm3.bulk import Inputs
from efm3.bulk import inputs as module
from efm3.findings import Finding
from efm3.source import Unreadable


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Pictures in folders, and what is none; names as they stand in the current folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("d/z.jpg", "d/a/1.JPG", "d/a/b/2.png", "d/a/b/[x].npy", "d/a/t.txt",
                 "d/.hidden/x.jpg", "d/a/.q.png", "d/a/shard.tar"):
        os.makedirs(os.path.dirname(name), exist_ok=True)
        with open(name, "w"):
            pass
    os.symlink("..", "d/a/loop")
    os.symlink("1.JPG", "d/a/link.jpg")
    return tmp_path


def names(*paths, skip=None, **kw):
    found = Inputs(paths, **kw)
    return [i.name for i in (found.pictures(skip) if skip else found.pictures())]


def codes(found):
    return [(i.name, i.source.code) for i in found.pictures() if isinstance(i.source, Finding)]


BELOW = ["d/a/1.JPG", "d/a/b/2.png", "d/a/b/[x].npy", "d/a/link.jpg", "d/z.jpg"]


def test_folders(tree):
    found = Inputs(["d"])
    assert [i.name for i in found.pictures()] == BELOW == [i.source for i in found.pictures()]
    assert found.skipped == {"hidden": 2, "linked folders": 1, "other files": 1,
                             "archives in folders": 1}
    assert found.count() == len(BELOW)
    assert names("d/") == BELOW and names("./d") == [f"./{n}" for n in BELOW]
    assert names(tree / "d" / "a" / "b") == [f"{tree}/d/a/b/2.png", f"{tree}/d/a/b/[x].npy"]


@pytest.mark.parametrize("pattern,found", [
    ("d/**/*.png", ["d/a/b/2.png"]), ("d/*.jpg", ["d/z.jpg"]),
    ("d/**", [*BELOW[:4], "d/a/shard.tar", BELOW[4]]),
    ("*/*/*", ["d/a/1.JPG", "d/a/link.jpg", "d/a/shard.tar"]), ("d/**/**/a/**/2.*", BELOW[1:2]),
    ("[d]/z.jp?", ["d/z.jpg"]), ("d/a/b/[x].npy", ["d/a/b/[x].npy"]), ("**/[12].*", BELOW[:2]),
    ("x/*.jpg", None), ("d/*.gif", []), ("d/**/a/1.JPG", BELOW[:1]),
])
def test_patterns(tree, pattern, found):
    """Each file once, in the order of a folder's; a name with signs that exists is that file."""
    if found is None:
        assert codes(Inputs([pattern])) == [("x/", "IO001")]
        return
    assert [f for f in Inputs([pattern])._found()] == found


def test_a_pattern_is_never_slow(tmp_path):
    """Steps, not time: a pattern of many stars is one walk."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.jpg").write_bytes(b"")
    assert names(f"{tmp_path}/" + "**/*/" * 12 + "x.jpg") == []
    assert len(names(f"{tmp_path}/" + "**/" * 60 + "*.jpg")) == 1


def test_what_is_named_is_taken(tree):
    assert names("d/a/t.txt", "none.jpg", "d/a/.q.png") == ["d/a/t.txt", "none.jpg", "d/a/.q.png"]
    os.mkdir("closed")
    (tree / "closed" / "x.jpg").write_bytes(b"")
    with pytest.raises(Efm3Error, match=r"B011 s3://b/x.jpg: .*--engine daft"):
        Inputs(["s3://b/x.jpg"])


def test_folders_that_vanish_are_rows(tree, monkeypatch):
    scandir = os.scandir

    def gone(path):
        if path == "d/a/b/":
            raise FileNotFoundError(2, "No such file or directory", path)
        return scandir(path)
    monkeypatch.setattr(os, "scandir", gone)
    found = Inputs(["d"])
    assert codes(found) == [("d/a/b/", "IO001")]
    assert [i.name for i in found.pictures()][:3] == ["d/a/1.JPG", "d/a/b/", "d/a/link.jpg"]


def test_a_link_that_leads_nowhere_is_lost_alone(tree):
    """In a circle, through a file, to a name that is too long: its neighbours are all there."""
    for name, to in (("me.jpg", "me.jpg"), ("me", "me"), ("in.png", "2.png/x"),
                     ("long.png", "x" * 300), ("dangling.png", "none")):
        os.symlink(to, f"d/a/b/{name}")
    for paths in (["d/a/b"], ["d/a/b/**"]):
        found = Inputs(paths)
        assert [i.name for i in found.pictures() if "/b/" in i.name] == [
            "d/a/b/2.png", "d/a/b/[x].npy", "d/a/b/dangling.png", "d/a/b/in.png",
            "d/a/b/long.png", "d/a/b/me.jpg"]
        assert codes(found) == [] and found.unread == 0 and found.skipped == {"other files": 1}


def test_what_was_listed_before_a_folder_failed_is_taken(tree, monkeypatch):
    scandir = os.scandir

    class Cut:
        """Gives one name, then fails, as a network's file system does."""

        def __init__(self, path):
            self.entries, self.given = scandir(path), 0

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.entries.close()

        def __iter__(self):
            return self

        def __next__(self):
            if self.given:
                raise OSError(5, "Input/output error")
            self.given = 1
            return next(e for e in self.entries if e.name == "2.png")
    monkeypatch.setattr(os, "scandir", lambda p: Cut(p) if p == "d/a/b/" else scandir(p))
    found = Inputs(["d"])
    assert [i.name for i in found.pictures()] == ["d/a/1.JPG", "d/a/b/", "d/a/b/2.png",
                                                  "d/a/link.jpg", "d/z.jpg"]
    assert codes(found) == [("d/a/b/", "IO001")] and found.unread == 1


def test_the_output_is_no_input(tree):
    np.save("d/out.npy", np.zeros(3))
    for path in ("d", "d/*"):
        found = Inputs([path])
        found.output = "./d/out.npy"
        assert not any("out.npy" in i.name for i in found.pictures())
        assert found.skipped["the output"] == 1
    assert names("d/out.npy") == ["d/out.npy"]


def test_a_name_that_is_no_utf8(tmp_path):
    path = os.fsencode(tmp_path) + b"/\xff.jpg"
    try:
        with open(path, "w"):
            pass
    except OSError as e:
        pytest.skip(f"this file system refuses the name: {e}")
    (item,) = Inputs([tmp_path]).pictures()
    assert item.name == f"{tmp_path}/\\xff.jpg" and os.fsencode(item.source) == path


def test_what_is_done_is_left_out(tree):
    found = Inputs(["d"])
    assert [i.name for i in found.pictures(lambda n: n.startswith("d/a/"))] == ["d/z.jpg"]
    assert found.passed == 4


def listed(tmp_path, data, **kw):
    (tmp_path / "list").write_bytes(data)
    return Inputs(files_from=str(tmp_path / "list"), **kw)


@pytest.mark.parametrize("data,null,found", [
    (b"a.jpg\nb c.png\n", False, ["a.jpg", "b c.png"]),
    (b"\xef\xbb\xbfa.jpg\r\n\r\nb.jpg", False, ["a.jpg", "b.jpg"]),
    (b"a\n.jpg\0b\r\0", True, ["a\n.jpg", "b\r"]), (b"", False, []), (b"\n\n", False, []),
    (b"\xef\xbb\xbf", False, []),
])
def test_lists(tmp_path, data, null, found):
    inputs = listed(tmp_path, data, null=null)
    assert [i.source for i in inputs.pictures()] == found and inputs.count() == len(found)


def test_lines_that_are_no_paths(tmp_path):
    long = b"x" * 200_000
    inputs = listed(tmp_path, b"a.jpg\n" + long + b"\nb.jpg\nc\0d\nhttp://x/y.jpg\n" + long)
    found = list(inputs.pictures())
    assert [i.name for i in found] == ["a.jpg", "x" * 4096, "b.jpg", "c\\x00d", "http://x/y.jpg",
                                       "x" * 4096]
    assert [getattr(i.source, "code", "") for i in found] == ["", "B014", "", "B014", "B011",
                                                              "B014"]
    with pytest.raises(Efm3Error, match=r"B014 .*UTF-16"):
        list(listed(tmp_path, "a.jpg\n".encode("utf-16")).pictures())
    with pytest.raises(Unreadable):
        list(Inputs(files_from=str(tmp_path / "none")).pictures())


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=9).filter(lambda b: not set(b) & {0, 10, 13})),
       st.integers(1, 9))
def test_a_list_is_read_the_same_in_pieces_of_any_size(lines, size):
    whole = b"\xef\xbb\xbf" + b"".join(line + b"\n" for line in lines)
    before, module._PIECE = module._PIECE, size + 3
    try:
        found = list(module._listed(io.BytesIO(whole), b"\n", "list"))
    finally:
        module._PIECE = before
    assert found == [os.fsdecode(x) for x in lines] or (lines[:1] and lines[0][:1] == b"\xef")


def test_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a.jpg\nb.jpg\n")))
    inputs = Inputs(["z.jpg"], files_from="-")
    assert [i.name for i in inputs.pictures()] == ["z.jpg", "a.jpg", "b.jpg"]
    assert inputs.count() is None


# Archives

FILES = {"a/1.jpg": b"one", "2.PNG": b"two" * 1000, "notes.txt": b"no", ".x.jpg": b"hidden",
         "/abs.jpg": b"abs", "../up.jpg": b"up", "a" * 150 + ".jpg": b"long",
         "\N{SNOWMAN}.jpg": b"", "a/1.jpg ": b"blank"}
TAKEN = [n for n in FILES if n.lower().endswith((".jpg", ".png")) and n != ".x.jpg"]


def tar(path, mode="w", form=tarfile.PAX_FORMAT, files=FILES):
    with tarfile.open(path, mode, format=form) as t:
        link = tarfile.TarInfo("link.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        t.addfile(link)
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
    return str(path)


def zipped(path, files=FILES, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as z:
        for name, data in files.items():
            z.writestr(name, data)
    return str(path)


def had(path):
    return [(i.name, i.source) for i in Inputs([path]).pictures()]


def test_archives(tmp_path):
    made = [tar(tmp_path / "a.tar"), tar(tmp_path / "b.TAR", form=tarfile.GNU_FORMAT),
            tar(tmp_path / "c.tar.gz", "w:gz"), tar(tmp_path / "d.tgz", "w:gz"),
            zipped(tmp_path / "e.zip"), zipped(tmp_path / "f.zip", method=zipfile.ZIP_STORED)]
    os.rename(made[2], tmp_path / "packed.tar")
    made[2] = str(tmp_path / "packed.tar")  # a gzip file is known by its bytes
    for path in made:
        assert had(path) == [(f"{path}::{n}", FILES[n]) for n in TAKEN], path
        inputs = Inputs([path])
        one = list(inputs.pictures(lambda n: not n.endswith("2.PNG")))
        assert [i.source for i in one] == [FILES["2.PNG"]] and inputs.count() is None
        assert inputs.skipped == {"hidden": 1, "other files": 2}


def test_a_name_that_stands_twice_is_two_pictures(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as t:
        for data in (b"1", b"22"):
            info = tarfile.TarInfo("a.jpg")
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
    assert [s for _, s in had(str(tmp_path / "a.tar"))] == [b"1", b"22"]


@pytest.mark.parametrize("end", ["tar", "tgz", "zip"])
def test_cut_archives_give_what_stands_before(tmp_path, end):
    files = {f"{i}.jpg": os.urandom(3000) for i in range(5)}
    path = tmp_path / f"a.{end}"
    zipped(path, files) if end == "zip" else tar(path, "w:gz" if end == "tgz" else "w",
                                                 files=files)
    whole = path.read_bytes()
    for cut in range(0, len(whole.rstrip(b"\0")) - 1, 997):
        path.write_bytes(whole[:cut])
        *rows, last = had(str(path))
        assert last[0] == str(path) and last[1].code == "B012", cut
        found = Inputs([path])
        # Told also where it is known already: it is still not read to its end.
        assert list(found.pictures(lambda name: True)) == [] and found.unread == 1
        sound = [s for _, s in rows if isinstance(s, bytes)]
        assert sound == list(files.values())[:len(sound)] and len(rows) - len(sound) <= 1
    assert end == "zip" or len(sound) == 4


def test_members_that_cannot_be_read(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_FILE", 5000)
    files = {"a.jpg": b"a", "large.jpg": b"x" * 5001, "b.jpg": b"b"}
    for path in (tar(tmp_path / "a.tar", files=files), zipped(tmp_path / "a.zip", files)):
        (_, a), (name, large), (_, b) = had(path)
        assert (a, large.code, b) == (b"a", "F011", b"b") and name == f"{path}::large.jpg"
    data = bytearray((tmp_path / "a.zip").read_bytes())
    at = data.rindex(b"PK\1\2")
    for offset, value, words in ((8, 1, "encrypted"), (10, 14, "method 14"), (16, 7, "not those"),
                                 (24, 9, "not those"), (42, 5, "no file begins")):
        changed = bytearray(data)
        changed[at + offset] = value
        (tmp_path / "b.zip").write_bytes(changed)
        *_, (_, last) = had(str(tmp_path / "b.zip"))
        assert last.code == "B012" and words in last.message, words


def test_a_wrong_place_in_a_zip_is_one_members(tmp_path):
    """Behind the end, in 32 bits and in 64, or not told at all: the next member is read."""
    zipped(tmp_path / "a.zip", {"a.jpg": b"a", "b.jpg": b"b"})
    whole = (tmp_path / "a.zip").read_bytes()
    at = whole.index(b"PK\1\2")
    for place in (0x7FFFFFFF, 0xFFFFFFFF):
        data = bytearray(whole)
        data[at + 42:at + 46] = struct.pack("<I", place)
        (tmp_path / "a.zip").write_bytes(data)
        found = Inputs([tmp_path / "a.zip"])
        (name, bad), (_, sound) = found.pictures()
        assert name.endswith("::a.jpg") and bad.code == "B012" and "a place" in bad.message
        assert sound == b"b" and found.unread == 0


def header(name=b"a.jpg", size=b"00000000001", kind=b"0", extra=b""):
    block = bytearray(512)
    block[:len(name)] = name
    block[124:124 + len(size)] = size
    block[156:157] = kind
    block[148:156] = b" " * 8
    block[482:482 + len(extra)] = extra
    block[148:155] = b"%06o\0" % sum(block)
    return bytes(block)


def pax(text):
    return header(b"x", b"%011o" % len(text), b"x") + text.ljust(-(-len(text) // 512) * 512, b"\0")


END = bytes(1024)
ONE = b"1".ljust(512, b"\0")


@pytest.mark.parametrize("data,words", [
    (header(size=b"\xff" * 12) + ONE + END, "negative"),
    (header(size=b"\x80" + b"\x7f" * 11) + ONE + END, "too large"),
    (header(size=b"0000009") + ONE + END, "no number"),
    (header(size=b"77777777777") + ONE + END, "F011"),
    (header(b"x", b"77777777777", b"x") + END, "extended header"),
    (header(b"x", b"00000300000", b"L") + END, "extended header"),
    (pax(b"20 size=-1\n") + header() + ONE + END, "damaged extended header"),
    (pax(b"11 size=-1\n") + header() + ONE + END, "no number"),
    (pax(b"9999999999 path=a\n") + header() + ONE + END, "damaged extended header"),
    (pax(b"0 path=a\n") + header() + ONE + END, "damaged extended header"),
    (b"\1" * 512, "checksum"), (b"", "no end mark"),
    (pax(b"22 GNU.sparse.major=1\n") + header() + ONE + END, "sparse"),
    (header(kind=b"S") + ONE + END, "sparse"),
])
def test_hostile_tars(tmp_path, data, words):
    (tmp_path / "a.tar").write_bytes(data)
    found = had(str(tmp_path / "a.tar"))
    assert found and not any(isinstance(s, bytes) for _, s in found)
    assert any(words in f"{s.code} {s.message}" for _, s in found)


def test_sparse_members_are_passed_over(tmp_path):
    """Old GNU's form has blocks of more parts behind the header."""
    more = bytearray(512)
    data = header(kind=b"S", extra=b"\1") + bytes(more[:504]) + b"\1" + bytes(7) + bytes(more)
    (tmp_path / "a.tar").write_bytes(data + ONE + header(b"b.jpg") + ONE + END)
    (_, sparse), (_, sound) = had(str(tmp_path / "a.tar"))
    assert sparse.code == "B012" and sound == b"1"


def record(key, value):
    length = len(key) + len(value) + 3
    return b"%d %s=%s\n" % (length + len(str(length + len(str(length)))), key, value)


def test_chains_of_headers_and_names_of_any_kind(tmp_path):
    """A thousand extended headers before one file: no recursion; NULs and long names end well."""
    data = b"".join(pax(record(b"path", b"no.jpg")) for _ in range(1000))
    data += pax(record(b"path", b"n" * 5000 + b".jpg")) + header() + ONE
    data += pax(record(b"path", b"\0\xff.jpg") + record(b"size", b"2")) + header() + b"23" + ONE[2:]
    (tmp_path / "a.tar").write_bytes(data)
    (one, a), (two, b), (_, cut) = had(str(tmp_path / "a.tar"))
    assert a == b"1" and one.endswith("::" + "n" * 4096)
    assert b == b"23" and two.endswith("::\\x00\\xff.jpg")
    assert cut.code == "B012" and "no end mark" in cut.message


def test_a_long_name_ends_at_its_nul(tmp_path):
    text = b"n" * 120 + b".jpg\0.txt"
    data = header(b"x", b"%011o" % len(text), b"L") + text.ljust(512, b"\0") + header() + ONE + END
    (tmp_path / "a.tar").write_bytes(data)
    ((name, sound),) = had(str(tmp_path / "a.tar"))
    assert name.endswith("::" + "n" * 120 + ".jpg") and sound == b"1"


def test_a_bomb_takes_no_memory(tmp_path, monkeypatch):
    """Zeros: as a member that is too large, and as a zip that lies."""
    monkeypatch.setattr(module, "MAX_FILE", 1 << 20)
    size = 12 << 20
    with gzip.open(tmp_path / "a.tar.gz", "wb", 1) as f:
        f.write(header(size=b"%011o" % size) + bytes(size) + header(b"b.jpg") + ONE + END)
    zipped(tmp_path / "b.zip", {"a.jpg": bytes(size)})
    data = bytearray((tmp_path / "b.zip").read_bytes())
    at = data.rindex(b"PK\1\2")
    data[at + 24:at + 28] = struct.pack("<I", 100)
    (tmp_path / "b.zip").write_bytes(data)
    del data
    tracemalloc.start()
    try:
        (_, large), (_, sound) = had(str(tmp_path / "a.tar.gz"))
        ((_, lies),) = had(str(tmp_path / "b.zip"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert large.code == "F011" and sound == b"1" and lies.code == "B012"
    assert peak < 5 << 20


def test_zip64_and_what_stands_before_an_archive(tmp_path, monkeypatch):
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 10)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as z:
        for name in ("a.jpg", "b.jpg"):
            with z.open(name, "w", force_zip64=True) as f:
                f.write(b"x" * 100)
    assert [s for _, s in had(str(path))] == [b"x" * 100] * 2
    path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())
    assert [s for _, s in had(str(path))] == [b"x" * 100] * 2


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_archives_end_in_rows(tmp_path_factory, data):
    """Whatever byte is changed: sound bytes or a finding, never another exception."""
    folder = tmp_path_factory.mktemp("damage", numbered=True)
    end = data.draw(st.sampled_from(["tar", "tgz", "zip"]))
    path = folder / f"a.{end}"
    files = {"a.jpg": b"1" * 600, "b.jpg": b"2"}
    zipped(path, files) if end == "zip" else tar(path, "w:gz" if end == "tgz" else "w",
                                                 files=files)
    whole = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, min(len(whole), 4096) - 1))] = data.draw(
            st.integers(0, 255))
    path.write_bytes(whole)
    for name, source in had(str(path)):
        assert name.startswith(str(path)) and isinstance(source, (bytes, Finding))
