# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Wheels installed where there is no checkout and no compiler, and used as a newcomer uses them."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tools import ROOT
from tools.foreign.platforms import WINE
from tools.release import BuildFailed
from tools.wheels.assembled import PURE

WINDOWS = ROOT / "build" / "windows-python" / "python.exe"
"""What tools/wheels/install_windows_python.sh unpacks."""

NONE = "no engine"

NUMPY = "numpy==2.1.3"
"""For Windows: later ones call functions that Debian's Wine does not have."""

NEWCOMER = Path(__file__).with_name("newcomer.py")
"""What is run with each, by its own Python."""


def _run(words: list[str], folder: Path, env: dict[str, str]) -> str:
    done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False,
                          encoding="utf-8", errors="replace")
    if done.returncode:
        raise BuildFailed(f"{' '.join(words[-5:])}: exit {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout


def _pip(python: str, folder: Path, *words: str) -> None:
    _run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
          "--only-binary=:all:", *words], folder, dict(os.environ))


def here(wheel: Path, folder: Path) -> tuple[list[str], dict[str, str]]:
    """A clean virtual environment with the wheel: how Python is called there, and its
    environment, whose PATH holds no compiler."""
    _run([sys.executable, "-m", "venv", "venv"], folder, dict(os.environ))
    python = folder / "venv" / "bin" / "python"
    _pip(str(python), folder, f"{wheel}[images]")
    return [str(python)], {"PATH": str(python.parent), "HOME": str(folder)}


def wine(wheel: Path, folder: Path) -> tuple[list[str], dict[str, str]]:
    """The same, of Python for Windows under Wine."""
    home = folder / "python"
    shutil.copytree(WINDOWS.parent, home)
    # Python's module `platform` asks the system by this one, and Debian's Wine ends the program.
    (home / "_wmi.pyd").unlink(missing_ok=True)
    (zipped,) = home.glob("python3*.zip")
    version = zipped.stem.removeprefix("python")
    _pip(sys.executable, folder, "--target", str(home / "site"), "--platform", "win_amd64",
         "--implementation", "cp", "--python-version", f"{version[0]}.{version[1:]}",
         f"{wheel}[images]", NUMPY)
    # This file, where it lies beside it, is all that such a Python looks at for its folders.
    (home / f"{zipped.stem}._pth").write_text(f"{zipped.name}\n.\nsite\n", encoding="utf-8")
    return [WINE, str(home / "python.exe")], os.environ | {
        "WINEPREFIX": str(folder / "wine"), "WINEDEBUG": "-all", "PYTHONUTF8": "1"}


def refused(wheel: Path) -> str:
    """Why nothing here runs a wheel, "" where something does."""
    tag = wheel.stem.split("-", 2)[2]
    if tag == PURE or ("manylinux" in tag and tag.endswith(f"_{platform.machine()}")):
        return ""
    if not tag.endswith("win_amd64"):
        return "nothing here has a Python for it"
    if not os.access(WINE, os.X_OK):
        return "no Wine (tools/foreign/install_zig.sh)"
    return "" if WINDOWS.exists() else (
        "no Python for Windows (tools/wheels/install_windows_python.sh)")


def attempt(wheel: Path) -> str:
    """Install a wheel in an empty folder, and inspect, validate, embed and compare what it brings;
    what computed. Raises BuildFailed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        work = folder / "work"
        work.mkdir()
        prepare = wine if wheel.stem.endswith("win_amd64") else here
        python, env = prepare(wheel.resolve(), folder)
        shutil.copy(NEWCOMER, work)
        said = _run([*python, NEWCOMER.name], work, env).strip()
        if wheel.stem.endswith(PURE) is not (said == NONE):
            raise BuildFailed(f"{wheel.name} computed with {said}")
        return f"computed with {said}"
