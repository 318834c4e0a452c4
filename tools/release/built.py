# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What is built must show before a release. A check gives a line for what is wrong."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from pypi_attestations import Distribution

from tools.release import checks, content, pack, readme, sbom, sources
from tools.release.checks import Check, Release
from tools.release.twice import twice


def _wheels(release: Release) -> list[Path]:
    return sorted(release.out.glob("efm3-*.whl"))


def _sdist(release: Release) -> Path:
    return release.out / f"efm3-{release.version}.tar.gz"


def reproducible(release: Release) -> list[str]:
    """Built twice, in other surroundings, everything is the same, byte for byte."""
    return twice(release.out, sources.epoch(release.root))


def contents(release: Release) -> list[str]:
    """Wheels and sdist hold the project's files and no more, for the machine that they name."""
    wheels = _wheels(release)
    lines = [] if wheels else [f"no wheel was built in {release.out}"]
    for path in wheels:
        lines += content.wheel(path, release.root, release.version)
    return lines + content.sdist(_sdist(release), release.root, release.version)


def boms(release: Release) -> list[str]:
    """Each SBOM is valid; the one in a wheel is the one beside it, and tells of its engine."""
    lines = []
    for path in sorted(release.out.glob("*.cdx.json")):
        lines += [f"{path.name}: {line}" for line in
                  sbom.problems(path.read_text(encoding="utf-8"))]
    for path in _wheels(release):
        files, beside = pack.members(path), release.out / f"{path.stem}.cdx.json"
        inside = files.get(f"{pack.metadata_folder(files)}/sboms/{sbom.NAME}", b"")
        wanted = sbom.wheel(release.root, release.version, sources.epoch(release.root),
                            bool(pack.engine(files))).encode()
        if inside != wanted:
            lines.append(f"{path.name}: its SBOM is not that of these sources")
        if not beside.is_file() or beside.read_bytes() != inside:
            lines.append(f"{path.name}: the SBOM beside it is not the one in it")
    if not (release.out / f"efm3-kit-{release.version}.cdx.json").is_file():
        lines.append("the kit has no SBOM")
    return lines


def metadata(release: Release) -> list[str]:
    """Name, version, licence and description are such as an index takes, and whole."""
    paths = [str(p) for p in [*_wheels(release), _sdist(release)]]
    done = subprocess.run([sys.executable, "-m", "twine", "--no-color", "check", "--strict",
                           *paths], capture_output=True, text=True, check=False)
    if done.returncode:
        return (done.stdout + done.stderr).splitlines()
    stated = checks.stated_urls(release)
    return [f"{path.name}: the description names {name}, which an index has not"
            for path in [*_wheels(release), _sdist(release)] if "Source" in stated
            for name in readme.relative(_described(pack.members(path)))]


def _described(files: dict[str, bytes]) -> str:
    """The text of a wheel's METADATA or an sdist's PKG-INFO."""
    return next(data for name, data in files.items()
                if re.search(r"\.dist-info/METADATA$|^[^/]+/PKG-INFO$", name)).decode("utf-8")


def rating(release: Release) -> list[str]:
    """pyroma finds nothing to better in the sdist. What it is not asked: an author's address, and
    the project's places, which are the owner's to give (the check `urls`)."""
    done = subprocess.run([sys.executable, "-m", "pyroma", "--min", "10", "--skip-tests",
                           "AuthorEmail,Url", "--file", str(_sdist(release))],
                          capture_output=True, text=True, check=False)
    if not done.returncode:
        return []
    told = re.split(r"^-+$", done.stdout, flags=re.MULTILINE)
    return (told[2] if len(told) > 2 else done.stderr[-500:]).strip().splitlines() or [
        "pyroma failed and said nothing"]


def attestable(release: Release) -> list[str]:
    """An attestation can name wheels and sdist: each file's name is one of its kind, and says the
    version."""
    lines = []
    for path in [*_wheels(release), _sdist(release)]:
        try:
            Distribution.from_file(path)
        except (ValueError, OSError) as e:
            lines.append(f"{path.name} cannot be attested: {e}")
    return lines


CHECKS: dict[str, Check] = {"reproducible": reproducible, "contents": contents, "boms": boms,
                            "metadata": metadata, "rating": rating, "attestable": attestable}
"""Name to check, of what is built. The first of them builds it."""
