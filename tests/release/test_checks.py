# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The checks of the project before a release: each passes on what is right and sees what is not."""

import pytest

from tools import ROOT
from tools.release import checks


def change(release, name, old, new):
    path = release.root / name
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize("name", ["committed", "version", "changelog", "report", "urls"])
def test_a_project_that_is_ready_passes(release, name):
    assert checks.CHECKS[name](release) == []


def test_what_is_not_committed_is_named(release):
    change(release, "README.md", "EFM3", "EFM4")
    (release.root / "new.py").write_text("")
    assert checks.committed(release) == ["not committed: README.md", "not committed: new.py"]


def test_no_checkout(release):
    (release.root / ".git").rename(release.root / "git")
    assert "no checkout" in checks.committed(release)[0]


@pytest.mark.parametrize("name,old,new,said", [
    ("engine/include/facex_mfn.h", "1.2.3", "1.2.4", "facex_mfn.h says 1.2.4, efm3/version.py 1.2"),
    ("engine/include/facex_mfn.h", "_STRING", "", "facex_mfn.h says nothing"),
    ("CHANGELOG.md", "## 1.2.3", "## 1.3.0", "the first entry of CHANGELOG.md says 1.3.0"),
    ("efm3/version.py", "1.2.3", "1.2.4", "the tag says 1.2.3, efm3/version.py 1.2.4"),
    ("efm3/version.py", "1.2.3", "new", "efm3/version.py says new, which is no version"),
    ("efm3/version.py", "__version__", "version", "efm3/version.py says nothing"),
])
def test_another_version_is_seen(release, name, old, new, said):
    change(release, name, old, new)
    assert any(said in line for line in checks.version(release))


def test_without_a_tag_none_is_compared(release):
    assert checks.version(release._replace(tag="")) == []
    assert checks.version(release._replace(tag="v9")) == ["the tag says 9, efm3/version.py 1.2.3"]


@pytest.mark.parametrize("old,new,said", [
    ("2026-01-02", "unreleased", "1.2.3 (unreleased): put the day"),
    ("- New: all.", "", "says nothing of 1.2.3"),
    ("## 1.2.3 ", "## 1.2.4 ", "says nothing of 1.2.3"),
])
def test_an_entry_of_the_changelog_that_is_not_one(release, old, new, said):
    change(release, "CHANGELOG.md", old, new)
    assert said in checks.changelog(release)[0]


@pytest.mark.parametrize("words,said", [
    ("", "is empty. Put the owner's address"), (" \n ", "is empty"),
    ("TODO@efm3.org", "is no address"), ("security@example.com", "is no address"),
    ("ask us", "is no address"), ("http://efm3.org/report", "is no address"),
    ("me@localhost", "is no address"), ("keep@efm3.org or so", "is no address"),
])
def test_a_private_channel_that_is_none(release, words, said):
    change(release, "SECURITY.md", "keep@efm3.org", words)
    assert said in checks.report(release)[0]


@pytest.mark.parametrize("words", ["<keep@efm3.org>", "https://efm3.org/report?to=us",
                                   " <https://forge.efm3.org/security/new>\n"])
def test_a_private_channel(release, words):
    change(release, "SECURITY.md", "keep@efm3.org", words)
    assert checks.report(release) == []


def test_a_place_that_is_gone(release):
    change(release, "SECURITY.md", "<!-- /private-channel -->", "")
    assert checks.report(release) == ["SECURITY.md has 0 places for the private channel, not 1"]


def test_this_project_has_the_place():
    """Filled or empty: it is there once, in the section on reports."""
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert len(checks.CHANNEL.findall(text.partition("## Report a problem")[2])) == 1


@pytest.mark.parametrize("old,new,said", [
    ("Source =", "Homepage =", "there is no Source. Put the https address"),
    ("[project.urls]\nSource = \"https://forge.efm3.org/efm3\"\n", "", "there is no Source"),
    ("https://forge.efm3.org", "http://forge.efm3.org", "is no https link"),
    ("https://forge.efm3.org", "https://example.org", "is no https link"),
    ("https://forge.efm3.org/efm3", "keep@efm3.org", "is no https link"),
])
def test_a_repository_that_is_none(release, old, new, said):
    change(release, "pyproject.toml", old, new)
    (line,) = checks.urls(release)
    assert said in line and line.startswith("pyproject.toml, [project.urls]: ")


def test_this_project_has_the_place_for_its_addresses():
    assert (ROOT / "pyproject.toml").read_text(encoding="utf-8").count("\n[project.urls]\n") == 1


def test_generated_files_that_are_stale_are_seen(release):
    program = release.root / "tools/gen/__main__.py"
    program.parent.mkdir(parents=True)
    program.write_text("print('note: x')")
    assert checks.generated(release) == []
    program.write_text("print('note: x')\nprint('a.md: is not what it is')\nraise SystemExit(1)")
    assert checks.generated(release) == ["a.md: is not what it is"]
    program.write_text("raise ValueError('broken')")
    assert checks.generated(release) == ["ValueError: broken"]


def test_a_stale_figure_is_seen(release, monkeypatch):
    monkeypatch.setattr(checks.figures, "unfit", lambda: ["stale figure: fuzz (engine)"])
    assert checks.evidence(release) == [
        "stale figure: fuzz (engine); renew it with make evidence-long"]
    monkeypatch.setattr(checks.figures, "unfit", list)
    assert checks.evidence(release) == []


def test_a_book_without_figures_is_no_evidence(release, monkeypatch):
    monkeypatch.setattr(checks.figures._book, "read", lambda: {"figures": {}, "counters": {}})
    found = checks.evidence(release)
    assert any(line.startswith("not measured: soak.soak in C; ") for line in found)
    assert any(line.startswith("not measured: fuzz_c.afl, none: afl-fuzz") for line in found)
