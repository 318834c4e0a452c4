# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Names in little room, what a mistyped one may have meant, and filters that match nothing."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from efm3.cli._names import apart, meant, middle
from efm3.conformance import sample


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "f.bin"
    path.write_bytes(sample.base())
    return path


@given(st.lists(st.text(st.characters(exclude_categories=["C", "M", "Z"]), min_size=1)
                | st.text("ab…漢", min_size=9, max_size=40), max_size=12), st.integers(8, 30))
def test_different_names_are_shown_differently(names, room):
    shown = apart(names, room)
    assert all(cell_len(s) <= room for s in shown)
    assert len(set(zip(names, shown, strict=True))) == len(set(names)) == len(set(shown))


def test_the_middle_is_what_is_lost():
    assert middle("left-and-right", 9) == "left…ight" and middle("short", 9) == "short"
    assert apart(["x" * 30 + "1" + "y" * 30, "x" * 30 + "2" + "y" * 30], 9) == [
        "…1yyyyyy…", "…2yyyyyy…"]
    assert apart(["x" * 30 + n + "y" * 30 for n in "12"] + ["z" + "x" * 30 + "y" * 30], 9) == [
        "1…yyyyyyy", "2…yyyyyyy", "3…yyyyyyy"]
    assert apart(["common-head-1", "common-head-2"], 8) == ["comm…d-1", "comm…d-2"]


def test_what_is_like_a_word():
    assert meant("inspekt", ["inspect", "extract"]) == "; did you mean inspect?"
    assert meant("zzz", ["inspect"]) == ""
    assert meant("\x1b[2J" * 9, ["\x1b[2J" * 8]).count("\\x1b") == 8
    assert meant("x" * 10**6, ["x" * 150]) != ""


@pytest.mark.parametrize("args,code,words", [
    (["inspekt", "f"], 2, "did you mean inspect?"),
    (["conformance", "lst"], 2, "did you mean list?"),
    (["layout", "huge"], 3, "no size has this name (nano, tiny, standard, xs) and no file"),
    (["layout", "nanoo"], 3, "did you mean nano?"),
    (["new", "standrad", "-o", "x.bin"], 3, "did you mean standard?"),
    (["extract", "FILE", "stem.conv", "-o", "x.npy"], 2, "did you mean stem.conv.w"),
    (["explain", "TO12"], 2, "did you mean T012"),
    (["spec", "rule"], 2, "did you mean rules"),
    (["validate", "FILE", "--select", "TO12"], 2, "did you mean T012"),
    (["validate", "FILE", "--levle", "values"], 2, "--level"),
    (["conformance", "list", "bad-c001-emptyy"], 1, "did you mean bad-c001-empty"),
    (["conformance", "run", "--reader", "@python", "--select", "smoek"], 1,
     "names no case of a reader; did you mean smoke?"),
    (["inspect", "FILE", "--tensors", "stem.conw*"], 1, "did you mean stem.conv.w"),
])
def test_a_mistyped_word(cli, file, args, code, words):
    done = cli(*(file if a == "FILE" else a for a in args))
    assert (done.exit_code, done.stdout) == (code, ""), done.output
    assert words in " ".join(done.stderr.split()).replace("│ ", "")


@pytest.mark.parametrize("args", [
    ["inspect", "FILE", "--tensors", "zzz*"], ["conformance", "list", "zzz*"],
    ["conformance", "export", "out", "--select", "zzz*"],
    ["conformance", "run", "--reader", "@python", "--select", "zzz*"],
    ["validate", "FILE", "--select", "T", "--ignore", "T"],
    ["validate", "FILE", "--select", "V", "--level", "structure"],
])
def test_what_matches_nothing_is_1_with_a_word(cli, file, args, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = cli(*(file if a == "FILE" else a for a in args))
    assert (done.exit_code, done.stdout) == (1, "") and done.stderr.startswith("Error: ")
    assert not (tmp_path / "out").exists()


def test_json_of_no_tensor_is_json_and_1(cli, file):
    done = cli("inspect", file, "--json", "--tensors", "zzz*")
    assert done.exit_code == 1 and json.loads(done.stdout)["tensors"] == []
    assert "no tensor matches" in done.stderr
    assert cli("inspect", file, "--tensors").exit_code == 0
