# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What is in a wheel's extension, read by libraries that are kept for it, and what tools say.

An extension must be for the machine of the wheel's tag, ask for no library that its system may
lack, export its entry and the engine's functions alone, and use Python by the stable ABI alone.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pefile
from elftools.elf.elffile import ELFFile
from macholib.mach_o import (
    LC_BUILD_VERSION,
    LC_CODE_SIGNATURE,
    LC_ID_DYLIB,
    LC_LOAD_DYLIB,
    LC_VERSION_MIN_MACOSX,
)
from macholib.MachO import MachO

from tools.release import content, pack
from tools.wheels.targets import TARGETS, Target

ENTRY = "PyInit__engine"
EXPORTS = re.compile(rf"{ENTRY}|mfn_\w+|_mh_dylib_header|__dso_handle")
"""An extension's entry, the engine's public header, and what the linker for macOS puts in."""

LIBRARIES = {
    "windows": r"python3\.dll|kernel32\.dll|api-ms-win-crt-\w+-l1-1-0\.dll",
    "macos": r"/usr/lib/libSystem\.B\.dylib",
    "musl": r"libc\.so",
    "gnu": r"lib(c|m|pthread)\.so\.\d|ld-linux-[\w-]+\.so\.\d",
}
"""System to the libraries that an extension may ask for: those which each installation has."""


class Seen(NamedTuple):
    """What an extension asks for and gives."""

    libraries: list[str]
    exports: list[str]
    wrong: list[str]
    """What else is wrong with it, a line each."""


def _elf(data: bytes, _: Target) -> Seen:
    dynamic = list(ELFFile(io.BytesIO(data)).get_section_by_name(".dynamic").iter_tags())
    symbols = ELFFile(io.BytesIO(data)).get_section_by_name(".dynsym").iter_symbols()
    paths = [t.entry.d_tag for t in dynamic if t.entry.d_tag in ("DT_RPATH", "DT_RUNPATH")]
    return Seen([t.needed for t in dynamic if t.entry.d_tag == "DT_NEEDED"],
                [s.name for s in symbols if s.name and s["st_shndx"] != "SHN_UNDEF"],
                [f"has {name}, a folder of the machine that built it" for name in paths])


def _dll(data: bytes, _: Target) -> Seen:
    found = pefile.PE(data=data)
    return Seen([d.dll.decode().lower() for d in found.DIRECTORY_ENTRY_IMPORT],
                [s.name.decode() for s in found.DIRECTORY_ENTRY_EXPORT.symbols], [])


def _version(packed: int) -> str:
    return f"{packed >> 16}_{packed >> 8 & 255}"


def _mach(data: bytes, target: Target) -> Seen:
    # The library reads files by name alone.
    mach = MachO.__new__(MachO)
    mach.graphident, mach.filename, mach.loader_path = "", "", ""
    mach.fat, mach.headers, mach.allow_unknown_load_commands = None, [], True
    mach.load(io.BytesIO(data))
    (header,) = mach.headers
    libraries, itself, oldest, signed = [], "", "", False
    for kind, command, rest in header.commands:
        if kind.cmd == LC_LOAD_DYLIB:
            libraries.append(rest.partition(b"\0")[0].decode())
        elif kind.cmd == LC_ID_DYLIB:
            itself = rest.partition(b"\0")[0].decode()
        elif kind.cmd == LC_BUILD_VERSION:
            oldest = _version(command.minos)
        elif kind.cmd == LC_VERSION_MIN_MACOSX:
            oldest = _version(command.version)
        signed |= kind.cmd == LC_CODE_SIGNATURE
    exports = [name.decode().removeprefix("_") for _, name in _external(mach, data)]
    wrong = [] if f"macosx_{oldest}_" in target.platform else [f"is for macOS {oldest} and later"]
    if "/" in itself.removeprefix("@rpath/"):
        wrong.append(f"calls itself {itself}, a place on the machine that built it")
    if "arm64" in target.platform and not signed:
        wrong.append("is not signed, as that system demands")
    return Seen(libraries, exports, wrong)


def _external(mach: MachO, data: bytes) -> list[tuple[int, bytes]]:
    """Type and name of each symbol that a Mach-O file defines for others."""
    out = []
    for kind, command, _ in mach.headers[0].commands:
        if kind.get_cmd_name() == "LC_SYMTAB":
            for i in range(command.nsyms):
                entry = data[command.symoff + 16 * i:command.symoff + 16 * i + 16]
                name, flags = int.from_bytes(entry[:4], "little"), entry[4]
                # Bit 0: for others; bits 1-3: 0 where another file defines it; bit 4: hidden.
                if flags & 0x11 == 1 and flags & 0x0E:
                    start = command.stroff + name
                    out.append((flags, data[start:data.index(b"\0", start)]))
    return out


def system(target: Target) -> str:
    """The system of a target, as LIBRARIES names it; its order matters for windows-gnu."""
    return next(name for name in LIBRARIES if name in target.triple)


def extension(data: bytes, target: Target) -> list[str]:
    """What is wrong with the extension of a target, a line each."""
    wrong = content.machine(data, target.platform)
    if wrong:
        return [wrong]
    read = _dll if target.windows else _mach if target.macos else _elf
    seen = read(data, target)
    allowed = re.compile(LIBRARIES[system(target)])
    out = [f"asks for {name}" for name in seen.libraries if not allowed.fullmatch(name)]
    out += [f"exports {name}" for name in seen.exports if not EXPORTS.fullmatch(name)]
    if ENTRY not in seen.exports:
        out.append(f"does not export {ENTRY}")
    return out + seen.wrong


def of(path: Path) -> Target | None:
    """The target of a wheel, by its name; None for the pure one and for wheels of others."""
    return next((t for t in TARGETS if path.stem.endswith(f"-{t.tag}")), None)


def _say(*words: str) -> tuple[int, str]:
    """Exit status and words of a tool that lies beside this Python."""
    program = Path(sys.executable).parent / words[0]
    done = subprocess.run([str(program), *words[1:]], text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


def tools(path: Path, target: Target) -> list[str]:
    """What the tools of the platforms find wrong with a wheel, a line each.

    Raises FileNotFoundError where one is not installed.
    """
    out = []
    status, said = _say("abi3audit", "--strict", str(path))
    if status:
        out.append(f"abi3audit: {' '.join(said.split())}")
    # Nothing for macOS runs elsewhere, and for musl auditwheel looks for this system's libc.so.
    if target.macos or system(target) == "musl":
        return out
    if target.windows:
        status, said = _say("delvewheel", "show", str(path))
        return [*out, f"delvewheel: {said}"] if status else out
    status, said = _say("auditwheel", "show", str(path))
    names = target.platform.split(".")
    if status or not any(f'platform tag: "{n}"' in said or f'"{n}".' in said for n in names):
        out.append(f"auditwheel: {' '.join(said.split())}")
    return out


def wheel(path: Path, target: Target) -> list[str]:
    """What is wrong with a wheel for a target, a line each."""
    files = pack.members(path)
    if pack.engine(files) != target.member:
        return [f"holds {pack.engine(files) or 'no extension'}, not {target.member}"]
    return extension(files[target.member], target) + tools(path, target)
