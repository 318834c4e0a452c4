# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Which convolution a BatchNorm belongs to, by their names alone."""

import pytest

from efm3.convert import _siblings


@pytest.mark.parametrize("convs,others,want", [
    ("conv1 conv2 conv3", "bn3 bn1 bn2", [2, 0, 1]), ("conv1 conv2", "prelu2", [1]),
    ("conv_dw conv_pw", "bn_pw bn_dw", [1, 0]), ("conv conv_dw", "bn_dw bn", [1, 0]),
    ("conv1 dw_conv2", "bn1 bn2", [0, 1]), ("convDw convPw", "bnPw bnDw", [1, 0]),
    ("conv1 conv2", "batch_norm2 batch_norm1", [1, 0]), ("expand dw", "dw_bn expand_bn", [1, 0]),
    ("conv1_1 conv1_2 conv2_1", "bn2_1 bn1_2", [2, 1]),
])
def test_names_that_say_it(convs, others, want):
    assert _siblings.owners(convs.split(), others.split()) == want


@pytest.mark.parametrize("convs,others", [
    ("conv_stem conv_dw", "bn1 bn2"), ("conv0 conv1", "bn1 bn2"), ("expand project", "bn"),
    ("0 3", "1 4"), ("conv1 conv2", "bn1 norm1"), ("conv_a conv_b", "bn"),
    ("dw_conv conv_pw", "dw_pw"), ("conv1 conv10", "bn0 bn1"), ("a b", "x" * 300),
    ("c1 c2", "_".join("abcdefghij")),
])
def test_names_that_do_not(convs, others):
    assert _siblings.owners(convs.split(), others.split()) is None
