# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The engine for other systems: what is judged, without the compiler (test_platforms_long.py)."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from tools.foreign import binaries, platforms

ROOT = Path(__file__).resolve().parents[2]
SYSTEMS = {s.target: s for s in platforms.SYSTEMS}
GLIBC = SYSTEMS["x86_64-linux-gnu.2.17"]
NAMES = frozenset(platforms.declared())


def binary(*libraries, machine="x86_64", exports=NAMES, glibc=(2, 17), kind="ELF"):
    return binaries.Binary(kind, machine, frozenset(libraries), frozenset(exports), glibc)


def test_every_target_of_the_plan_is_there_once():
    assert len(SYSTEMS) == len(platforms.SYSTEMS)
    both = {f"{m}-{s}" for m in ("x86_64", "aarch64")
            for s in ("linux-gnu.2.17", "linux-musl", "windows-gnu", "macos")}
    assert set(SYSTEMS) == both | {"wasm32-wasi", "aarch64-linux-android", "x86_64-windows-msvc"}
    assert {s.kind[0] for s in SYSTEMS.values()} == {"ELF", "PE", "Mach-O", "wasm", "COFF"}


def test_the_headers_functions():
    assert {"mfn_version", "mfn_engine_init", "mfn_fma_peak", "mfn_similarity"} <= NAMES


@pytest.mark.parametrize("target,found,library,wrong", [
    (GLIBC.target, binary("libc.so.6", "libm.so.6"), True, ""),
    (GLIBC.target, binary("libc.so.6", machine="aarch64"), False, "is ELF of aarch64, not"),
    (GLIBC.target, binary("libc.so.6", "libgomp.so.1"), False, "asks for libgomp.so.1"),
    (GLIBC.target, binary("libc.so.6", glibc=(2, 18)), False, "asks for glibc 2.18"),
    (GLIBC.target, binary(glibc=(0, 0)), False, "asks for glibc 0.0"),
    (GLIBC.target, binary(exports=[]), False, ""),
    (GLIBC.target, binary(exports=NAMES | {"mfn_os_open"}), True, "than the header: mfn_os_open"),
    (GLIBC.target, binary(exports=NAMES - {"mfn_version"}), True, "than the header: mfn_version"),
    (GLIBC.target, binary(exports=NAMES | {"_init"}), True, ""),
    ("x86_64-windows-gnu", binary("kernel32.dll", "api-ms-win-crt-heap-l1-1-0.dll", kind="PE"),
     True, ""),
    ("x86_64-windows-gnu", binary("libwinpthread-1.dll", kind="PE"), False, "libwinpthread-1"),
    ("x86_64-macos", binary("@rpath/libomp.dylib", kind="Mach-O"), False, "asks for @rpath"),
    ("x86_64-windows-msvc", binary(kind="COFF"), False, ""),
    ("aarch64-linux-android", binary(), False, "is ELF of x86_64, not ELF of aarch64"),
])
def test_what_is_amiss(target, found, library, wrong):
    said = platforms.amiss(SYSTEMS[target], found, library)
    assert (wrong in said) if wrong else said == ""


def test_what_runs_here(monkeypatch, tmp_path):
    assert not platforms.runs(SYSTEMS["aarch64-macos"], "aarch64")
    assert platforms.runs(GLIBC, "x86_64") is (sys.platform == "linux")
    assert not platforms.runs(GLIBC, "x86")
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    assert platforms.runs(SYSTEMS["wasm32-wasi"], "x86_64")
    monkeypatch.setattr(platforms, "ARM", tmp_path / "none")
    arm = SYSTEMS["aarch64-linux-gnu.2.17"]._replace(
        runner=("qemu-aarch64", "-L", str(tmp_path / "none")))
    assert not platforms.runs(arm, "x86_64")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert not platforms.runs(SYSTEMS["wasm32-wasi"], "x86_64")


def test_without_the_compiler_it_says_so(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(platforms, "ZIG", tmp_path / "zig")
    monkeypatch.setattr(sys, "argv", ["platforms"])
    assert platforms.main() == 0
    assert "skipped, no build/zig (tools/foreign/install_zig.sh)" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["platforms", "vax-vms"])
    assert platforms.main() == 3 and "no such target: vax-vms" in capsys.readouterr().err


def fake(tmp_path, text):
    zig = tmp_path / "zig"
    zig.write_text("#!/bin/sh\n" + text, encoding="utf-8")
    zig.chmod(0o755)
    return zig


@pytest.mark.skipif(sys.platform == "win32" or shutil.which("cc") is None,
                    reason="the fake compiler is a shell script; no C compiler")
@pytest.mark.parametrize("text,said", [
    ("echo 'error: planted' >&2; exit 1\n", "FAILED: error: planted"),
    ("exit 4\n", "FAILED: zig cc: exit 4"),
    # It makes a script whatever it is asked for.
    ('while [ "$1" != -o ]; do shift; done; echo "#!" >"$2"\n', "FAILED: neither ELF nor PE"),
])
def test_a_failing_compiler_is_a_failure(text, said, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(platforms, "ZIG", fake(tmp_path, text))
    monkeypatch.setattr(platforms, "cc", lambda *words: "")  # the check here is not what is tried
    monkeypatch.setattr(platforms, "_said", lambda *words: "")
    monkeypatch.setattr(sys, "argv", ["platforms", "aarch64-linux-android"])
    assert platforms.main() == 1 and said in capsys.readouterr().out


def test_the_page_tells_of_every_target():
    page = (ROOT / "docs/firmware.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| `(\w+-[\w.-]+)` \|", page, re.MULTILINE))
    assert rows == set(SYSTEMS)
