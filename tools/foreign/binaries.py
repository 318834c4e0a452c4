# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a compiled program or library says of itself: ELF, PE, Mach-O and WebAssembly.

Read here, since no one tool of a common system reads all four. For what we compiled: a file that is
damaged raises struct.error, ValueError or IndexError.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

ELF_MACHINES = {62: "x86_64", 183: "aarch64"}
PE_MACHINES = {0x8664: "x86_64", 0xaa64: "aarch64"}
MACH_MACHINES = {0x01000007: "x86_64", 0x0100000c: "aarch64"}


class Binary(NamedTuple):
    """A file: its format, processor, libraries it asks for, names it gives, and the newest glibc
    whose functions it calls, (0, 0) where none."""

    kind: str
    machine: str
    libraries: frozenset[str] = frozenset()
    exports: frozenset[str] = frozenset()
    glibc: tuple[int, int] = (0, 0)


def _text(data: bytes, at: int) -> str:
    return data[at:data.index(0, at)].decode("ascii")


def _elf(data: bytes) -> Binary:
    (machine,) = struct.unpack_from("<H", data, 18)
    (table,) = struct.unpack_from("<Q", data, 40)
    size, count = struct.unpack_from("<HH", data, 58)
    # (type, offset, bytes, linked section, entries of a version table)
    sections = [struct.unpack_from("<4xI16xQQII", data, table + i * size) for i in range(count)]
    libraries, exports, glibc = set(), set(), (0, 0)
    for kind, offset, length, link, entries in sections:
        if kind not in (6, 11, 0x6ffffffe):
            continue
        names = sections[link][1]
        if kind == 6:  # dynamic
            for at in range(offset, offset + length, 16):
                tag, value = struct.unpack_from("<QQ", data, at)
                if tag == 1:  # needed
                    libraries.add(_text(data, names + value))
        elif kind == 11:  # dynamic symbols
            for at in range(offset, offset + length, 24):
                name, info, _, section = struct.unpack_from("<IBBH", data, at)
                if section and info >> 4 in (1, 2):  # defined; global or weak
                    exports.add(_text(data, names + name))
        else:  # versions that are needed: a list for each library
            for _ in range(entries):
                n, first, after = struct.unpack_from("<2xH4xII", data, offset)
                at = offset + first
                for _ in range(n):
                    name, following = struct.unpack_from("<8xII", data, at)
                    version = _text(data, names + name)
                    if version.startswith("GLIBC_2."):
                        glibc = max(glibc, (2, int(version.split(".")[1])))
                    at += following
                offset += after
    return Binary("ELF", ELF_MACHINES.get(machine, "?"), frozenset(libraries), frozenset(exports),
                  glibc)


def _pe(data: bytes) -> Binary:
    (start,) = struct.unpack_from("<I", data, 0x3c)
    machine, count = struct.unpack_from("<HH", data, start + 4)
    (optional,) = struct.unpack_from("<H", data, start + 20)
    head = start + 24
    # (bytes, address, bytes in the file, offset)
    sections: list[tuple[int, int, int, int]] = [
        struct.unpack_from("<8xIIII", data, head + optional + 40 * i) for i in range(count)]

    def at(address: int) -> int:
        for size, base, kept, offset in sections:
            if base <= address < base + max(size, kept):
                return address - base + offset
        raise ValueError(f"no section holds {address:#x}")

    exported, _, imported, _ = struct.unpack_from("<IIII", data, head + 112)
    exports, libraries = set(), set()
    if exported:
        total, _, names = struct.unpack_from("<III", data, at(exported) + 24)
        for (name,) in struct.iter_unpack("<I", data[at(names):][:4 * total]):
            exports.add(_text(data, at(name)))
    row = at(imported) if imported else 0
    while imported and any(data[row:row + 20]):
        libraries.add(_text(data, at(struct.unpack_from("<I", data, row + 12)[0])).lower())
        row += 20
    return Binary("PE", PE_MACHINES.get(machine, "?"), frozenset(libraries), frozenset(exports))


def _mach(data: bytes) -> Binary:
    (machine,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<I", data, 16)
    libraries, exports, at = set(), set(), 32
    for _ in range(count):
        command, size = struct.unpack_from("<II", data, at)
        if command & 0x7fffffff in (0xc, 0x18, 0x1f):  # loads a library; weakly; and gives it on
            libraries.add(_text(data, at + struct.unpack_from("<I", data, at + 8)[0]))
        elif command == 2:  # symbols
            first, n, names = struct.unpack_from("<III", data, at + 8)
            for i in range(n):
                name, kind = struct.unpack_from("<IB", data, first + 16 * i)
                if kind & 0x1f == 0x0f:  # external, defined in a section, not private
                    exports.add(_text(data, names + name).removeprefix("_"))
        at += size
    return Binary("Mach-O", MACH_MACHINES.get(machine, "?"), frozenset(libraries),
                  frozenset(exports))


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where it ends."""
    value = shift = 0
    while True:
        byte, at = data[at], at + 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def _word(data: bytes, at: int) -> tuple[str, int]:
    n, at = _number(data, at)
    return data[at:at + n].decode(), at + n


def _imports(body: bytes) -> Iterator[str]:
    n, at = _number(body, 0)
    for _ in range(n):
        module, at = _word(body, at)
        _, at = _word(body, at)
        kind, at = body[at], at + 1
        if kind != 0:
            raise ValueError(f"an import of kind {kind} from {module}; a function was expected")
        _, at = _number(body, at)
        yield module


def _wasm(data: bytes) -> Binary:
    libraries: set[str] = set()
    exports: set[str] = set()
    at = 8
    while at < len(data):
        section = data[at]
        size, at = _number(data, at + 1)
        body, at = data[at:at + size], at + size
        if section == 2:
            libraries |= set(_imports(body))
        elif section == 7:
            n, place = _number(body, 0)
            for _ in range(n):
                name, place = _word(body, place)
                _, place = _number(body, place + 1)
                exports.add(name)
    return Binary("wasm", "wasm32", frozenset(libraries), frozenset(exports))


def look(data: bytes) -> Binary:
    """What a file's bytes say; raises ValueError where they are none of the four formats, or an
    object of Windows, which has no mark but its processor."""
    for magic, reader in ((b"\x7fELF\x02\x01", _elf), (b"MZ", _pe),
                          (b"\xcf\xfa\xed\xfe", _mach), (b"\0asm", _wasm)):
        if data.startswith(magic):
            return reader(data)
    machine = PE_MACHINES.get(int.from_bytes(data[:2], "little"))
    if machine:
        return Binary("COFF", machine)
    raise ValueError(f"neither ELF nor PE, Mach-O or WebAssembly: {data[:8].hex()}")
