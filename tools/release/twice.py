# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Build twice in surroundings that differ in all that must not matter; compare byte for byte."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools import ROOT
from tools.release import BuildFailed, pack, sources

LEFT = ("build/lib.linux-x86_64-cpython-310/efm3/stale.py", "build/efm3._engine.c",
        "efm3/_engine.abi3.so", "efm3/__pycache__/scan.cpython-310.pyc", "engine/src/api.o",
        "efm3.egg-info/SOURCES.txt")
"""What earlier builds leave in a checkout. Some of it lies in the second build's folder."""

FIRST = {"TZ": "UTC", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "1"}
SECOND = {"TZ": "Asia/Kathmandu", "LC_ALL": "POSIX", "PYTHONHASHSEED": "2", "PYTHONUTF8": "0",
          "PYTHONCOERCECLOCALE": "0", "USER": "somebody", "LOGNAME": "somebody"}
"""The environments of the two builds; each also has its folder, umask, order and age of files."""


def _second(folder: Path) -> None:
    """A copy in `folder` whose files were made in the other order, each at a time of its own, with
    leavings of other builds among them."""
    names = sources.names(ROOT)
    sources.copy(ROOT, folder, names[::-1])
    for i, name in enumerate(names):
        os.utime(folder / name, (10 ** 9 + 86400 * i, 10 ** 9 + 86400 * i))
    for name in LEFT:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"left by another build\n")


def _built(source: Path, out: Path, epoch: int, settings: dict[str, str], umask: int) -> None:
    env = os.environ | settings | {"SOURCE_DATE_EPOCH": str(epoch)}
    done = subprocess.run(
        [sys.executable, "-m", "tools.release", "--out", str(out), "build", "--source",
         str(source)], cwd=ROOT, env=env, umask=umask, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise BuildFailed(done.stdout)


def twice(out: Path, epoch: int) -> list[str]:
    """Build into `out`, then elsewhere; what differs, a line each. Raises BuildFailed."""
    with tempfile.TemporaryDirectory() as name:
        one, two = Path(name) / "one", Path(name) / "the second, which is elsewhere"
        sources.copy(ROOT, one)
        _second(two)
        _built(one, out, epoch, FIRST, 0o022)
        _built(two, Path(name) / "out", epoch, SECOND, 0o077)
        return differences(out, Path(name) / "out")


def differences(one: Path, two: Path, names: Sequence[str] = ()) -> list[str]:
    """The files, all or of these names, that the folders do not share byte for byte, a line each,
    with the first member of an archive that differs."""
    out = []
    for name in names or sorted({p.name for folder in (one, two) for p in folder.iterdir()}):
        first, second = one / name, two / name
        if not (first.is_file() and second.is_file()):
            out.append(f"{name} is of one build alone: "
                       f"remove it, or see why the other has not made it")
        elif first.read_bytes() != second.read_bytes():
            out.append(f"{name} was built twice and differs{_where(first, second)}")
    return out


def _where(one: Path, two: Path) -> str:
    if one.suffix not in (".whl", ".zip", ".gz"):
        return ""
    first, second = pack.members(one), pack.members(two)
    for name in sorted(first.keys() | second.keys()):
        if first.get(name) != second.get(name):
            return f": {name}"
    return ": the order, times or modes of its files"
