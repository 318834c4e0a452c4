# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the project itself must show before a release. A check gives a line for what is wrong."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tools.gen import figures
from tools.release import sources

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CHANNEL = re.compile(r"<!-- private-channel -->(.*?)<!-- /private-channel -->", re.DOTALL)
"""The owner's place in SECURITY.md."""

_ADDRESS = re.compile(r"[^\s@<>]+@([\w-]+\.)+[\w-]+|https://([\w-]+\.)+[\w-]+(/\S*)?")
_NOBODY = re.compile(r"\bexample\b|\.(invalid|test|localhost)\b|todo|\btbd\b", re.IGNORECASE)
_ENTRY = re.compile(r"^## (\S+) \(([^)]*)\)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


class Release(NamedTuple):
    """What is about to be released: the project's folder, the folder of what is built, and the
    tag in git, "" where there is none yet."""

    root: Path
    out: Path
    tag: str = ""

    def text(self, name: str) -> str:
        """A file of the project."""
        return (self.root / name).read_text(encoding="utf-8")

    @property
    def version(self) -> str:
        """The version, from efm3/version.py."""
        found = re.search(r'^__version__ = "(.+)"$', self.text("efm3/version.py"), re.MULTILINE)
        return found[1] if found else ""


Check = Callable[[Release], list[str]]


def committed(release: Release) -> list[str]:
    """Everything that git tracks is as it was committed: the time of the last commit is stated."""
    if not (release.root / ".git").exists():
        return ["this is no checkout: a release is made from a commit"]
    lines = sources.git(release.root, "status", "--porcelain").splitlines()
    return [f"not committed: {line[3:]}" for line in lines]


def version(release: Release) -> list[str]:
    """The version is the same wherever it is stated."""
    wanted = release.version
    header = re.findall(r'MFN_VERSION_STRING "(.+)"', release.text("engine/include/facex_mfn.h"))
    entry = _ENTRY.search(release.text("CHANGELOG.md"))
    stated = {"engine/include/facex_mfn.h": header[0] if header else "",
              "the first entry of CHANGELOG.md": entry[1] if entry else "",
              "the tag": release.tag.removeprefix("v") if release.tag else wanted}
    if not re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?", wanted):
        return [f"efm3/version.py says {wanted or 'nothing'}, which is no version"]
    return [f"{place} says {found or 'nothing'}, efm3/version.py {wanted}"
            for place, found in stated.items() if found != wanted]


def changelog(release: Release) -> list[str]:
    """CHANGELOG.md says what is new in this version, and the day."""
    found = {e[1]: e for e in _ENTRY.finditer(release.text("CHANGELOG.md"))}
    entry = found.get(release.version)
    if entry is None or not re.search(r"^- ", entry[3], re.MULTILINE):
        return [f"CHANGELOG.md says nothing of {release.version}"]
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", entry[2]):
        return [f"CHANGELOG.md: {release.version} ({entry[2]}): put the day of the release there, "
                "as YYYY-MM-DD"]
    return []


def report(release: Release) -> list[str]:
    """SECURITY.md names the owner's private channel for reports."""
    found = CHANNEL.findall(release.text("SECURITY.md"))
    if len(found) != 1:
        return [f"SECURITY.md has {len(found)} places for the private channel, not 1"]
    words = found[0].strip(" \t\n<>")
    if not words:
        return ["SECURITY.md, Report a problem: the place for the private channel is empty. Put "
                "the owner's address or https link between its two marks"]
    if not _ADDRESS.fullmatch(words) or _NOBODY.search(words):
        return [f"SECURITY.md, Report a problem: {words!r} is no address and no https link"]
    return []


def stated_urls(release: Release) -> dict[str, str]:
    """Name to address, of pyproject.toml's [project.urls]."""
    found: dict[str, str] = tomllib.loads(release.text("pyproject.toml"))["project"].get("urls", {})
    return found


def urls(release: Release) -> list[str]:
    """pyproject.toml names the owner's places: Source is that of the repository."""
    stated = stated_urls(release)
    if "Source" not in stated:
        return ["pyproject.toml, [project.urls]: there is no Source. Put the https address of the "
                "owner's repository there"]
    return [f"pyproject.toml, [project.urls]: {name} is {link!r}, which is no https link"
            for name, link in stated.items()
            if not (_ADDRESS.fullmatch(link) and link.startswith("https:")) or _NOBODY.search(link)]


def generated(release: Release) -> list[str]:
    """Every generated file is what its source gives."""
    done = subprocess.run([sys.executable, "-m", "tools.gen", "--check"], cwd=release.root,
                          capture_output=True, text=True, check=False)
    lines = [x for x in done.stdout.splitlines() if not x.startswith("note: ")]
    return (lines or done.stderr.splitlines()[-1:]) if done.returncode else []


def evidence(release: Release) -> list[str]:
    """Every figure and kind of runs that SECURITY.md wants was measured on the sources that are
    there now, in the long form, without a finding."""
    return [f"{line}; renew it with make evidence-long" for line in figures.unfit()]


CHECKS: dict[str, Check] = {"committed": committed, "version": version, "changelog": changelog,
                            "report": report, "urls": urls, "generated": generated,
                            "evidence": evidence}
"""Name to check, of the project."""
