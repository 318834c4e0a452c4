# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A wheel for a system is the pure one, with one extension and another tag."""

import struct

import pytest

from tests.release import conftest, small
from tools.release import BuildFailed, content, pack
from tools.wheels import assembled
from tools.wheels.targets import TARGETS

NEEDS = ("cyclonedx", "elftools")
_first, release = conftest._first, conftest.release
WHEEL = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n\n"


def header(target):
    """The first bytes of an extension for a target."""
    name = target.platform.split(".")[0]
    if target.windows:
        return b"MZ" + bytes(58) + struct.pack("<I4sH", 64, b"PE\0\0", content.PE[name]) + bytes(9)
    processor = target.triple.split("-")[0]
    if target.macos:
        number = content.MACH["arm64" if processor == "aarch64" else processor]
        return struct.pack("<II", 0xFEEDFACF, number)
    return small.elf(content.MACHINES[processor])


@pytest.fixture
def plain(release):
    files = small.members(release, engine=False) | {
        "efm3-1.2.3.dist-info/WHEEL": WHEEL.encode()}
    return small.make_wheel(release, files, assembled.PURE)


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.triple)
def test_a_wheel_of_each_system_is_right(release, plain, target):
    path = assembled.platform(plain, target, header(target), release.out)
    pack.wheel(path, small.EPOCH, {"sboms/efm3.cdx.json": b""})
    assert content.wheel(path, release.root, "1.2.3") == []
    files, old = pack.members(path), pack.members(plain)
    changed = {n for n in files if files[n] != old.get(n)}
    assert changed == {target.member, *(f"efm3-1.2.3.dist-info/{n}" for n in ("WHEEL", "RECORD"))}
    for name in target.platform.split("."):
        assert f"\nTag: cp310-abi3-{name}\n".encode() in files["efm3-1.2.3.dist-info/WHEEL"]


def test_the_extension_of_another_system_is_seen(release, plain):
    for target, other in zip(TARGETS, TARGETS[1:] + TARGETS[:1], strict=True):
        path = assembled.platform(plain, target, header(other), release.out)
        pack.wheel(path, small.EPOCH, {"sboms/efm3.cdx.json": b""})
        same = target.triple.split("-")[:2] == other.triple.split("-")[:2]
        assert bool(content.wheel(path, release.root, "1.2.3")) is not same


def test_a_wheel_with_a_platform_is_not_taken_for_the_pure_one():
    with pytest.raises(BuildFailed, match="is not that of a wheel py3-none-any"):
        assembled.tagged(WHEEL.replace("py3-none-any", "cp310-abi3-linux_x86_64"), "a-b-c")


def test_a_build_that_makes_no_pure_wheel_fails_with_its_words(tmp_path):
    (tmp_path / "setup.py").write_text("raise SystemExit('no such thing')")
    with pytest.raises(BuildFailed, match="0 wheels py3-none-any were built"):
        assembled.pure(tmp_path, tmp_path / "out", small.EPOCH)
