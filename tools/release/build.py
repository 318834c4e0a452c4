# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Build what is released, from a clean copy of the project: sdist, wheel, kit, and their SBOMs.

The wheel and the kit are built from the unpacked sdist, so that it is complete.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.release import BuildFailed, pack, sbom

KIT = (".zip", ".tar.gz")


def _run(words: list[str], folder: Path, epoch: int) -> None:
    """A program of the build, in `folder`."""
    # Debugging information names the folder. The map is for what else the compiler writes of it.
    flags = ["-g0", f"-ffile-prefix-map={folder}=."]
    env = os.environ | {"SOURCE_DATE_EPOCH": str(epoch), "CFLAGS": shlex.join(flags),
                        "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(words, cwd=folder, env=env, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise BuildFailed(f"{shlex.join(words[1:4])}: exit {done.returncode}\n{done.stdout}")


def _one(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise BuildFailed(f"{len(found)} files {pattern} were built, not 1")
    return found[0]


def build(source: Path, out: Path, epoch: int) -> list[Path]:
    """Everything that is released, built from `source`, which is written to, into `out`: paths.

    Raises BuildFailed.
    """
    out.mkdir(parents=True, exist_ok=True)
    tool = [sys.executable, "-m", "build", "--no-isolation"]
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        _run([*tool, "--sdist", "--outdir", str(work / "sdist"), "."], source, epoch)
        sdist = _one(work / "sdist", "efm3-*.tar.gz")
        pack.sdist(sdist, epoch)
        for member, data in pack.members(sdist).items():
            path = work / member
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        stem = sdist.name.removesuffix(".tar.gz")
        version, tree = stem.removeprefix("efm3-"), work / stem
        made = {sdist.name: sdist}
        # The kit before the wheel: what builds the wheel leaves folders behind.
        kits = [work / f"efm3-kit-{version}{suffix}" for suffix in KIT]
        for path in kits:
            _run([sys.executable, "-m", "efm3", "conformance", "export", str(path)], tree, epoch)
            made[path.name] = path
        _run([*tool, "--wheel", "--outdir", str(work / "wheel"), "."], tree, epoch)
        wheel = _one(work / "wheel", "efm3-*.whl")
        bom = sbom.wheel(tree, version, epoch, bool(pack.engine(pack.members(wheel))))
        pack.wheel(wheel, epoch, {f"sboms/{sbom.NAME}": bom.encode()})
        made[wheel.name] = wheel
        for base, text in ((wheel.stem, bom),
                           (f"efm3-kit-{version}", sbom.kit(kits[-1], version, epoch))):
            path = work / f"{base}.cdx.json"
            path.write_text(text, encoding="utf-8", newline="")
            made[path.name] = path
        for path in made.values():
            (out / path.name).write_bytes(path.read_bytes())
    return [out / name for name in sorted(made)]
