# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Wheels put together: the pure one, as setuptools makes it, and one more for each extension."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools.release import BuildFailed, pack, sbom, sources
from tools.wheels import compiled
from tools.wheels.targets import Target

PURE = "py3-none-any"


def pure(root: Path, out: Path, epoch: int) -> Path:
    """The wheel without the engine, built from the project in `root`, into `out`; its path.

    Raises BuildFailed.
    """
    env = os.environ | {"EFM3_NO_ENGINE": "1", "EFM3_REQUIRE_ENGINE": "",
                        "SOURCE_DATE_EPOCH": str(epoch)}
    done = subprocess.run([sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir",
                           str(out), "."], cwd=root, env=env, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    found = sorted(out.glob(f"efm3-*-{PURE}.whl"))
    if done.returncode or len(found) != 1:
        raise BuildFailed(f"{len(found)} wheels {PURE} were built, not 1\n{done.stdout}")
    return found[0]


def tagged(text: str, tag: str) -> str:
    """The text of the pure wheel's WHEEL, changed to that of a wheel with this tag, each of whose
    platforms has a line of its own."""
    python, abi, platforms = tag.split("-")
    lines = "".join(f"Tag: {python}-{abi}-{name}\n" for name in platforms.split("."))
    new, changed = re.subn(rf"^Root-Is-Purelib: true\nTag: {PURE}\n",
                           f"Root-Is-Purelib: false\n{lines}", text, flags=re.MULTILINE)
    if changed != 1:
        raise BuildFailed(f"WHEEL is not that of a wheel {PURE}:\n{text}")
    return new


def platform(plain: Path, target: Target, extension: bytes, out: Path) -> Path:
    """The wheel for a target, made in `out` from the pure one, not yet packed for good."""
    files = pack.members(plain)
    name = f"{pack.metadata_folder(files)}/WHEEL"
    files[name] = tagged(files[name].decode(), target.tag).encode()
    path = out / f"{plain.name.removesuffix(f'{PURE}.whl')}{target.tag}.whl"
    pack.write(path, files | {target.member: extension}, sources.EARLIEST)
    return path


def build(root: Path, out: Path, epoch: int, chosen: Sequence[Target]) -> list[Path]:
    """The wheels for these targets, then the pure one, each with its SBOM beside it, built from the
    project in `root`, which is written to, into `out`: paths. Raises BuildFailed."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        made = compiled.extensions(root, chosen) if chosen else {}
        shutil.rmtree(root / "build", ignore_errors=True)
        plain = pure(root, work, epoch)
        version = plain.name.split("-")[1]
        paths = [platform(plain, target, data, work) for target, data in made.items()]
        for path in [*paths, plain]:
            bom = sbom.wheel(root, version, epoch, path != plain)
            pack.wheel(path, epoch, {f"sboms/{sbom.NAME}": bom.encode()})
            (out / path.name).write_bytes(path.read_bytes())
            (out / f"{path.stem}.cdx.json").write_text(bom, encoding="utf-8", newline="")
    return [out / path.name for path in [*paths, plain]]


def build_here(root: Path, out: Path, chosen: Sequence[Target]) -> list[Path]:
    """The same, of a copy of the checkout in `root`, whose other files stay out of the wheels."""
    with tempfile.TemporaryDirectory() as name:
        sources.copy(root, Path(name))
        return build(Path(name), out, sources.epoch(root), chosen)
