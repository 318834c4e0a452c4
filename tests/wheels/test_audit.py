# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What an extension must not be is seen on the one that lies here."""

from pathlib import Path

import pytest

from tools.wheels import audit
from tools.wheels.targets import TARGETS

NEEDS = ("elftools", "pefile", "macholib")


def target(triple):
    return next(t for t in TARGETS if t.triple == triple)


def unplaced(lines):
    """The lines but that for the folder which some Pythons write into what they build here."""
    return [line for line in lines if "a folder of the machine" not in line]


@pytest.fixture(scope="module")
def here():
    module = pytest.importorskip("efm3._engine", reason="the engine is not built")
    data = Path(module.__file__).read_bytes()
    if data[:4] != b"\x7fELF" or data[18] != 62:
        pytest.skip("the engine here is not for x86_64 Linux")
    return data


def test_an_extension_that_is_right(here):
    assert unplaced(audit.extension(here, target("x86_64-linux-gnu.2.17"))) == []


def test_one_for_another_system_or_machine_is_seen(here):
    assert "asks for libc.so.6" in audit.extension(here, target("x86_64-linux-musl"))
    for triple, said in (("aarch64-linux-gnu.2.17", "is for machine 62, not 183"),
                         ("x86_64-windows-gnu", "is no DLL"),
                         ("x86_64-macos.11.0", "is no Mach-O")):
        (line,) = audit.extension(here, target(triple))
        assert line.startswith(said)


def test_another_entry_is_seen(here):
    changed = here.replace(b"PyInit__engine\0", b"PyInit__motors\0")
    assert unplaced(audit.extension(changed, target("x86_64-linux-gnu.2.17"))) == [
        "exports PyInit__motors", "does not export PyInit__engine"]


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.triple)
def test_the_libraries_of_each_system_are_known(target):
    assert audit.system(target) in target.triple
    assert audit.of(Path(f"efm3-1-{target.tag}.whl")) == target


def test_other_wheels_are_not_audited():
    assert audit.of(Path("efm3-1-py3-none-any.whl")) is None
