# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The systems that get a wheel: each tag is one that the checks know, and names one extension."""

import pytest

from tools.release import content
from tools.wheels.targets import TARGETS


def test_no_two_wheels_have_one_name():
    names = [name for t in TARGETS for name in t.platform.split(".")]
    assert len(set(names)) == len(names) and len({t.triple for t in TARGETS}) == len(TARGETS)


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.triple)
def test_the_machine_of_each_is_checked(target):
    kind = "DLL" if target.windows else "Mach-O file" if target.macos else "ELF file"
    for name in target.platform.split("."):
        assert content.machine(b"", name) == f"is no {kind}"
    assert target.member == f"efm3/_engine.{'pyd' if target.windows else 'abi3.so'}"
    assert target.tag.startswith("cp310-abi3-")
