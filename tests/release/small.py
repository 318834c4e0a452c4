# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A small project, and the wheel and sdist that belong to it, right or wrong in one thing."""

from __future__ import annotations

import gzip
import io
import struct
import subprocess
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from tools.release import content, pack, sources
from tools.release.checks import Release

EPOCH = 1_700_000_000
FILES = {
    "efm3/version.py": '__version__ = "1.2.3"\n', "efm3/scan.py": "SCAN = 1\n",
    "spec/EFM3.md": "# The format\n", "README.md": "# EFM3\n", "setup.py": "# setup\n",
    "engine/include/facex_mfn.h": '#define MFN_VERSION_STRING "1.2.3"\n',
    "CHANGELOG.md": "# Changelog\n\n## 1.2.3 (2026-01-02)\n\n- New: all.\n\n"
                    "## 1.2.2 (2025-01-02)\n",
    "SECURITY.md": "To <!-- private-channel -->keep@efm3.org<!-- /private-channel -->.\n",
    "pyproject.toml": '[project]\nname = "efm3"\ndependencies = ["numpy>=1.24"]\n'
                      '[project.urls]\nSource = "https://forge.efm3.org/efm3"\n'
                      '[project.optional-dependencies]\nimages = ["pillow>=10.3"]\n'}
METADATA = ("Metadata-Version: 2.4\nName: efm3\nVersion: 1.2.3\nSummary: files\n"
            "Description-Content-Type: text/markdown\n\n# EFM3\n")


def git(root: Path, *words: str) -> None:
    """Run git as somebody, in `root`."""
    who = ["-c", "user.name=n", "-c", "user.email=e@e", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True)


def project(folder: Path) -> Release:
    """The project, committed, before its release."""
    root = folder / "project"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    git(root, "init", "-q", "--template=")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "all")
    (folder / "dist").mkdir()
    return Release(root, folder / "dist", "v1.2.3")


def elf(machine: int, order: str = "<") -> bytes:
    """The first bytes of a 64-bit ELF file for a machine."""
    return b"\x7fELF\x02" + bytes([1 if order == "<" else 2]) + bytes(10) + struct.pack(
        f"{order}HH", 3, machine)


def members(release: Release, engine: bool = True) -> dict[str, bytes]:
    """Name to bytes of a wheel's files as setuptools would make it."""
    folder = "efm3-1.2.3.dist-info"
    out = {name: (release.root / name).read_bytes() for name in FILES if name.startswith("efm3/")}
    out["efm3/spec/EFM3.md"] = (release.root / "spec/EFM3.md").read_bytes()
    if engine:
        out[pack.stable("linux_x86_64")] = elf(content.MACHINES["x86_64"])
    out |= {f"{folder}/{name}": b"" for name in content.METADATA}
    return out | {f"{folder}/METADATA": METADATA.encode()}


def make_wheel(release: Release, files: dict[str, bytes] | None = None,
               tag: str = "cp310-abi3-linux_x86_64", bom: bytes = b"") -> Path:
    """The wheel of these files in the folder of what is built; its path."""
    path = release.out / f"efm3-1.2.3-{tag}.whl"
    with zipfile.ZipFile(path, "w") as z:
        for name, data in (members(release) if files is None else files).items():
            z.writestr(name, data)
    pack.wheel(path, EPOCH, {"sboms/efm3.cdx.json": bom})
    return path


def make_sdist(release: Release, changed: Mapping[str, bytes | None] | None = None) -> Path:
    """The sdist, with `changed` files (None: left out) in place of the project's; its path."""
    files: dict[str, bytes | None] = {name: text.encode() for name, text in FILES.items()}
    files |= {"PKG-INFO": METADATA.encode(), "setup.cfg": b"", "efm3.egg-info/SOURCES.txt": b""}
    files |= changed or {}
    path = release.out / "efm3-1.2.3.tar.gz"
    with open(path, "wb") as f, gzip.GzipFile("x", "wb", 1, f, 7) as g, tarfile.open(
            fileobj=g, mode="w") as tar:
        for name, data in files.items():
            if data is not None:
                info = tarfile.TarInfo(f"efm3-1.2.3/{name}")
                info.size, info.uname, info.mode = len(data), "me", 0o600
                tar.addfile(info, io.BytesIO(data))
    pack.sdist(path, sources.EARLIEST)
    return path
