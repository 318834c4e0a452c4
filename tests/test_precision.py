# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The names of precisions: one list for the header, the module and the command."""

import re
from pathlib import Path

from efm3.precision import LEAST, PRECISIONS

HEADER = Path(__file__).resolve().parent.parent / "engine" / "include" / "facex_mfn.h"


def test_the_names_are_those_of_the_header_in_its_order():
    found = re.findall(r"MFN_(F32|HIGH|FAST) = (\d)", HEADER.read_text(encoding="utf-8"))
    assert [(name.lower(), int(n)) for name, n in found] == [
        (name, i) for i, name in enumerate(PRECISIONS)]


def test_the_header_and_the_page_promise_the_same():
    text = HEADER.read_text(encoding="utf-8")
    page = (HEADER.parents[2] / "docs" / "precision.md").read_text(encoding="utf-8")
    assert set(LEAST) == set(PRECISIONS) - {"f32"}
    for least in LEAST.values():
        assert str(least) in text and str(least) in page
