# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""engine/tests/check_kernels.c sees every mistake that tools/mutants/kernels.py plants."""

import re
import shutil
from pathlib import Path

import pytest

from tools.mutants import kernels

ROOT = Path(__file__).resolve().parent.parent
LEAST = 4
"""Mistakes in each slot below float32 of each row."""


def test_every_row_and_slot_has_its_mistakes():
    text = (ROOT / "engine/src/isa.def").read_text(encoding="utf-8")
    assert list(kernels.SLOTS) == re.findall(r"^ROW\((\w+),", text, re.MULTILINE)
    for row, products in kernels.SLOTS.items():
        source = (ROOT / f"engine/src/kernels/{row}.c").read_text(encoding="utf-8")
        assert set(products) == set(re.findall(rf"&(?:set_)?(\w+?)__{row}", source)) - {""}
        for slot in (*products, *(f"{p}-q" for p in products)):
            count = sum(slot in m.slots_in(row) for m in kernels.of(row))
            assert count >= LEAST, f"{row} {slot}: {count}"
    for m in kernels.MISTAKES:
        assert m.old in (kernels.SRC / m.file).read_text(encoding="utf-8"), m.name


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
@pytest.mark.parametrize("row", [r for r in kernels.SLOTS if kernels.of(r)])
def test_every_mistake_is_seen(row):
    try:
        found = list(kernels.kill(row))
    except LookupError as e:
        pytest.skip(str(e))
    assert found
    assert not [f"{slot}: {m.name}" for m, slot, by in found if not by]
