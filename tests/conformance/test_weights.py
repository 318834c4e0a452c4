# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Weights and inputs of cases: seeded, the same everywhere, and lively enough to test with."""

import hashlib

import numpy as np
import pytest

import efm3
from efm3 import reference
from efm3.conformance import sample, weights
from efm3.network import tensor_layout


def test_bytes_never_change():
    digest = hashlib.sha256(weights.file(sample.ARCH, 1)).hexdigest()
    assert digest == "6af588fa49b0ee21d5ef5f4c9350799606e4b5aa12b32c1f9c7efc9786f99ea0"
    assert weights.file(sample.ARCH, 2) != weights.file(sample.ARCH, 1)


def test_tensors_are_the_layouts_and_valid():
    tensors = weights.tensors(sample.ARCH, 3)
    assert [(k, v.shape) for k, v in tensors.items()] == list(tensor_layout(sample.ARCH))
    assert not efm3.validate(weights.file(sample.ARCH, 3)).at_least("warning")


def test_every_layer_passes_a_signal_on():
    model = efm3.load(weights.file(sample.ARCH, 1))
    acts = reference.activations(model, weights.picture("drawn 1")[None])
    assert all(0.05 < float(a.std()) < 20 for a in acts.values() if a.size > 8)


@pytest.mark.parametrize("word", ["drawn 1", "noise 7", "constant -0.5", "point 1 2 3 nan",
                                  "vector odd_b 3"])
def test_pictures(word):
    x = weights.picture(word)
    assert x.shape == (3, 112, 112) and x.dtype == np.float32
    assert np.array_equal(x, weights.picture(word), equal_nan=True)


def test_a_point_is_where_it_should_be():
    x = weights.picture("point 2 5 7 0.25")
    assert x[2, 5, 7] == 0.25 and np.count_nonzero(x) == 1


@pytest.mark.parametrize("word", ["", "drawn", "sung 1", "point 3 0 0 1", "vector odd_b 9",
                                  "vector ../x 0", "constant much"])
def test_pictures_that_are_none(word):
    with pytest.raises(ValueError):
        weights.picture(word)
