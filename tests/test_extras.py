# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Extras: one hint, and none that tells people to install an unregistered name."""

import re
from pathlib import Path

import pytest

from efm3 import Efm3Error, extras

ROOT = Path(__file__).resolve().parent.parent


def test_a_missing_library_is_named_with_its_extra():
    with pytest.raises(Efm3Error, match=r"X002.*this needs no_such_library; install the extra "
                                        r"`train`: pip install '\.\[train\]'"):
        extras.need("no_such_library.inner", "train")
    assert extras.need("json", "train").dumps(1) == "1"
    assert "\n" not in extras.hint("onnx")


def test_nothing_says_to_install_by_name():
    """The package is on no index: its name there could be anybody's."""
    files = [p for top in ("efm3", "docs", "tools", "spec", "weights", "examples")
             for p in (ROOT / top).rglob("*") if p.suffix in (".py", ".md")]
    for path in [*files, ROOT / "README.md", ROOT / "SECURITY.md"]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"pip install (-\S+ )*['\"]?efm3\b", text), path
        assert not re.search(r"(?<!ROOT/)\befm3\[[a-z]", text), path
