# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`python -m tools.release`: what it prints and its exit codes."""

import sys
from types import SimpleNamespace

import pytest

from tools.release import BuildFailed, __main__, checks


def raising(error):
    def check(release):
        raise error
    return check


def test_each_check_is_named_with_what_it_found(release, capsys):
    chosen = {"one": lambda r: [], "two": lambda r: ["a", "b"],
              "three": raising(BuildFailed("no\ncompiler")), "four": raising(OSError("gone"))}
    assert __main__.run(release, chosen.items()) == 3
    assert capsys.readouterr().out == ("one: ok\ntwo: FAILED\n  a\n  b\n"
                                       "three: FAILED\n  no\n  compiler\nfour: FAILED\n  gone\n")


def test_a_git_that_fails_is_a_line_and_later_checks_are_made(release, capsys):
    (release.root / ".git" / "HEAD").unlink()
    chosen = {"one": checks.committed, "two": lambda r: []}
    assert __main__.run(release, chosen.items()) == 1
    out = capsys.readouterr().out
    assert "one: FAILED\n  Command" in out and "not a git repository" in out
    assert out.endswith("two: ok\n")


@pytest.fixture
def few(monkeypatch):
    """Two checks of the project, one of what is built; none finds anything."""
    last = SimpleNamespace(CHECKS={"three": lambda r: []})
    monkeypatch.setattr(checks, "CHECKS", {"one": lambda r: [], "two": lambda r: [r.tag] * bool(
        r.tag)})
    monkeypatch.setitem(sys.modules, "tools.release.built", last)
    monkeypatch.setattr("tools.release.built", last, raising=False)


def test_all_must_pass(few, capsys):
    assert __main__.main(["check"]) == 0
    assert capsys.readouterr().out.endswith("three: ok\nrelease: 0 checks failed\n")
    assert __main__.main(["check", "--tag", "v9"]) == 1
    assert "two: FAILED\n  v9\n" in capsys.readouterr().out


def test_a_check_that_is_left_out_is_no_success(few, capsys):
    assert __main__.main(["check", "--but", "three"]) == 1
    assert "three:" not in (out := capsys.readouterr().out) and out.endswith("not made: three\n")
    assert __main__.main(["check", "--but", "four"]) == 2
    assert "no check four; there are one, two, three" in capsys.readouterr().err


def test_a_library_that_is_not_installed_is_named(monkeypatch, capsys):
    for name in ("tools.release.build", "tools.release.sbom"):
        monkeypatch.delitem(sys.modules, name, raising=False)
        monkeypatch.delattr(name, raising=False)
    monkeypatch.setitem(sys.modules, "cyclonedx", None)
    monkeypatch.setitem(sys.modules, "cyclonedx.model", None)
    assert __main__.main(["build"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("release: cyclonedx") and err.endswith(
        "pip install -r tools/release/requirements.txt\n") and err.count("\n") == 1
