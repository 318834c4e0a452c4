# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 cluster`: a table of clusters, a page, and where the threshold comes from."""

import csv
import json

import numpy as np
import pytest

import efm3
from efm3 import untrained
from efm3.bulk import embed
from efm3.conformance import sample
from tests.indexed import directions, rows, table

NEEDS = ("scipy", "PIL")
A, B, C = directions(3)


@pytest.fixture
def index(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    none = np.full(8, np.nan, np.float32)
    return table("x.npz", rows(np.stack([A, B, none, B, A, B, C])))


def test_summary_table_and_page(cli, index, tmp_path):
    done = cli("cluster", index, "-o", "c.csv", "--sheet", "c.html", "--threshold", 0.9)
    assert done.exit_code == 0 and done.stdout.splitlines() == [
        "2 clusters of 5 faces; 1 face like no other; 1 row without an embedding; threshold 0.9, "
        "as given",
        "  cluster 0: 3 faces", "  cluster 1: 2 faces"]
    with open("c.csv", newline="") as f:
        found = list(csv.DictReader(f))
    assert [r["path"] for r in found] == [f"{i:04}.jpg" for i in range(7)]
    assert [r["cluster"] for r in found] == ["1", "0", "", "0", "1", "0", "-1"]
    assert [r["error"] for r in found] == ["", "", "F013", "", "", "", ""]
    assert [r["similarity"] and round(float(r["similarity"]), 6) for r in found] == [
        1, 1, "", 1, 1, 1, ""]
    assert (tmp_path / "c.html").read_text().count("<figure>") == 5
    told = json.loads(cli("cluster", index, "--json", "--linkage", "average").stdout)
    assert (told["clusters"], told["sizes"], told["alone"],
            told["without_embedding"]) == (2, [3, 2], 1, 1)
    assert (told["threshold"], told["threshold_from"]) == (0.3, "rule_of_thumb")


def test_where_the_threshold_comes_from(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = efm3.load(untrained.dumps(sample.ARCH, 1))
    model.save("bare.bin")
    model.mirror = model.mirror | {"meta": {"scores": {"held_out": {"threshold": 0.42}}}}
    model.save("w.bin")
    (tmp_path / "v.bin").write_bytes(untrained.dumps(sample.ARCH, 2))
    for i, picture in enumerate(untrained.images(4, 2)):
        np.save(f"{i}.npy", picture)
    embed("w.bin", ["0.npy", "1.npy"], "x.npz")

    def told(*words):
        done = cli("cluster", "x.npz", "--json", *words)
        assert done.exit_code == 0, done.output
        value = json.loads(done.stdout)
        return value["threshold"], value["threshold_from"]
    assert told("--threshold", 0.5, "--model", "w.bin") == (0.5, "given")
    assert told("--model", "w.bin") == (0.42, "meta")
    assert told("--model", "bare.bin") == (0.3, "rule_of_thumb")
    assert told() == (0.42, "table")
    model.mirror["meta"]["threshold"] = 0.44
    model.save("w.bin")
    assert told("--model", "w.bin") == (0.44, "meta"), "chosen at a FAR: before the best one"
    embed("bare.bin", ["0.npy", "1.npy"], "x.npz", force=True)
    assert told() == (0.3, "rule_of_thumb")
    assert "weight file stated none" in cli("cluster", "x.npz").stdout
    done = cli("cluster", "x.npz", "--model", "v.bin")
    assert done.exit_code == 1 and "B020" in done.stderr


def test_the_threshold_of_the_table(cli, tmp_path):
    path = table(tmp_path / "x.npz", rows(directions(3)), threshold=0.37)
    assert "0.37, the threshold for one person that the table states" in cli("cluster", path).stdout


def test_many_clusters_are_told_in_a_line(cli, tmp_path):
    path = table(tmp_path / "x.npz", rows(np.repeat(np.eye(30, dtype=np.float32), 2, 0)), 30)
    lines = cli("cluster", path).stdout.splitlines()
    assert len(lines) == 22 and lines[-1] == "  ... 10 more, of 2 faces or fewer"


def test_its_own_result_is_no_table_to_cluster(cli, index):
    for form in ("csv", "jsonl"):
        assert cli("cluster", index, "-o", f"c.{form}", "--threshold", 0.9).exit_code == 0
        done = cli("cluster", f"c.{form}")
        assert done.exit_code == 1
        assert f"B008 c.{form}: no table that `efm3 embed -o` wrote" in done.stderr


def test_a_stranger_s_row_of_zeros_has_no_embedding(cli, tmp_path):
    path = table(tmp_path / "x.npz", rows(np.stack([A, np.zeros(8, np.float32), A])))
    cli("cluster", path, "-o", tmp_path / "c.jsonl")
    found = [json.loads(line) for line in (tmp_path / "c.jsonl").read_text().splitlines()]
    assert [(r["cluster"], r["error"]) for r in found] == [(0, None), (None, "F008"), (0, None)]


@pytest.mark.parametrize("words,code,why", [
    (["x.txt"], 1, "no table's: it ends in none"),
    (["x.npz", "--sheet", "x.pdf"], 2, "must end in .html"),
    (["x.npz", "-o", "x.xlsx"], 2, "must end in"),
    (["x.npz", "--threshold", "inf"], 2, "not"),
    (["x.npz", "--linkage", "single"], 2, "invalid"),
    (["gone.npz"], 3, "No such file"),
])
def test_what_is_refused(cli, index, words, code, why):
    done = cli("cluster", *words)
    assert done.exit_code == code and why in done.stderr.lower().replace("no such", "No such")
    assert done.stdout == ""
