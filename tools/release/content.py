# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What wheel and sdist hold beside the project's files: nothing lacks, nothing is foreign."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from efm3 import shipped
from tools.release import pack, sources

METADATA = ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "top_level.txt",
            "licenses/LICENSE", "sboms/efm3.cdx.json")
"""The files of a wheel's .dist-info folder."""

MACHINES = {"x86_64": 62, "aarch64": 183, "i686": 3, "armv7l": 40, "ppc64le": 21, "s390x": 22,
            "riscv64": 243}
"""Machine in a wheel's platform tag to `e_machine` in the header of an ELF file."""

PE = {"win_amd64": 0x8664, "win_arm64": 0xAA64}
"""Platform tag of Windows to the machine in the header of a DLL."""

MACH = {"x86_64": 0x01000007, "arm64": 0x0100000C}
"""Machine in a platform tag of macOS to `cputype` in the header of a Mach-O file."""

_LINUX = re.compile(r"(?:many|musl)?linux(?:\d+|_\d+_\d+)?_(\w+)")
_MACOS = re.compile(r"macosx_\d+_\d+_(\w+)")
_PLACES = {"efm3/": "efm3/", "spec/": "efm3/spec/",
           **{name: f"efm3/{name}" for name in shipped.FILES}}
"""Folder or file of the project to what it is in the wheel."""


def _compared(found: set[str], wanted: set[str], where: str) -> list[str]:
    return [*(f"{where} lacks {name}" for name in sorted(wanted - found)),
            *(f"{where} holds {name}, which is no file of the project"
              for name in sorted(found - wanted))]


def _same(files: dict[str, bytes], root: Path, pairs: dict[str, str], where: str) -> list[str]:
    """`pairs` is member to file of the project."""
    return [f"{where}: {member} is not as {name} in the project"
            for member, name in sorted(pairs.items())
            if member in files and files[member] != (root / name).read_bytes()]


def _elf(data: bytes) -> int | None:
    """The machine of an ELF file's header, None where it is none."""
    if data[:4] != b"\x7fELF" or len(data) < 20:
        return None
    # Byte 5 says in which order the numbers stand, 1 for the least significant byte first.
    return int.from_bytes(data[18:20], "little" if data[5] == 1 else "big")


def _dll(data: bytes) -> int | None:
    """The machine of a DLL's header, None where it is none."""
    at = int.from_bytes(data[60:64], "little")
    if data[:2] != b"MZ" or data[at:at + 4] != b"PE\0\0" or len(data) < at + 6:
        return None
    return int.from_bytes(data[at + 4:at + 6], "little")


def _mach(data: bytes) -> int | None:
    """The machine of a 64-bit Mach-O file's header, None where it is none."""
    if data[:4] != b"\xcf\xfa\xed\xfe" or len(data) < 8:
        return None
    return int.from_bytes(data[4:8], "little")


def _wanted(platform: str) -> tuple[str, int, Callable[[bytes], int | None]] | None:
    """Kind of file, machine, and what reads it, of the first name of a platform tag."""
    first = platform.split(".")[0]
    if first in PE:
        return "DLL", PE[first], _dll
    for pattern, kind, machines, read in ((_LINUX, "ELF file", MACHINES, _elf),
                                          (_MACOS, "Mach-O file", MACH, _mach)):
        found = pattern.fullmatch(first)
        if found is not None and found[1] in machines:
            return kind, machines[found[1]], read
    return None


def machine(data: bytes, platform: str) -> str:
    """What is wrong with an extension for a platform tag, "" where nothing is."""
    wanted = _wanted(platform)
    if wanted is None:
        return f"is for {platform}, which tools/release/content.py does not know"
    kind, number, read = wanted
    found = read(data)
    if found is None:
        return f"is no {kind}"
    return "" if found == number else (
        f"is for machine {found}, not {number} as {platform} says")


def _extension(files: Iterable[str], abi: str, platform: str) -> str:
    """The name that a wheel's extension must have: one for the stable ABI, else the version's."""
    found = pack.engine(files)
    own = re.escape(abi.removeprefix("cp"))
    if abi != "abi3" and re.fullmatch(
            rf"efm3/_engine\.(cpython-{own}-[\w-]+\.so|cp{own}-\w+\.pyd)", found):
        return found
    return pack.stable(platform)


def wheel(path: Path, root: Path, version: str) -> list[str]:
    """What is wrong with a wheel of the project in `root`, a line each.

    Wanted are the project's files below efm3/ and spec/, its manual pages, those of shipped.FILES,
    the extension, the metadata, and no more.
    """
    tags = path.stem.split("-")
    if len(tags) != 5 or tags[:2] != ["efm3", version]:
        return [f"{path.name} is not the name of a wheel of efm3 {version}"]
    files, platform = pack.members(path), tags[4]
    folder = f"efm3-{version}.dist-info"
    places = _PLACES | {"docs/man/": f"efm3-{version}.data/data/share/man/man1/"}
    pairs = {new + name.removeprefix(old): name for name in sources.names(root)
             for old, new in places.items() if name.startswith(old)}
    wanted = set(pairs) | {f"{folder}/{name}" for name in METADATA}
    out = _same(files, root, pairs, path.name)
    if platform != "any":
        name = _extension(files, tags[3], platform)
        wanted.add(name)
        wrong = machine(files.get(name, b""), platform)
        out += [f"{path.name}: {name} {wrong}"] if wrong else []
    record = f"{folder}/RECORD"
    listed = pack.record({n: d for n, d in files.items() if n != record}, record)
    if files.get(record) != listed:
        out.append(f"{path.name}: RECORD does not state its files and their digests")
    return _compared(set(files), wanted, path.name) + out


def sdist(path: Path, root: Path, version: str) -> list[str]:
    """What is wrong with an sdist of the project in `root`, a line each: wanted are the project's
    files, and what setuptools adds."""
    top = f"efm3-{version}/"
    files = {name.removeprefix(top): data for name, data in pack.members(path).items()}
    made = {n for n in files if n.startswith(sources.MADE)}
    pairs = {name: name for name in sources.names(root)}
    return _compared(set(files) - made, set(pairs), path.name) + _same(
        files, root, pairs, path.name)
