# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The four weight files are those of the manifest, and say what they are."""

import hashlib
import json
from pathlib import Path

import pytest

import efm3
from efm3 import mirror, synthesis

FOLDER = Path(__file__).resolve().parent.parent / "weights"
MANIFEST = json.loads((FOLDER / "manifest.json").read_text())["files"]
PUBLISHED = {"nano": 826_875, "tiny": 1_856_763, "standard": 3_946_431, "xs": 8_422_586}


def test_all_four_are_there():
    assert [r["arch"] for r in MANIFEST] == list(efm3.ARCHS) == list(PUBLISHED)
    assert {p.name for p in FOLDER.glob("*.bin")} == {r["file"] for r in MANIFEST}


@pytest.mark.parametrize("row", MANIFEST, ids=lambda r: r["arch"])
def test_file(row):
    data = (FOLDER / row["file"]).read_bytes()
    assert len(data) == row["size"]
    assert hashlib.sha256(data).hexdigest() == row["sha256"]
    model = efm3.load(data)
    assert model.arch == efm3.ARCHS[row["arch"]]
    assert efm3.validate(data).findings == []
    meta = model.mirror["meta"]
    assert meta["trained"] is False and "Untrained" in meta["description"]
    plain = len(mirror.canonical(model.arch))
    text = int.from_bytes(data[88:92], "little")
    assert len(data) == PUBLISHED[row["arch"]] + text - plain


@pytest.mark.parametrize("row", MANIFEST[:2], ids=lambda r: r["arch"])
def test_anyone_gets_the_same_bytes(row):
    data = synthesis.dumps(efm3.ARCHS[row["arch"]], row["seed"])
    assert hashlib.sha256(data).hexdigest() == row["sha256"]
