# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Which wheels something here runs, and what is said of a wheel that does not work."""

import platform
import sys
from pathlib import Path

import pytest

from tools.release import BuildFailed
from tools.wheels import tried

NEEDS = ("cyclonedx", "elftools")
SCRIPT = "import sys; print({said!r}); sys.exit({status})"


def wheel(tag):
    return Path(f"efm3-1-{tag}.whl")


def test_a_wheel_that_nothing_runs_is_said_to_be(monkeypatch):
    machine = platform.machine()
    assert tried.refused(wheel("py3-none-any")) == ""
    assert tried.refused(wheel(f"cp310-abi3-manylinux_2_17_{machine}")) == ""
    for tag in ("manylinux_2_17_s390x", "win_arm64", "macosx_11_0_arm64"):
        assert tried.refused(wheel(f"cp310-abi3-{tag}")) == "nothing here has a Python for it"
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(tried, "EMULATOR", "nowhere-qemu")
    for tag in ("manylinux_2_17_aarch64", "musllinux_1_2_x86_64", "musllinux_1_2_aarch64"):
        with monkeypatch.context() as m:
            m.setattr(tried, "MUSL", Path("/nowhere"))
            assert "install_foreign.sh" in tried.refused(wheel(f"cp310-abi3-{tag}"))
    monkeypatch.setattr(tried, "WINE", "/nowhere/wine")
    assert "install_zig.sh" in tried.refused(wheel("cp310-abi3-win_amd64"))
    monkeypatch.setattr(tried, "WINE", sys.executable)
    monkeypatch.setattr(tried, "WINDOWS", Path("/nowhere/python.exe"))
    assert "install_windows_python.sh" in tried.refused(wheel("cp310-abi3-win_amd64"))


def test_what_starts_a_program_for_musl(monkeypatch, tmp_path):
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    for name, machine in (("ARM", "aarch64"), ("MUSL", "x86_64")):
        monkeypatch.setattr(tried, name, tmp_path / name)
        monkeypatch.setattr(tried, "EMULATOR", sys.executable)
        assert tried.loader(machine) == []
        there = tmp_path / name / "lib" / f"ld-musl-{machine}.so.1"
        there.parent.mkdir(parents=True)
        there.touch()
        assert tried.loader(machine) == [sys.executable] * (name == "ARM") + [str(there)]
        assert tried.refused(wheel(f"cp310-abi3-musllinux_1_2_{machine}")) == ""
    monkeypatch.setattr(tried, "EMULATOR", "nowhere-qemu")
    assert tried.loader("aarch64") == [] != tried.loader("x86_64")


@pytest.mark.parametrize("tag,prepare", [
    ("cp310-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64", "here"), ("py3-none-any", "here"),
    ("cp310-abi3-manylinux2014_aarch64.manylinux_2_17_aarch64", "arm"),
    ("cp310-abi3-win_amd64", "wine")])
def test_each_wheel_has_its_python(monkeypatch, tag, prepare):
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    for name in ("here", "arm", "wine"):
        monkeypatch.setattr(tried, name, lambda w, f, name=name: ([name, "python"], {}))
    called = []
    monkeypatch.setattr(tried, "_run", lambda words, folder, env: called.append(words[2:]) or (
        "no engine\n" if tag == "py3-none-any" else "neon\n"))
    tried.attempt(wheel(tag))
    assert called == [[prepare, "python"]]


@pytest.mark.parametrize("tag,said,status,result", [
    ("cp310-abi3-linux", "avx2", 0, "computed with avx2"),
    ("py3-none-any", "no engine", 0, "computed with no engine"),
    ("cp310-abi3-linux", "no engine", 0, "FAILED: efm3-1-cp310-abi3-linux.whl computed with no"),
    ("py3-none-any", "avx2", 0, "FAILED: efm3-1-py3-none-any.whl computed with avx2"),
    ("cp310-abi3-linux", "avx2", 3, "exit 3"),
])
def test_what_a_wheel_computes_with_must_be_what_it_holds(monkeypatch, tmp_path, tag, said, status,
                                                         result):
    script = tmp_path / "program.py"
    script.write_text(SCRIPT.format(said=said, status=status))
    monkeypatch.setattr(tried, "NEWCOMER", script)
    monkeypatch.setattr(tried, "here", lambda w, f: ([], {}))
    monkeypatch.setattr(platform, "machine", lambda: "other")
    try:
        got = tried.attempt(wheel(tag))
    except BuildFailed as e:
        got = f"FAILED: {e}"
    assert result in got
