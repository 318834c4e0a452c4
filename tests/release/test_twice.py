# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Two builds compared: a difference is seen, with the member of the archive that it is in."""

import shutil

import pytest

from tests.release import small
from tools.release import BuildFailed, pack, sources, twice


@pytest.fixture
def other(release, tmp_path):
    """A second folder with what was built into the first."""
    small.make_wheel(release)
    small.make_sdist(release)
    return shutil.copytree(release.out, tmp_path / "other")


def test_the_same_is_the_same(release, other):
    assert twice.differences(release.out, other) == []


def test_one_byte_of_a_member_is_seen(release, other):
    path = small.make_wheel(release, small.members(release) | {"efm3/scan.py": b"SCAN = 2\n"})
    assert twice.differences(release.out, other) == [
        f"{path.name} was built twice and differs: efm3-1.2.3.dist-info/RECORD"]
    path = small.make_sdist(release, {"setup.py": b"# set-up\n"})
    assert twice.differences(release.out, other)[1] == (
        f"{path.name} was built twice and differs: efm3-1.2.3/setup.py")


def test_another_time_alone_is_seen(release, other):
    (path,) = release.out.glob("*.whl")
    pack.wheel(path, sources.EARLIEST, {})
    assert twice.differences(release.out, other) == [
        f"{path.name} was built twice and differs: the order, times or modes of its files"]


def test_other_bytes_of_a_text_are_seen(release, other):
    (release.out / "a.cdx.json").write_text("{}")
    (other / "a.cdx.json").write_text("{ }")
    assert twice.differences(release.out, other) == ["a.cdx.json was built twice and differs"]


@pytest.mark.parametrize("first", [True, False])
def test_what_one_build_alone_made_is_seen(release, other, first):
    ((release.out if first else other) / "efm3-1.2.2.tar.gz").write_bytes(b"")
    (line,) = twice.differences(release.out, other)
    assert line.startswith("efm3-1.2.2.tar.gz is of one build alone")


def planted(monkeypatch, release, body):
    """Two builds by a program of this body, in place of the project's own."""
    program = release.root / "tools/release/__main__.py"
    program.parent.mkdir(parents=True)
    program.write_text("import os, sys, time\nfrom pathlib import Path\n"
                       "out, source = Path(sys.argv[2]), Path(sys.argv[5])\n"
                       f"out.mkdir(exist_ok=True)\n{body}\n")
    small.git(release.root, "add", "-A")
    monkeypatch.setattr(twice, "ROOT", release.root)
    return twice.twice(release.out, small.EPOCH)


MATTERS = (
    "str(source)", "time.localtime(0)", "os.umask(0)", "hash('x')", "os.environ.get('USER')",
    "[p.name for p in os.scandir(source / 'efm3')]", "os.stat(source / 'setup.py').st_mtime",
    "sys.getfilesystemencoding()")


def test_each_thing_that_must_not_matter_differs(monkeypatch, release):
    """So that a build that depended on it would be seen; what depends on the given time, not."""
    told = [*MATTERS, "os.environ['SOURCE_DATE_EPOCH']"]
    found = planted(monkeypatch, release, "\n".join(
        f"(out / '{i}').write_text(repr({text}))" for i, text in enumerate(told)))
    assert found == [f"{i} was built twice and differs" for i in range(len(MATTERS))]
    assert (release.out / str(len(MATTERS))).read_text() == repr(str(small.EPOCH))


def test_a_build_that_fails_says_why(monkeypatch, release):
    with pytest.raises(BuildFailed, match="no compiler"):
        planted(monkeypatch, release, "sys.exit('no compiler')")
