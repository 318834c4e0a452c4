# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What wheel and sdist hold beside the project's files: nothing lacks, nothing is foreign."""

from __future__ import annotations

import re
from pathlib import Path

from efm3 import shipped
from tools.release import pack, sources

METADATA = ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "top_level.txt",
            "licenses/LICENSE", "sboms/efm3.cdx.json")
"""The files of a wheel's .dist-info folder."""

MACHINES = {"x86_64": 62, "aarch64": 183, "i686": 3, "armv7l": 40, "ppc64le": 21, "s390x": 22,
            "riscv64": 243}
"""Machine in a wheel's platform tag to `e_machine` in the header of an ELF file."""

_LINUX = re.compile(r"(?:many|musl)?linux(?:\d+|_\d+_\d+)?_(\w+)")
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


def machine(data: bytes, platform: str) -> str:
    """What is wrong with an extension for a platform tag, "" where nothing is."""
    found = _LINUX.fullmatch(platform.split(".")[0])
    if found is None or found[1] not in MACHINES:
        return f"is for {platform}, which tools/release/content.py does not know"
    if data[:4] != b"\x7fELF" or len(data) < 20:
        return "is no ELF file"
    # Byte 5 says in which order the numbers stand, 1 for the least significant byte first.
    value = int.from_bytes(data[18:20], "little" if data[5] == 1 else "big")
    return "" if value == MACHINES[found[1]] else (
        f"is for machine {value}, not {MACHINES[found[1]]} as {platform} says")


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
        wanted.add(pack.ENGINE)
        wrong = machine(files.get(pack.ENGINE, b""), platform)
        out += [f"{path.name}: {pack.ENGINE} {wrong}"] if wrong else []
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
