# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The files that every installation holds: few, named once, and never written over others."""

import os
import sys

import pytest

import efm3
from efm3 import shipped
from tools import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def test_copies_are_the_files_of_the_checkout(tmp_path):
    copied = shipped.copy(tmp_path / "new" / "er")
    assert [c.path for c in copied] == [tmp_path / "new" / "er" / n for n in shipped.FILES]
    for c, name in zip(copied, shipped.FILES, strict=True):
        assert c.written and c.path.read_bytes() == (ROOT / name).read_bytes()
        assert c.size == c.path.stat().st_size
    assert efm3.validate(copied[0].path).ok


def test_what_is_the_same_is_left(tmp_path):
    first = shipped.copy(tmp_path)
    times = [c.path.stat().st_mtime_ns for c in first]
    os.unlink(first[2].path)
    again = shipped.copy(tmp_path)
    assert [c.written for c in again] == [c is first[2] for c in first]
    assert [c.path.stat().st_mtime_ns for c in again if not c.written] == times[:2] + times[3:]
    assert not any(c.written for c in shipped.copy(ROOT))  # a checkout has them


@pytest.mark.parametrize("there", ["text", "folder", "link", "fifo"])
def test_what_is_another_is_refused_before_anything_is_written(there, tmp_path):
    path = tmp_path / shipped.FILES[-1]
    path.parent.mkdir()
    make = {"text": lambda: path.write_text("mine"), "folder": path.mkdir,
            "link": lambda: path.symlink_to("nothing"), "fifo": lambda: os.mkfifo(path)}
    make[there]()
    said = "behind a link" if there == "link" else "--force"
    with pytest.raises(shipped.Differs, match=said) as e:
        shipped.copy(tmp_path)
    assert e.value.filename == str(path) and len([*tmp_path.rglob("*")]) == 2
    if there == "text":
        assert all(c.written for c in shipped.copy(tmp_path, force=True))
        assert path.read_bytes() == (ROOT / shipped.FILES[-1]).read_bytes()


@pytest.mark.parametrize("name", ["weights", shipped.FILES[0], shipped.FILES[-1]])
@pytest.mark.parametrize("force", [False, True])
def test_nothing_is_written_through_a_link_that_is_there(name, force, tmp_path):
    inside, elsewhere = tmp_path / "try", tmp_path / "elsewhere"
    elsewhere.mkdir()
    other = elsewhere / "mine"
    if name == "weights":
        other.mkdir()
    else:
        other.write_text("mine")
    (inside / name).parent.mkdir(parents=True)
    (inside / name).symlink_to(other)
    with pytest.raises(shipped.Differs, match="behind a link"):
        shipped.copy(inside, force=force)
    assert not any(other.iterdir()) if other.is_dir() else other.read_text() == "mine"
    assert not any(p.is_file() and not p.is_symlink() for p in inside.rglob("*"))


def test_the_folder_itself_may_be_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert all(c.written for c in shipped.copy(tmp_path / "link"))
    (tmp_path / "mirror").mkdir()
    for name in ("weights", "examples"):  # nothing is written where all is there already
        (tmp_path / "mirror" / name).symlink_to(tmp_path / "real" / name)
    assert not any(c.written for c in shipped.copy(tmp_path / "mirror"))


def test_the_package_holds_them_and_no_more():
    """pyproject.toml names them for setuptools; this list is the one that programs read."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    tool = tomllib.loads(text)["tool"]["setuptools"]
    assert tool["include-package-data"] is False  # else setuptools adds what the sdist holds
    data = {f"{package.removeprefix('efm3.')}/{name}" for package in ("efm3.weights",
            "efm3.examples") for name in tool["package-data"][package]}
    assert data == set(shipped.FILES)
    for package in ("efm3.weights", "efm3.examples"):
        assert package in tool["packages"]
        assert tool["package-dir"][package] == package.removeprefix("efm3.")
    assert sum((ROOT / name).stat().st_size for name in shipped.FILES) < 1 << 20
