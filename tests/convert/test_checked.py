# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""From file to file: named, checked before it takes its place, public as efm3.convert.convert."""

import numpy as np
import pytest

import efm3
from efm3.conformance import sample
from efm3.convert import checked


def test_it_is_public_and_says_what_was_done(tmp_path):
    assert efm3.convert.convert is checked.convert
    (tmp_path / "a.bin").write_bytes(sample.sealed())
    done = efm3.convert.convert(tmp_path / "a.bin", tmp_path / "b.npz", name="mine",
                                meta={"licence": "MIT"})
    assert (done.from_format, done.to_format, done.size) == (
        "bin", "npz", (tmp_path / "b.npz").stat().st_size)
    assert done.check.max_error == 0 and done.to_json()["check"]["min_cosine"] > 0.999
    back = efm3.convert.read(tmp_path / "b.npz")
    assert back.arch.name == "mine" and back.mirror["meta"]["licence"] == "MIT"


def test_a_result_that_differs_is_not_written(tmp_path, monkeypatch):
    (tmp_path / "a.bin").write_bytes(sample.base())
    (tmp_path / "b.bin").write_bytes(b"old")
    monkeypatch.setattr(checked.Network, "run", lambda self, x: np.random.default_rng().random(
        (len(x), 8)))
    with pytest.raises(efm3.Efm3Error, match="X013"):
        checked.convert(tmp_path / "a.bin", tmp_path / "b.bin")
    assert (tmp_path / "b.bin").read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 2


def test_unchecked_says_so(tmp_path):
    (tmp_path / "a.bin").write_bytes(sample.base())
    done = checked.convert(tmp_path / "a.bin", tmp_path / "b.npz", verify=False)
    assert done.check is None and (tmp_path / "b.npz").exists()
