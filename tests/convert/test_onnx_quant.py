# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""ONNX's numbers of 8 bits, read as the real numbers that they stand for."""


from functools import partial

import numpy as np
import pytest
from onnx import TensorProto

import efm3
from efm3.convert.graph import run
from efm3.convert.graph.ops import OPS
from tests.convert import onnx_tiny
from tests.convert.onnx_tiny import F, both, i64, tiny

NEEDS = ("onnx", "onnxruntime")

S, OUT = F(1 / 16), F(0.25)
"""Scale of the input, and of what is put out."""
Z = np.uint8(120)
RNG = np.random.default_rng(7)
# Products of larger ones do not fit the 16 bits in which some processors add them up.
W = RNG.integers(-60, 60, (4, 3, 3, 3)).astype(np.int8)
WS = np.array([1, 2, 4, 0.5], F) / F(64)
BIAS = RNG.integers(-2000, 2000, 4).astype(np.int32)
REAL = W * WS[:, None, None, None]


@pytest.fixture
def source(tmp_path):
    return partial(onnx_tiny.source, tmp_path)


def grid():
    """A picture that 8 bits hold exactly."""
    return (np.random.default_rng(3).integers(-120, 136, onnx_tiny.SHAPE) / 16).astype(F)


def conv(x, w=REAL, b=None):
    from numpy.lib.stride_tricks import sliding_window_view
    y = np.einsum("nchwij,ocij->nohw", sliding_window_view(x, (3, 3), (2, 3)), w.astype(float))
    return y if b is None else y + b[:, None, None]


def known(found):
    return {n.op for n in found.graph.nodes} <= {*OPS, "Input", "Const"}


@pytest.mark.parametrize("zero", [(), (np.array([3, -2, 0, 7], np.int8),)])
def test_weights_are_dequantised(source, zero):
    found = source(tiny(("DequantizeLinear", [W, WS, *zero], {"axis": 0}),
                        ("Conv", ["x", None], {})))
    less = zero[0].astype(F)[:, None, None, None] if zero else 0
    weight = found.graph.output.inputs[1]
    assert weight.op == "Const"
    assert np.array_equal(weight.value, (W - less) * WS[:, None, None, None])
    both(found, 1e-4)
    assert found.approximate == "weights of 8 bits"


def test_weights_that_are_quantised_in_the_graph(source):
    found = source(tiny(("QuantizeLinear", [REAL * F(1.001), WS, np.zeros(4, np.int8)],
                         {"axis": 0}),
                        ("DequantizeLinear", [None, WS, np.zeros(4, np.int8)], {"axis": 0}),
                        ("Conv", ["x", None], {})))
    assert np.array_equal(found.graph.output.inputs[1].value, REAL)
    both(found, 1e-4)


def test_a_map_that_is_quantised_and_back_stays(source):
    found = source(tiny(("QuantizeLinear", ["x", S, Z], {}), ("DequantizeLinear", [None, S, Z], {}),
                        ("DequantizeLinear", [W, WS], {"axis": 0}), ("Conv", ["v1", None], {}),
                        ("QuantizeLinear", [None, F(1), Z], {}),
                        ("Transpose", [None], {"perm": [0, 2, 3, 1]}),
                        ("Reshape", [None, i64(2, -1)], {}), ("DequantizeLinear", [None, F(1), Z],
                                                              {})))
    assert known(found)
    x = grid()
    have = run.forward(found.graph, x)
    want = np.moveaxis(conv(x), 1, 3).reshape(2, -1)
    assert np.abs(have - want).max() < 1e-5
    # The runtime rounds, and clips at the ends of the range.
    inside = (want > -119) & (want < 134)
    runs = found.runtime.start()(x)
    assert inside.mean() > 0.9 and np.abs(runs - want)[inside].max() <= 0.5 + 1e-5
    assert found.approximate == "weights of 8 bits"


@pytest.mark.parametrize("zero,clips", [((np.uint8(0),), True), ((), True),
                                        ((np.int8(-128),), True), ((np.int8(0),), False),
                                        ((np.uint8(128),), False)])
def test_the_least_number_for_zero_is_a_relu(source, zero, clips):
    found = source(tiny(("QuantizeLinear", ["x", S, *zero], {}),
                        ("DequantizeLinear", [None, S, *zero], {})))
    assert [n.op for n in found.graph.nodes] == ["Input", *["Relu"] * clips]
    x = grid() / F(2)
    assert np.abs(run.forward(found.graph, x) - found.runtime.start()(x)).max() <= S / 2


def test_a_relu_before_is_not_said_twice(source):
    found = source(tiny(("Relu", ["x"], {}), ("QuantizeLinear", [None, S], {}),
                        ("DequantizeLinear", [None, S], {})))
    assert [n.op for n in found.graph.nodes] == ["Input", "Relu"]


@pytest.mark.parametrize("nodes", [
    # Another scale, another zero, the bare numbers.
    [("QuantizeLinear", ["x", S, Z], {}), ("DequantizeLinear", [None, OUT, Z], {})],
    [("QuantizeLinear", ["x", S, Z], {}), ("DequantizeLinear", [None, S, np.uint8(3)], {})],
    [("QuantizeLinear", ["x", S, Z], {}), ("Cast", [None], {"to": 1})],
    [("QuantizeLinear", ["x", S, Z], {}),
     ("ConvInteger", [None, W, Z], {}), ("Cast", [None], {"to": 1})],
    [("QuantizeLinear", ["x", OUT, Z], {}),
     ("QLinearConv", [None, S, Z, W, WS, np.zeros(4, np.int8), OUT, Z], {}),
     ("DequantizeLinear", [None, OUT, Z], {})],
])
def test_what_is_no_pair_is_refused_by_its_name(source, nodes):
    found = source(tiny(*nodes))
    assert not known(found)
    with pytest.raises(efm3.Efm3Error, match="cannot be run here"):
        run.forward(found.graph, grid())


def test_linear_operations(source):
    zero = np.zeros(4, np.int8)
    found = source(tiny(
        ("QuantizeLinear", ["x", S, Z], {}),
        ("QLinearConv", [None, S, Z, W, WS, zero, OUT, Z, BIAS], {}),
        ("com.microsoft.QLinearAdd", [None, OUT, Z, None, OUT, Z, F(0.5), Z], {}),
        ("QLinearMatMul", [None, F(0.5), Z, W[0, 0], F(0.25), np.int8(2), F(8), Z], {}),
        ("DequantizeLinear", [None, F(8), Z], {})))
    assert known(found) and found.approximate == "weights of 8 bits"
    x = grid() / F(64)
    y = conv(x, b=BIAS * S * WS)
    want = 2 * y @ ((W[0, 0] - F(2)) * F(0.25))
    have = run.forward(found.graph, x)
    assert np.abs(have - want).max() < 1e-3 * np.abs(want).max()
    runs = found.runtime.start()(x)
    assert np.corrcoef(runs.ravel(), want.ravel())[0, 1] > 0.97


def test_maps_quantised_by_their_own_range(source):
    found = source(tiny(
        ("DynamicQuantizeLinear", ["x"], {"outputs": 3}),
        ("ConvInteger", ["v0", W, "v0.2", np.int8(1)], {}), ("Cast", [None], {"to": 1}),
        ("Mul", [None, "v0.1"], {}), ("Mul", [None, F(1 / 64)], {}),
        ("DynamicQuantizeLinear", [None], {"outputs": 3}),
        ("MatMulInteger", ["v5", W[0, 0], "v5.2", np.int8(3)], {}), ("Cast", [None], {"to": 1}),
        ("Mul", [None, "v5.1"], {})))
    assert known(found)
    x = grid()
    want = conv(x, (W - F(1)) / 64) @ (W[0, 0] - F(3))
    have = run.forward(found.graph, x)
    assert np.abs(have - want).max() < 1e-5 * np.abs(want).max()
    runs = found.runtime.start()(x)
    assert np.corrcoef(runs.ravel(), want.ravel())[0, 1] > 0.999


def test_a_picture_of_whole_numbers(source):
    found = source(tiny(("DequantizeLinear", ["x", F(1 / 128), np.uint8(127)], {}),
                        kind=TensorProto.UINT8))
    x = np.abs(np.round(grid() * 8))
    assert np.array_equal(both(found, x=x), (x - 127) / 128)
