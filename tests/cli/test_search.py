# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 search`: what is asked, what is told, what is refused."""

import csv
import json

import numpy as np
import pytest

from efm3 import untrained
from efm3.bulk import embed
from efm3.conformance import sample
from tests.indexed import directions, rows, table

SOME = directions(30)
SOME[3] = np.nan


@pytest.fixture
def index(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return table("x.npz", rows(SOME))


@pytest.fixture
def scene(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w.bin").write_bytes(untrained.dumps(sample.ARCH, 1))
    (tmp_path / "v.bin").write_bytes(untrained.dumps(sample.ARCH, 2))
    (tmp_path / "pictures").mkdir()
    for i, picture in enumerate(untrained.images(4, 4)):
        np.save(tmp_path / "pictures" / f"{i}.npy", picture)
    embed("w.bin", "pictures", "p.npz")


def test_pictures(cli, scene):
    done = cli("search", "p.npz", "pictures/1.npy", "--model", "w.bin", "-k", 2)
    lines = done.stdout.splitlines()
    assert done.exit_code == 0 and lines[0] == "pictures/1.npy" and len(lines) == 3
    assert lines[1].split() == ["1.0000", "pictures/1.npy"]
    both = json.loads(cli("search", "p.npz", "pictures", "p.npz", "pictures/0.npy", "--model",
                          "w.bin", "-k", 1, "--json").stdout)
    assert [q["query"] for q in both["queries"]] == [
        f"pictures/{i}.npy" for i in (0, 1, 2, 3, 0, 1, 2, 3, 0)]
    assert all(q["hits"][0]["path"] == q["query"] for q in both["queries"])
    assert both["index"] == ["p.npz"] and both["rows"] == 4 and len(both["model"]) == 64


def test_a_picture_of_the_table(cli, index):
    told = json.loads(cli("search", index, "--row", "0005.jpg", "--json", "-k", 40).stdout)
    hits = told["queries"][0]["hits"]
    assert len(hits) == 28 and "0005.jpg" not in [hit["path"] for hit in hits]
    cosines = [hit["similarity"] for hit in hits]
    assert cosines == sorted(cosines, reverse=True)
    above = json.loads(cli("search", index, "--row", "0005.jpg", "--json", "-k", 40,
                           "--threshold", 0.2).stdout)["queries"][0]["hits"]
    assert above == [hit for hit in hits if hit["similarity"] > 0.2]


def test_a_table_asks_and_a_file_is_written(cli, index):
    asked = table("q.csv", rows(SOME[2:5]))
    done = cli("search", index, asked, "-k", 2, "-o", "hits.csv")
    assert (done.exit_code, done.stdout) == (0, "")
    with open("hits.csv", newline="") as f:
        found = list(csv.DictReader(f))
    assert [(r["query"], r["rank"], r["row"]) for r in found if r["rank"] != "2"] == [
        ("0000.jpg", "1", "2"), ("0001.jpg", "", ""), ("0002.jpg", "1", "4")]
    assert found[2]["error"] == "F013"


def test_two_tables(cli, index):
    other = table("y.csv", rows(SOME[4:5], ["other.jpg"]))
    told = cli("search", index, "--index", other, "--row", "0004.jpg", "-k", 1).stdout
    assert told.splitlines()[1].split() == ["1.0000", "other.jpg"]


def test_names_are_safe_on_a_terminal(cli, tmp_path):
    path = table(tmp_path / "x.npz", rows(SOME[:2], ["a\x1b[31m\n", "b"]))
    told = cli("search", path, "--row", "b").stdout
    assert "\x1b" not in told and "a\\x1b[31m\\n" in told


def test_nothing_above(cli, index):
    done = cli("search", index, "--row", "0004.jpg", "--threshold", 1)
    assert (done.exit_code, done.stdout) == (1, "0004.jpg: nothing\n")
    assert "nothing is similar enough" in done.stderr


def test_no_query_has_an_embedding(cli, index):
    asked = table("q.csv", rows(SOME[3:4]))
    done = cli("search", index, asked, "--json")
    assert done.exit_code == 1 and "no query has an embedding" in done.stderr
    assert json.loads(done.stdout)["queries"][0]["error"] == "F013"


@pytest.mark.parametrize("words,code,why", [
    (["x.npz"], 2, "give a QUERY"),
    (["x.npz", "a.jpg"], 2, "needs --model"),
    (["x.npz", "--row", "0001.jpg", "-k", 0], 2, "0 is not in the range"),
    (["x.npz", "--row", "0001.jpg", "-k", 10_001], 2, "is not in the range"),
    (["x.npz", "--row", "0001.jpg", "--threshold", "nan"], 2, "not a finite number"),
    (["x.npz", "--row", "0001.jpg", "-o", "x.txt"], 2, "must end in"),
    (["x.npz", "--index", "x.npz", "--row", "a", "--approximate"], 2, "is for one table"),
    (["x.npz", "--row", "nobody.jpg"], 1, "B022"),
    (["x.npz", "--row", "0003.jpg"], 1, "has no embedding: F013 no face"),
    (["gone.npz", "--row", "a"], 3, "No such file"),
    (["empty.npz", "--row", "a"], 1, "B021"),
    (["x.npz", "other.npz", "--json"], 1, "B020"),
])
def test_what_is_refused(cli, index, words, code, why):
    table("empty.npz", [])
    table("other.npz", rows(SOME), model="cd" * 32)
    done = cli("search", *words)
    assert done.exit_code == code and why in done.stderr, done.output
    assert done.stdout == ""


def test_a_picture_of_another_size_and_none_at_all(cli, scene):
    """What to do is what this verb can do: it has neither --align nor --resize."""
    np.save("large.npy", np.zeros((200, 300, 3), np.uint8))
    done = cli("search", "p.npz", "large.npy", "gone.png", "--model", "w.bin")
    said = done.stderr.splitlines()
    assert done.exit_code == 1 and said[0].startswith("efm3: F012 large.npy: an array")
    assert "table was made without --align" in said[0] and "--resize" not in said[0]
    assert said[1] == "efm3: IO001 gone.png: No such file or directory"


def test_the_wrong_weight_file(cli, scene):
    done = cli("search", "p.npz", "pictures/1.npy", "--model", "v.bin")
    assert done.exit_code == 1 and "B020" in done.stderr and done.stdout == ""
