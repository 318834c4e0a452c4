# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 dedupe`: copies are listed, nothing is deleted, and nothing that is needed is listed."""

import json
import os

import numpy as np
import pytest

from efm3.bulk.row import path_text
from tests.indexed import directions, rows, table

A, B, C = directions(3)


@pytest.fixture
def scene(tmp_path, monkeypatch):
    """Two of A, three of B, one of C."""
    monkeypatch.chdir(tmp_path)
    names = ["a1", "b1", "a 2\n", "c1", "b2", "b3"]
    for name in names:
        (tmp_path / name).write_text("picture")
    table("x.npz", rows(np.stack([A, B, A, C, B, B]), names))
    return tmp_path


def test_groups(cli, scene):
    done = cli("dedupe", "x.npz")
    assert done.exit_code == 0
    assert done.stdout.split("\n")[:-1] == ["keep a1", "   1.0000  a 2\\n", "keep b1",
                                            "   1.0000  b2", "   1.0000  b3"]
    assert "6 pictures compared, 0 left out; 3 copies of 2" in done.stderr
    told = json.loads(cli("dedupe", "x.npz", "--json", "--threshold", "0.9").stdout)
    assert told["groups"][0] == {"keep": "a1", "copies": [{"path": "a 2\n", "similarity": 1.0}]}
    assert (told["threshold"], told["copies"], told["pictures"]) == (0.9, 3, 6)
    assert sorted(os.listdir()) == sorted(["a1", "b1", "a 2\n", "c1", "b2", "b3", "x.npz",
                                           "x.npz.manifest.json"])


def test_a_file_of_copies(cli, scene):
    done = cli("dedupe", "x.npz", "-o", "copies.jsonl")
    assert (done.exit_code, done.stdout) == (0, "")
    found = [json.loads(line) for line in (scene / "copies.jsonl").read_text().splitlines()]
    assert [(r["keep"], r["path"]) for r in found] == [("a1", "a 2\n"), ("b1", "b2"), ("b1", "b3")]


def null(cli):
    done = cli("dedupe", "x.npz", "-0")
    assert done.exit_code == 0
    return done.stdout_bytes.split(b"\0")[:-1], done.stderr


def test_paths_for_xargs(cli, scene):
    assert null(cli)[0] == [b"a 2\n", b"b2", b"b3"]


def test_the_only_file_is_never_listed(cli, scene):
    """By another name it is the same file; and where what is kept is gone, copies are left."""
    for name in ("a 2\n", "b2", "b1"):
        (scene / name).unlink()
    os.link("a1", "a 2\n")
    os.symlink("b3", "b2")
    paths, said = null(cli)
    assert paths == [] and "3 copies not listed" in said


def test_a_name_that_is_no_utf_8(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [b"a\xe9.png", b"b\xe9.png"]
    try:
        for name in names:
            (tmp_path / os.fsdecode(name)).write_text("picture")
    except OSError as e:
        pytest.skip(f"this file system takes no such names: {e}")
    table("x.npz", rows(np.stack([A, A]), [path_text(os.fsdecode(n)) for n in names]))
    paths, said = null(cli)
    assert paths == names[1:] and "1 copy of 1," in said and "not listed" not in said


def test_nothing_is_alike(cli, tmp_path):
    done = cli("dedupe", table(tmp_path / "x.npz", rows(directions(3))))
    assert (done.exit_code, done.stdout) == (0, "")


@pytest.mark.parametrize("words,code,why", [
    (["x.npz", "-0", "--json"], 2, "give one of them"),
    (["x.npz", "--threshold", 2], 2, "not in the range"),
    (["x.npz", "-o", "x"], 2, "must end in"),
    (["gone.csv"], 3, "No such file"),
    (["other.npz", "--index", "x.npz"], 1, "B020"),
])
def test_what_is_refused(cli, scene, words, code, why):
    table("other.npz", rows(directions(2)), model="cd" * 32)
    done = cli("dedupe", *words)
    assert done.exit_code == code and why in done.stderr and done.stdout == "", done.output
