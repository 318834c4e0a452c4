# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the target of checkpoints lets pass: PyTorch takes names of entries in any case."""

import io
import zipfile

import pytest

from tests.fuzz import checkpoints

NEEDS = ("torch",)


def renamed(data, change):
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for one in old.infolist():
            new.writestr(change(one.filename), old.read(one))
    return out.getvalue()


@pytest.fixture
def data():
    import torch

    out = io.BytesIO()
    torch.save({"a": torch.arange(6.0)}, out)
    return out.getvalue()


def test_capitals_are_another_name_here_and_none_to_pytorch(data):
    assert checkpoints.check_torch(data) == "both 1"
    assert checkpoints.check_torch(renamed(data, lambda n: n.replace("data/0", "daTa/0"))) == "X003"


def test_a_missing_entry_is_still_told(data, monkeypatch):
    """Where no name has capitals, PyTorch's reading what ours does not find is a finding."""
    class Blind(checkpoints.Checkpoint):
        def _raw(self, storage, place):
            checkpoints.efm3.findings.refuse("X003", "the storage is not in it", "x")
    monkeypatch.setattr(checkpoints, "Checkpoint", Blind)
    with pytest.raises(AssertionError, match="PyTorch reads it: X003"):
        checkpoints.check_torch(data)
