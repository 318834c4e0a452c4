# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Which files of a folder are checked: git's word, excluded ones, and those that are named."""

import os
import shutil
import subprocess

import pytest

from efm3.selection import EXCLUDE, GIT, LIMIT, Selection


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A work tree of files."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git/info").mkdir(parents=True)
    for name in ("a.bin", "b.bin", "sub/a.bin", "sub/deep/c.bin", "build/d.bin", "build/x/e.bin",
                 ".git/f.bin"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def chosen(*paths, **options):
    found = Selection(paths, **options)
    files = [os.path.normpath(file).replace(os.sep, "/") for file in found]
    return files, dict(found.left_out)


ALL = ["a.bin", "b.bin", "build/d.bin", "build/x/e.bin", "sub/a.bin", "sub/deep/c.bin"]


def test_without_patterns(tree):
    assert chosen(".") == (ALL, {GIT: 1})
    assert chosen(".", gitignore=False)[1] == {}
    shutil.rmtree(".git")
    (tree / ".gitignore").write_text("*.bin\n")
    assert chosen(".") == (ALL, {})  # no work tree, nothing that git ignores


def test_what_git_ignores(tree):
    (tree / ".gitignore").write_text("build/\n/a.bin\n*.x\n")
    (tree / "sub/.gitignore").write_text("c.bin\n")
    (tree / ".git/info/exclude").write_text("b.bin\n")
    assert chosen(".") == (["sub/a.bin"], {GIT: 6})
    assert chosen("sub") == (["sub/a.bin"], {GIT: 1})
    assert sorted(chosen(".", gitignore=False)[0]) == sorted([*ALL, ".git/f.bin"])
    (tree / "sub/.gitignore").write_text("!a.bin\n!b.bin\n")
    (tree / ".gitignore").write_text("*.bin\n!b.bin\n")
    assert chosen(".")[0] == ["b.bin", "sub/a.bin"]


def test_what_is_named_is_taken(tree):
    (tree / ".gitignore").write_text("build/\na.bin\n")
    assert chosen("a.bin", "build/d.bin", "-", "none.bin", exclude=["*"]) == (
        ["a.bin", "build/d.bin", "-", "none.bin"], {})
    assert chosen("build") == (["build/d.bin", "build/x/e.bin"], {})
    assert chosen("build/x") == (["build/x/e.bin"], {})


def test_exclude(tree):
    assert chosen(".", exclude=["build", "/a.bin"])[0] == ["b.bin", "sub/a.bin", "sub/deep/c.bin"]
    assert chosen("sub", exclude=["sub/*.bin"]) == (["sub/deep/c.bin"], {EXCLUDE: 1})
    assert chosen("sub", exclude=["deep"], base=str(tree / "build"))[0] == ["sub/a.bin"]
    assert chosen("sub", exclude=["/a.bin"], base=str(tree / "build"))[0] == ["sub/deep/c.bin"]
    assert chosen(".", exclude=["*", "!/b.bin"])[0] == ["b.bin"]


def test_a_hostile_gitignore(tree):
    """One that is no file, or too long, leaves nothing out; a link out of the tree is followed by
    nobody but git."""
    os.mkfifo(tree / "sub/.gitignore")
    (tree / ".gitignore").write_bytes(b"*\n" * LIMIT)
    assert chosen(".")[0] == ALL
    (tree / ".gitignore").write_bytes(b"\xff\n\0\n[\n*a*a*a*a*a*a*a*a*a*b\nb.bin\n")
    assert chosen(".")[1] == {GIT: 2}


@pytest.mark.usefixtures("git")
def test_as_git_lists(tree):
    shutil.rmtree(".git")
    subprocess.run(["git", "init", "-q"], check=True)
    (tree / ".gitignore").write_text("sub/*\n!sub/deep\nbuild/*\n!build/d.bin\n")
    (tree / "build/x/.gitignore").write_text("!e.bin\n")
    listed = subprocess.run(["git", "ls-files", "-o", "--exclude-standard", "*.bin"], check=True,
                            capture_output=True, text=True).stdout.split()
    assert chosen(".")[0] == sorted(listed)
