# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The zoo itself: how many styles it has, and that it would notice a wrong tensor."""

import numpy as np
import pytest

import efm3
from efm3 import reference
from efm3.network import tensor_layout
from tests.zoo import (
    test_caffe,
    test_keys,
    test_mxnet,
    test_ncnn,
    test_onnx_convolutions,
    test_onnx_ends,
    test_onnx_layers,
    test_onnx_misses,
    test_onnx_norms,
    test_tflite,
)
from tests.zoo.base import ARCH, base, pictures
from tests.zoo.styles import LIMIT, right

NEEDS = ("onnx", "onnxruntime", "safetensors")

OTHERS = (test_caffe, test_keys, test_mxnet, test_ncnn, test_tflite)
STYLED = (test_onnx_convolutions, test_onnx_ends, test_onnx_layers, test_onnx_norms, *OTHERS)


def test_its_size():
    assert sum(len(m.STYLES) for m in STYLED) >= 200
    assert sum(len(m.MISSES) for m in (test_onnx_misses, *OTHERS)) >= 60
    assert all(len(m.STYLES) >= 10 for m in STYLED)


def test_the_base_has_values_of_every_kind():
    parts = base().parts
    slopes = np.concatenate([p.slope for p in parts if p.slope is not None])
    assert slopes.min() < -0.1 and slopes.max() > 0.5 and (np.abs(slopes) > 1e-4).all()
    scales = np.concatenate([p.gamma for p in parts])
    assert scales.min() < -0.5 and scales.max() > 1
    for name, value in base().model.tensors.items():
        assert np.array_equal(value.astype(np.float16).astype(np.float32), value), name
    a, b = right("prelu")
    assert a @ b < 0.8


@pytest.mark.parametrize("part", range(4))
def test_a_wrong_tensor_is_noticed(part):
    """Each tensor, wrong by a thousandth of its largest value, moves the embedding far enough."""
    x, whole = pictures()[:1], dict(base().model.tensors)
    for name, _ in tensor_layout(ARCH)[part::4]:
        other = whole[name] + np.float32(1e-3) * np.abs(whole[name]).max()
        have = reference.forward(efm3.Model(ARCH, whole | {name: other}), x)
        assert np.abs(have - right("prelu")[:1]).max() > LIMIT, name
