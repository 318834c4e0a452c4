# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""C arrays: a compiler sees the file's bytes, aligned; the text reads back."""

import ctypes
import shutil
import subprocess
from dataclasses import replace

import pytest

import efm3
from efm3.conformance import sample
from efm3.convert import write
from efm3.convert.checked import convert


def cc(*words):
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    subprocess.run(["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", *map(str, words)], check=True)


def test_round_trip(vector, odd_text, round_trip):
    for suffix in (".c", ".h"):
        round_trip(vector, suffix)
        round_trip(odd_text, suffix)


def test_c_source_holds_the_bytes(vector, tmp_path):
    convert(vector, tmp_path / "face-weights.c", verify=False)
    cc("-shared", "-fPIC", "-o", tmp_path / "x.so", tmp_path / "face-weights.c")
    library = ctypes.CDLL(str(tmp_path / "x.so"))
    size = ctypes.c_size_t.in_dll(library, "face_weights_size").value
    data = (ctypes.c_ubyte * size).in_dll(library, "face_weights")
    assert bytes(data) == vector.read_bytes()
    assert ctypes.addressof(data) % 64 == 0


def test_the_array_is_aligned_by_declaration(tmp_path):
    for suffix in ("h", "c"):
        write(efm3.load(sample.base()), tmp_path / f"a.{suffix}")
        (tmp_path / "x.c").write_text(
            f'#include "a.{suffix}"\n_Static_assert(__alignof__(a) >= 64, "alignment");\n'
            "size_t use(void) { return a_size + a[0]; }\n")
        cc("-c", "-o", tmp_path / "x.o", tmp_path / "x.c")


def test_header_in_two_sources(tmp_path):
    (tmp_path / "a.bin").write_bytes(sample.base())
    convert(tmp_path / "a.bin", tmp_path / "3d.h")
    use = ('#include "3d.h"\n#include "3d.h"\n'
           'size_t {}(void) {{ return efm3_3d_size + efm3_3d[0]; }}')
    for name in ("f", "g"):
        (tmp_path / f"{name}.c").write_text(use.format(name))
    cc("-shared", "-fPIC", "-o", tmp_path / "x.so", tmp_path / "f.c", tmp_path / "g.c")
    assert ctypes.CDLL(str(tmp_path / "x.so")).f() == len(sample.base()) + ord("E")


def test_cpp(tmp_path):
    if shutil.which("c++") is None:
        pytest.skip("no C++ compiler")
    write(efm3.load(sample.base()), tmp_path / "a.h")
    write(efm3.load(sample.base()), tmp_path / "b.c")
    (tmp_path / "x.cc").write_text('#include "a.h"\n#include "b.c"\nint x = a[0] + b[0];\n')
    subprocess.run(["c++", "-std=c++11", "-Wall", "-Werror", "-c", "-o", tmp_path / "x.o",
                    tmp_path / "x.cc"], check=True)


def test_a_name_cannot_leave_its_comment(tmp_path):
    model = efm3.load(sample.base())
    model.arch = replace(model.arch, name='x\n*/ int y; "\\')
    model.mirror = {**model.mirror, "name": model.arch.name}
    write(model, tmp_path / "a.c")
    assert b'"x?*/ int y; ??"' in (tmp_path / "a.c").read_bytes()
    cc("-c", "-o", tmp_path / "a.o", tmp_path / "a.c")


@pytest.mark.parametrize("change,code", [
    (lambda t: b"", "X003"), (lambda t: t[:500], "X003"),
    (lambda t: t.replace(b"0x45", b"0x4g"), "X003"),
    (lambda t: t.replace(b"0x45,0x46", b"0x46,0x46", 1), "C002"),
    (lambda t: t.replace(b"[] = {\n", b"[] = {\n\xff"), "X003"),
])
def test_text_that_is_none(tmp_path, refused, change, code):
    write(efm3.load(sample.base()), tmp_path / "a.c")
    (tmp_path / "a.c").write_bytes(change((tmp_path / "a.c").read_bytes()))
    refused(tmp_path / "a.c", code)
