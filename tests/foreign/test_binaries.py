# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What programs say of themselves: this machine's own, and the smallest of the other kinds."""

import os
import shutil
import struct
import subprocess
import sys

import pytest

from tools.foreign import binaries

TWO = ("int mfn_a(void) { return 1; } int mfn_b = 2; static int own;"
       "int *mfn_c(void) { return &own; }")


@pytest.mark.skipif(sys.platform != "linux" or os.uname().machine not in ("x86_64", "aarch64")
                    or shutil.which("cc") is None, reason="no C compiler that makes ELF here")
def test_elf(tmp_path):
    (tmp_path / "two.c").write_text(f"#include <math.h>\n{TWO}double mfn_d(double x)"
                                    "{ return cbrt(x); }", encoding="utf-8")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", "two.so", "two.c", "-lm"], cwd=tmp_path,
                   check=True)
    found = binaries.look((tmp_path / "two.so").read_bytes())
    assert found[:2] == ("ELF", os.uname().machine)
    assert {n for n in found.exports if n.startswith("mfn_")} == {"mfn_a", "mfn_b", "mfn_c",
                                                                   "mfn_d"}
    assert "own" not in found.exports and "cbrt" not in found.exports
    if "libm.so.6" in found.libraries:  # glibc
        assert (2, 0) < found.glibc < (3, 0)


def pe(library=b"KERNEL32.dll\0", name=b"mfn_a\0"):
    """One section at address 0x1000 and offset 0x200 with a name given and a library asked for."""
    section = bytearray(0x200)
    section[0x18:0x24] = struct.pack("<III", 1, 0, 0x1060)  # one name, in the table at 0x1060
    section[0x60:0x64] = struct.pack("<I", 0x1070)
    section[0x70:0x70 + len(name)] = name
    section[0x8c:0x90] = struct.pack("<I", 0x10c0)
    section[0xc0:0xc0 + len(library)] = library
    head = bytearray(0x200)
    head[:2] = b"MZ"
    head[0x3c:0x40] = struct.pack("<I", 0x40)
    head[0x40:0x58] = b"PE\0\0" + struct.pack("<HHIIIHH", 0xaa64, 1, 0, 0, 0, 128, 0)
    head[0x58 + 112:0x58 + 128] = struct.pack("<IIII", 0x1000, 0x28, 0x1080, 0x28)
    head[0xd8:0xf0] = b".rdata\0\0" + struct.pack("<IIII", 0x200, 0x1000, 0x200, 0x200)
    return bytes(head + section)


def test_pe():
    assert binaries.look(pe()) == ("PE", "aarch64", {"kernel32.dll"}, {"mfn_a"}, (0, 0))
    with pytest.raises(ValueError, match="no section holds"):
        binaries.look(pe()[:0xd8] + bytes(0x18) + pe()[0xf0:])


def test_mach_o():
    """A library that is asked for, a name that is given, one private and one asked for."""
    path = b"/usr/lib/libSystem.B.dylib\0\0\0\0\0\0"
    load = struct.pack("<IIIIII", 0xc, 24 + len(path), 24, 0, 0, 0) + path
    names = b"\0_mfn_a\0_b\0_malloc\0"
    symbols = b"".join(struct.pack("<IBBHQ", at, kind, 1, 0, 0)
                       for at, kind in ((1, 0x0f), (8, 0x1f), (11, 0x01)))
    at = 32 + len(load) + 24
    table = struct.pack("<IIIIII", 2, 24, at, 3, at + len(symbols), len(names))
    head = struct.pack("<IIIIIIII", 0xfeedfacf, 0x0100000c, 0, 6, 2, 0, 0, 0)
    assert binaries.look(head + load + table + symbols + names) == (
        "Mach-O", "aarch64", {"/usr/lib/libSystem.B.dylib"}, {"mfn_a"}, (0, 0))


def test_wasm():
    def word(text):
        return bytes([len(text)]) + text
    imports = b"\1" + word(b"wasi") + word(b"fd_read") + b"\0\0"
    exports = b"\2" + word(b"mfn_a") + b"\0\1" + word(b"memory") + b"\2\0"
    module = b"\0asm\1\0\0\0" + b"\2" + word(imports) + b"\7" + word(exports)
    assert binaries.look(module) == ("wasm", "wasm32", {"wasi"}, {"mfn_a", "memory"}, (0, 0))
    with pytest.raises(ValueError, match="a function was expected"):
        binaries.look(module.replace(b"fd_read\0\0", b"fd_read\2\0"))


def test_what_is_none_of_them():
    assert binaries.look(b"\x64\x86" + bytes(18))[:2] == ("COFF", "x86_64")
    with pytest.raises(ValueError, match="neither ELF nor PE"):
        binaries.look(b"#!/bin/sh\n")
