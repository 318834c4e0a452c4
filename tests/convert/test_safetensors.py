# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""safetensors: round trips, what other tools read, and damage."""


import sys

import numpy as np
import pytest
from safetensors import numpy

import efm3
from efm3.convert import read, write
from efm3.convert._meta import ARCH_KEY

NEEDS = ("safetensors",)


def test_round_trip(vector, odd_text, round_trip):
    for path in (vector, odd_text):
        found = numpy.load_file(round_trip(path, ".safetensors"))
        model = efm3.load(path)
        assert set(found) == set(model.tensors)
        assert all((found[k] == v).all() for k, v in model.tensors.items())


def test_the_arch_is_in_the_metadata(small, tmp_path):
    from safetensors import safe_open
    write(small, tmp_path / "a.safetensors")
    with safe_open(tmp_path / "a.safetensors", "numpy") as f:
        assert '"embedding_dim":12' in f.metadata()[ARCH_KEY]


def test_sorted_keys_of_a_state_dict_find_their_order(small, state, tmp_path, refused):
    # The library sorts keys, so blocks stand as stages.0, stages.1, stages.10, ...
    path = tmp_path / "a.safetensors"
    numpy.save_file(state, path)
    model = read(path)
    assert all((model.tensors[k] == v).all() for k, v in small.tensors.items())
    refused(path, "X014", "order", strict=True)


def test_damage(small, tmp_path, refused):
    path = tmp_path / "a.safetensors"
    write(small, path)
    data = path.read_bytes()
    for bad in (b"", data[:4], data[:100], data[:-1], b"\xff" * 8 + data[8:], b"x" * 200):
        path.write_bytes(bad)
        refused(path, "X003", "safetensors")
    refused(tmp_path, "X001")
    with pytest.raises(OSError):
        read(tmp_path / "none.safetensors")


def test_integers_are_refused(state, tmp_path, refused):
    path = tmp_path / "a.safetensors"
    numpy.save_file(state | {"stem.bn.weight": np.zeros(8, np.int32)}, path)
    refused(path, "X006", "stem.bn.weight")


def test_without_the_library(small, tmp_path, monkeypatch, refused):
    (tmp_path / "a.safetensors").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "safetensors", None)
    refused(tmp_path / "a.safetensors", "X002", "extra `safetensors`")
