# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The project's files and their time: from git, from an sdist, from SOURCE_DATE_EPOCH."""

import os

from tests.release import small
from tools.release import pack, sources


def unpacked(release, folder):
    listed = "".join(f"{n}\n" for n in [*small.FILES, "efm3.egg-info/SOURCES.txt", "setup.cfg"])
    path = small.make_sdist(release, {"efm3.egg-info/SOURCES.txt": listed.encode()})
    for name, data in pack.members(path).items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return folder / "efm3-1.2.3"


def test_the_files_are_those_that_git_tracks(release):
    (release.root / "build").mkdir()
    (release.root / "build/stale.py").write_text("")
    (release.root / "setup.py").unlink()
    assert sources.names(release.root) == sorted(small.FILES.keys() - {"setup.py"})


def test_an_sdist_knows_its_files_and_its_time(release, tmp_path, monkeypatch):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    root = unpacked(release, tmp_path)
    (root / "left.py").write_text("")
    assert sources.names(root) == sorted(small.FILES)
    os.utime(root / "PKG-INFO", (small.EPOCH, small.EPOCH))
    assert sources.epoch(root) == small.EPOCH


def test_the_time_is_that_of_the_last_commit_or_the_one_given(release, monkeypatch):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    (release.root / "README.md").write_text("# Later\n")
    small.git(release.root, "commit", "-aqm", "later")
    stated = int(sources.git(release.root, "log", "-1", "--format=%ct"))
    assert sources.epoch(release.root) == stated
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(small.EPOCH))
    assert sources.epoch(release.root) == small.EPOCH
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "5")
    assert sources.epoch(release.root) == sources.EARLIEST


def test_a_copy_has_the_projects_files_alone(release, tmp_path):
    (release.root / "efm3/_engine.abi3.so").write_bytes(b"")
    sources.copy(release.root, tmp_path / "copy")
    found = [p.relative_to(tmp_path / "copy").as_posix()
             for p in (tmp_path / "copy").rglob("*") if p.is_file()]
    assert sorted(found) == sorted(small.FILES)
