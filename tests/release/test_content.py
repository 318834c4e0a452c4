# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What wheel and sdist hold: what lacks, what is foreign and what is changed is seen."""

import zipfile

import pytest

from tests.release.small import elf, make_sdist, make_wheel, members
from tools.release import content, pack
from tools.release.content import MACHINES

INFO = "efm3-1.2.3.dist-info"
ENGINE = pack.stable("linux_x86_64")


def test_a_wheel_that_is_right(release):
    assert content.wheel(make_wheel(release), release.root, "1.2.3") == []
    plain = make_wheel(release, members(release, engine=False), "py3-none-any")
    assert content.wheel(plain, release.root, "1.2.3") == []


@pytest.mark.parametrize("name", [
    "tests/test_scan.py", "efm3/__pycache__/scan.cpython-311.pyc", "build/lib/efm3/scan.py",
    "efm3/_other.abi3.so", f"{INFO}/direct_url.json"])
def test_a_foreign_file_is_seen(release, name):
    path = make_wheel(release, members(release) | {name: b"x"})
    (line,) = content.wheel(path, release.root, "1.2.3")
    assert line == f"{path.name} holds {name}, which is no file of the project"


@pytest.mark.parametrize("name", ["efm3/scan.py", "efm3/spec/EFM3.md", f"{INFO}/licenses/LICENSE"])
def test_a_file_that_lacks_is_seen(release, name):
    files = members(release)
    del files[name]
    path = make_wheel(release, files)
    assert content.wheel(path, release.root, "1.2.3") == [f"{path.name} lacks {name}"]


def test_a_wheel_for_a_machine_without_the_engine_is_seen(release):
    path = make_wheel(release, members(release, engine=False))
    assert content.wheel(path, release.root, "1.2.3") == [
        f"{path.name} lacks {ENGINE}", f"{path.name}: {ENGINE} is no ELF file"]


def test_a_stale_module_is_seen(release):
    path = make_wheel(release, members(release) | {"efm3/scan.py": b"SCAN = 0\n"})
    assert content.wheel(path, release.root, "1.2.3") == [
        f"{path.name}: efm3/scan.py is not as efm3/scan.py in the project"]


@pytest.mark.parametrize("platform,machine,order,said", [
    ("linux_x86_64", MACHINES["x86_64"], "<", ""),
    ("manylinux_2_17_aarch64.manylinux2014_aarch64", MACHINES["aarch64"], "<", ""),
    ("manylinux2014_aarch64", MACHINES["x86_64"], "<", "is for machine 62, not 183"),
    ("musllinux_1_2_x86_64", MACHINES["aarch64"], "<", "is for machine 183, not 62"),
    ("linux_s390x", MACHINES["s390x"], ">", ""),
    ("linux_s390x", MACHINES["s390x"], "<", ""),
    ("linux_s390x", MACHINES["riscv64"], ">", "is for machine 243, not 22"),
    ("win_amd64", MACHINES["x86_64"], "<", "is no DLL"),
    ("solaris_2_11_x86_64", MACHINES["x86_64"], "<", "does not know"),
])
def test_the_machine_of_an_extension(platform, machine, order, said):
    found = content.machine(elf(machine, order), platform)
    assert said in found and bool(said) == bool(found)


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"MZ" + bytes(30), b"\xcf\xfa\xed\xfe" * 8])
def test_an_extension_that_is_no_elf_file(data):
    assert content.machine(data, "linux_x86_64") == "is no ELF file"


def test_a_record_that_lies_is_seen(release):
    path = make_wheel(release)
    files = pack.members(path)
    files[f"{INFO}/RECORD"] = files[f"{INFO}/RECORD"].replace(b"sha256=", b"sha256=A", 1)
    with zipfile.ZipFile(path, "w") as z:
        for name, data in files.items():
            z.writestr(name, data)
    assert content.wheel(path, release.root, "1.2.3") == [
        f"{path.name}: RECORD does not state its files and their digests"]


def test_a_wheel_of_another_version_or_name(release):
    path = make_wheel(release)
    assert "no" in content.wheel(path, release.root, "1.2.4")[0]
    assert content.wheel(path.with_name("efm3-1.2.3.whl"), release.root, "1.2.3")


def test_an_sdist(release):
    assert content.sdist(make_sdist(release), release.root, "1.2.3") == []


@pytest.mark.parametrize("name,data,said", [
    ("build/stale.py", b"", " holds build/stale.py, which is no file of the project"),
    ("efm3/scan.py", None, " lacks efm3/scan.py"),
    ("efm3/scan.py", b"SCAN = 2\n", ": efm3/scan.py is not as efm3/scan.py in the project")])
def test_an_sdist_that_is_wrong(release, name, data, said):
    path = make_sdist(release, {name: data})
    assert content.sdist(path, release.root, "1.2.3") == [f"{path.name}{said}"]
