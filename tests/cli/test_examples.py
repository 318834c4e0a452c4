# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 examples`: files to try the other verbs with."""

import json

import pytest

from efm3 import shipped
from efm3.cli import examples


def test_what_it_copies_it_says(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = cli("examples", ".")
    assert done.exit_code == 0 and not done.stderr
    assert done.stdout.splitlines() == [f"wrote {name}" for name in shipped.FILES]
    assert cli("compare", *shipped.FILES[:4]).exit_code == 0
    assert cli("validate", "weights").exit_code == 0
    again = cli("examples", ".")
    assert again.exit_code == 0
    assert again.stdout.splitlines() == [f"there already: {name}" for name in shipped.FILES]


def test_json(cli, tmp_path):
    found = json.loads(cli("examples", "--json", tmp_path).stdout)
    assert found["folder"] == str(tmp_path)
    assert [(f["path"], f["written"]) for f in found["files"]] == [
        (str(tmp_path / name), True) for name in shipped.FILES]
    found = json.loads(cli("examples", "--json", tmp_path).stdout)
    assert not any(f["written"] for f in found["files"])


def test_a_file_of_the_user_is_kept(cli, tmp_path):
    mine = tmp_path / shipped.FILES[0]
    mine.parent.mkdir()
    mine.write_text("mine")
    done = cli("examples", tmp_path)
    assert done.exit_code == 1 and "another; --force" in done.stderr and not done.stdout
    assert mine.read_text() == "mine" and not (tmp_path / "examples").exists()
    assert cli("examples", "--force", tmp_path).exit_code == 0 and mine.stat().st_size > 9


def full(*_):
    raise OSError(28, "No space left on device", "x")


@pytest.mark.parametrize("place", ["file", "file/below", "weights is a file", "full"])
def test_a_place_that_cannot_be_written(cli, tmp_path, monkeypatch, place):
    (tmp_path / "file").write_text("")
    if place == "weights is a file":
        (tmp_path / "weights").write_text("")
        place = "."
    if place == "full":
        monkeypatch.setattr(shipped, "write_atomic", full)
    done = cli("examples", tmp_path / place)
    assert done.exit_code == 3 and len(done.stderr.splitlines()) == 1 and not done.stdout
    assert done.stderr.startswith("efm3: ")


def test_an_installation_without_its_files(cli, tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "HOME", tmp_path / "nothing")
    done = cli("examples", tmp_path / "out")
    assert done.exit_code == 3 and "facex_nano.bin" in done.stderr
    assert not (tmp_path / "out").exists()


def test_help_names_what_is_copied():
    words = examples.command.help
    assert all(word in words for word in ("facex_nano.bin", "a_1.png", "c_2.png"))
