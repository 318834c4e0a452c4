# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Wheels installed where there is no checkout and no compiler, and used as a newcomer uses them."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tools import ROOT
from tools.foreign.platforms import WINE
from tools.release import BuildFailed
from tools.wheels import bare
from tools.wheels.assembled import PURE
from tools.wheels.targets import TARGETS

WINDOWS = ROOT / "build" / "windows-python" / "python.exe"
"""What tools/wheels/install_windows_python.sh unpacks."""

ARM, MUSL = ROOT / "build" / "arm64", ROOT / "build" / "musl"
"""Debian's Python and musl for 64-bit Arm, and musl for this machine, as
tools/wheels/install_foreign.sh unpacks them."""
EMULATOR = "qemu-aarch64"

NONE = "no engine"

NUMPY = "numpy==2.1.3"
"""For Windows: later ones call functions that Debian's Wine does not have."""

NEWCOMER = Path(__file__).with_name("newcomer.py")
"""What is done with each; it is given the words that start its Python."""


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


def arm(wheel: Path, folder: Path) -> tuple[list[str], dict[str, str]]:
    """The same, of Debian's Python for 64-bit Arm under qemu-user."""
    (library,) = (ARM / "usr" / "lib").glob("python3.[0-9]*")
    # pip takes no older name of these for granted. The C library of Debian's is 2.36 at least.
    names = [f"manylinux_2_{minor}_aarch64" for minor in range(17, 37)]
    _pip(sys.executable, folder, "--target", str(folder / "site"), "--implementation", "cp",
         "--python-version", library.name.removeprefix("python"),
         *(f"--platform={name}" for name in ("manylinux2014_aarch64", *names)), f"{wheel}[images]")
    # What is not there is looked for on this machine: not its own packages (-S).
    return [EMULATOR, "-L", str(ARM), "-E", f"PYTHONPATH={folder / 'site'}",
            str(ARM / "usr" / "bin" / library.name), "-S"], dict(os.environ)


def loader(machine: str) -> list[str]:
    """The words that start a program which is linked to musl, for a processor. [] where there
    are none."""
    root, emulator = (MUSL, []) if machine == platform.machine() else (ARM, [EMULATOR])
    dynamic = root / "lib" / f"ld-musl-{machine}.so.1"
    here = dynamic.exists() and all(map(shutil.which, emulator))
    return [*emulator, str(dynamic.resolve())] if here else []


def refused(wheel: Path) -> str:
    """Why nothing here runs a wheel, "" where something does."""
    tag = wheel.stem.split("-", 2)[2]
    if tag == PURE or ("manylinux" in tag and tag.endswith(f"_{platform.machine()}")):
        return ""
    script = "tools/wheels/install_foreign.sh"
    if "musllinux" in tag:
        machine = re.sub(r"musllinux_\d+_\d+_", "", tag.rpartition("-")[2])
        return "" if loader(machine) else f"no Python for it, and no musl ({script})"
    if "manylinux" in tag and tag.endswith("_aarch64"):
        return "" if (ARM / "usr" / "bin" / "python3").exists() and shutil.which(EMULATOR) else (
            f"no Python for 64-bit Arm, or no qemu-user ({script})")
    if not tag.endswith("win_amd64"):
        return "nothing here has a Python for it"
    if not os.access(WINE, os.X_OK):
        return "no Wine (tools/foreign/install_zig.sh)"
    return "" if WINDOWS.exists() else (
        "no Python for Windows (tools/wheels/install_windows_python.sh)")


def attempt(wheel: Path) -> str:
    """Install a wheel in an empty folder, and inspect, validate, embed and compare what it brings;
    what computed. Of one for musl the extension alone is loaded. Raises BuildFailed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "-musllinux" in wheel.stem:
            (target,) = (t for t in TARGETS if wheel.stem.endswith(t.tag))
            return bare.attempt(wheel, target, loader(target.triple.partition("-")[0]), folder)
        foreign = {"win_amd64": wine, "manylinux_2_17_aarch64": arm}
        prepare = here if wheel.stem.endswith(platform.machine()) else next(
            (f for tag, f in foreign.items() if wheel.stem.endswith(tag)), here)
        python, env = prepare(wheel.resolve(), folder)
        said = _run([sys.executable, str(NEWCOMER), *python], folder, env).strip()
        if wheel.stem.endswith(PURE) is not (said == NONE):
            raise BuildFailed(f"{wheel.name} computed with {said}")
        return f"computed with {said}"
