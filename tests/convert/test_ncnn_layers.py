# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Each layer of ncnn computes in the graph what numpy says it means."""

from __future__ import annotations

import numpy as np
import pytest

from efm3.convert import ncnn
from efm3.convert._base import Wanted
from efm3.convert._ncnn_layers import POINTWISE
from tests.convert.ncnn_files import floats, forward, picture, raw, write

IN = picture(4, 3, 5)
CONV = "Convolution c 1 1 in out 0=2 1=1 5=1 6=8"
X = np.random.default_rng(1).standard_normal((4, 3, 5))
A, B, C, D = np.random.default_rng(2).standard_normal((4, 4)).astype(np.float32).astype(float)
MAP = (slice(None), None, None)


def norm(x, axes, f):
    return x / f(np.sum(x * x, axis=axes, keepdims=True))


COMPUTED = [
    ("Scale c 1 1 in out 0=4 1=1", raw(A, B), X * A[MAP] + B[MAP]),
    ("Scale c 1 1 in out 0=4", raw(A), X * A[MAP]),
    ("Bias c 1 1 in out 0=4", raw(A), X + A[MAP]),
    ("PReLU c 1 1 in out 0=4", raw(A), np.where(X > 0, X, X * A[MAP])),
    ("PReLU c 1 1 in out 0=1", raw([0.25]), np.where(X > 0, X, X * 0.25)),
    ("ReLU c 1 1 in out", b"", np.maximum(X, 0)),
    ("ReLU c 1 1 in out 0=0.125", b"", np.where(X > 0, X, X * 0.125)),
    ("Clip c 1 1 in out 0=0 1=5.000000e-01", b"", np.clip(X, 0, 0.5)),
    ("Clip c 1 1 in out 1=.5", b"", np.minimum(X, 0.5)),
    ("BatchNorm c 1 1 in out 0=4 1=1.000000e-03", raw(A, B, abs(C), D),
     (X - B[MAP]) / np.sqrt(abs(C)[MAP] + 1e-3) * A[MAP] + D[MAP]),
    ("BatchNorm c 1 1 in out 0=4", raw(A, B, [0, 1, 1, 0], D),
     (X - B[MAP]) / np.array([1e-4, 1, 1, 1e-4])[MAP] * A[MAP] + D[MAP]),
    ("BinaryOp c 1 1 in out 0=1 1=1 2=127.5", b"", X - 127.5),
    ("BinaryOp c 1 1 in out 0=2 1=1 2=0.007813", b"", X * 0.007813),
    ("BinaryOp c 1 1 in out 0=7 1=1 2=1.5", b"", 1.5 - X),
    ("BinaryOp c 1 1 in out 0=8 1=1 2=1.5", b"", 1.5 / X),
    ("UnaryOp c 1 1 in out 0=4", b"", X * X), ("AbsVal c 1 1 in out", b"", abs(X)),
    ("BinaryOp c 1 1 in out 0=0.0 1=1 2=0", b"", X),
    ("Power c 1 1 in out 0=2.0 1=0.5 2=0.25", b"", (X * 0.5 + 0.25) ** 2),
    ("Dropout c 1 1 in out 0=0.5", b"", X * 0.5), ("Dropout c 1 1 in out", b"", X),
    ("HardSigmoid c 1 1 in out", b"", np.clip(X * 0.2 + 0.5, 0, 1)),
    ("HardSigmoid c 1 1 in out 0=1.666667e-01", b"", np.clip(X / 6 + 0.5, 0, 1)),
    ("HardSwish c 1 1 in out 0=1.666667e-01", b"", X * np.clip(X / 6 + 0.5, 0, 1)),
    ("Swish c 1 1 in out", b"", X / (1 + np.exp(-X))),
    ("Normalize c 1 1 in out 0=1 1=1 2=0.5 3=1", raw([1.5]),
     norm(X, (0, 1, 2), lambda s: np.sqrt(s + 0.5)) * 1.5),
    ("Normalize c 1 1 in out 1=1 2=1.5 3=1 9=1", raw([1]),
     norm(X, (0,), lambda s: np.maximum(np.sqrt(s), 1.5))),
    ("Normalize c 1 1 in out 0=1 4=0 2=9.5 3=4 9=2", raw(A),
     norm(X, (1, 2), lambda s: np.sqrt(np.maximum(s, 9.5))) * A[MAP]),
    ("Normalize c 1 1 in out 4=0 3=1", raw([9]), X),
    ("Reshape c 1 1 in out 0=-1", b"", X.reshape(-1)),
    ("Reshape c 1 1 in out 0=0 1=-1 2=2", b"", X.reshape(2, 6, 5)),
    ("Flatten c 1 1 in out", b"", X.reshape(-1)),
    ("Permute c 1 1 in out 0=3", b"", X.transpose(1, 2, 0)),
    ("Permute c 1 1 in out 0=4", b"", X.transpose(2, 0, 1)),
    ("Crop c 1 1 in out 0=1 1=0 2=1 3=2 4=3 5=-233", b"", X[1:, :3, 1:3]),
    ("Crop c 1 1 in out -23309=2,1,-4 -23310=2,3,-1 -23311=2,0,-1", b"", X[1:3, :, 1:4]),
    ("Padding c 1 1 in out 0=1 1=2 2=3 3=0 5=0.5", b"",
     np.pad(X, ((0, 0), (1, 2), (3, 0)), constant_values=0.5)),
    ("ExpandDims c 1 1 in out -23303=1,0", b"", X[None]),
    ("Pooling c 1 1 in out 0=1 4=1", b"", X.mean((1, 2))),
    ("Pooling c 1 1 in out 0=1 1=5 11=3", b"", X.mean((1, 2), keepdims=True)),
    ("Pooling c 1 1 in out 7=1 8=1", b"", X.max((1, 2), keepdims=True)),
    ("Reduction c 1 1 in out 0=8 1=0 -23303=1,0 4=1 5=1", b"",
     np.sqrt((X * X).sum(0, keepdims=True))),
    ("Reduction c 1 1 in out 0=3 1=0 3=-1,-2 5=1 2=2.0", b"", 2 * X.mean((1, 2))),
    ("Reduction c 1 1 in out", b"", X.sum()[None]),
    ("InnerProduct c 1 1 in out 0=2 1=1 2=120 9=2 -23310=1,0.5",
     floats(np.arange(-60, 60)) + raw([-999, 1]),
     (lambda y: np.where(y > 0, y, y / 2))(
         np.arange(-60, 60).reshape(2, 60) @ X.reshape(-1) + [-999, 1])),
]


@pytest.mark.parametrize("line,data,want", COMPUTED, ids=lambda v: v if isinstance(v, str) else "")
def test_a_layer_computes(line, data, want, tmp_path):
    got = forward(write(tmp_path, [IN, line], data), X)
    assert got.shape == want.shape
    assert np.allclose(got, want, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("lines,want", [
    (["Eltwise e 2 1 a b out 0=1 -23301=2,0.5,-2.0"], 0.5 * X - 2 * abs(X)),
    (["Eltwise e 2 1 a b out"], X * abs(X)), (["Eltwise e 2 1 a b out 0=2"], abs(X)),
    (["BinaryOp e 2 1 b b out 0=6"], abs(X) ** abs(X)),
    (["BinaryOp e 2 1 a b out 0=7"], abs(X) - X),
    (["UnaryOp e 1 1 b out 0=6"], 1 / np.sqrt(abs(X))),
    (["Concat e 2 1 a b out 0=0"], np.concatenate([X, abs(X)])),
    (["Concat e 2 1 a b out 0=-1"], np.concatenate([X, abs(X)], -1)),
    # A vector is along the channels, unless it only fits the width; so is a row of vectors.
    (["Reduction r 1 1 b v 1=0 -23303=2,1,2 5=1", "BinaryOp e 2 1 a v out 0=1"],
     X - abs(X).sum((1, 2))[MAP]),
    (["Reduction r 1 1 b v 1=0 -23303=2,0,1 5=1", "BinaryOp e 2 1 a v out 0=1"],
     X - abs(X).sum((0, 1))),
    (["Reduction r 1 1 b v 1=0 -23303=1,2 5=1", "BinaryOp e 2 1 v a out 0=1"],
     abs(X).sum(2)[:, :, None] - X),
    (["Slice s 1 2 b c d -23300=2,1,-233", "Noop n 1 1 a q", "Concat e 2 1 d c out 0=0"],
     abs(X)[[1, 2, 3, 0]]),
], ids=lambda v: v[-1] if isinstance(v, list) else "")
def test_layers_of_several_blobs(lines, want, tmp_path):
    lines = [IN, "Split p 1 2 in a i", "AbsVal v 1 1 i b", *lines]
    got = forward(write(tmp_path, lines), X, "out")
    assert got.shape == want.shape and np.allclose(got, want)


def test_shapes_that_lose_axes(tmp_path):
    x = X[:1, :, :1]
    for params, want in (("0=1", (1, 3)), ("-23303=2,0,2", (3,)), ("2=1 1=1", (3, 1)),
                         ("", (1, 3, 1))):
        path = write(tmp_path, [picture(1, 3, 1), f"Squeeze s 1 1 in out {params}"])
        assert np.array_equal(forward(path, x), x.reshape(want))


@pytest.mark.parametrize("pads,want", [
    ("4=1", (1, 1, 1, 1)), ("4=0 14=1 15=2 16=0", (1, 0, 0, 2)), ("4=1 14=0", (0, 1, 0, 1)),
    ("4=-233", (0, 1, 1, 1)), ("4=-234", (1, 1, 0, 1)), ("", (0, 0, 0, 0)),
])
def test_padding(pads, want, tmp_path):
    # A map of 4×5, stride 2: SAME is 1 in all along the height, 2 along the width.
    path = write(tmp_path, [picture(1, 4, 5), f"Convolution c 1 1 in out 0=1 1=3 3=2 6=9 {pads}"],
                 floats(range(9)))
    node = ncnn.read(str(path), Wanted()).graph.output
    assert node.attrs["pads"] == want and node.attrs["strides"] == (2, 2)


def test_a_kernel_lies_as_ncnn_lays_it(tmp_path):
    # The only tap that is not 0 is the last of the first row of the second channel.
    weight = np.zeros((1, 4, 2, 3))
    weight[0, 1, 0, 2] = 1
    path = write(tmp_path, [IN, "Convolution c 1 1 in out 0=1 1=3 11=2 13=1 3=2 6=24"],
                 floats(weight))
    assert np.array_equal(forward(path, X), X[1:2, :2, 2::2])
    path = write(tmp_path, [IN, "ConvolutionDepthWise c 1 1 in out 0=4 1=1 6=8 7=2 5=1"],
                 floats([1, 2, 3, 4, 5, 6, 7, 8]) + raw(A))
    want = [X[0] + 2 * X[1], 3 * X[0] + 4 * X[1], 5 * X[2] + 6 * X[3], 7 * X[2] + 8 * X[3]]
    assert np.allclose(forward(path, X), np.stack(want) + A[MAP])


@pytest.mark.parametrize("params,want", [
    ("9=1", lambda y: np.maximum(y, 0)), ("9=3 -23310=2,-0.5,0.5", lambda y: np.clip(y, -0.5, 0.5)),
    ("9=4", lambda y: 1 / (1 + np.exp(-y))), ("9=6 10=0.25,0.5", lambda y: y * np.clip(
        y / 4 + 0.5, 0, 1)), ("18=2.0 4=0", lambda y: y),
])
def test_a_convolution_with_its_activation(params, want, tmp_path):
    weight = np.arange(8.0).reshape(2, 4)
    path = write(tmp_path, [IN, f"{CONV} {params}"], floats(weight) + raw([1, -1]))
    y = np.einsum("oc,chw->ohw", weight, X) + np.array([1, -1])[MAP]
    assert np.allclose(forward(path, X), want(y))


def test_a_vector_in_a_convolution_is_an_inner_product(tmp_path):
    path = write(tmp_path, [picture(4), CONV], floats(range(8)) + raw([1, -1]))
    assert np.allclose(forward(path, A), np.arange(8).reshape(2, 4) @ A + [1, -1])


def test_a_padding_of_another_value(tmp_path):
    path = write(tmp_path, [IN, "Convolution c 1 1 in out 0=1 1=1 4=1 6=4 18=2.0"],
                 floats([1, 0, 0, 0]))
    assert np.allclose(forward(path, X), np.pad(X[:1], ((0, 0), (1, 1), (1, 1)),
                                                constant_values=2))


@pytest.mark.parametrize("line,op", [
    ("ELU c 1 1 in out", "Elu"), ("Softmax c 1 1 in out", "Softmax"),
    ("Pooling c 1 1 in out 0=1 1=2", "Pooling"), ("UnaryOp c 1 1 in out 0=9", "UnaryOp 9"),
    ("BinaryOp c 1 1 in out 0=12 1=1", "BinaryOp 12"), ("Scale c 2 1 in k out 0=-233", "Scale"),
    ("Reshape c 1 1 in out 6=\"*(0w, 2),-1\"", "Reshape?"), ("Interp c 1 1 in out", "Interp"),
    ("Reduction c 1 1 in out 0=9", "Reduction 9"), ("Slice c 1 1 in out -23302=1,2", "Slice?"),
    ("Convolution c 3 1 in k k out 0=1 1=1 19=1", "Convolution"), ("Crop c 2 1 in k out", "Crop"),
    ("Eltwise c 2 1 in k out 0=3", "Eltwise 3"), ("Permute c 1 1 in out 0=6", "Permute 6"),
    ("Eltwise c 2 1 in k out 0=1 1=1.0,2.0,3.0", "Eltwise 1"),
    ("Pooling c 1 1 in out 0=2 4=1", "Pooling"), ("Cast c 1 1 in out 0=1 1=2", "Cast?"),
    ("Padding c 1 1 in out 0=-233", "Padding"), ("ExpandDims c 1 1 in out 0=1", "ExpandDims"),
])
def test_foreign_layers_keep_their_names(line, op, tmp_path):
    lines = [IN, "MemoryData k 0 1 k 0=4", line, "ReLU r 1 1 out end"]
    output = ncnn.read(str(write(tmp_path, lines, raw(A))), Wanted(output="end")).graph.output
    assert output.op == "Relu" and output.inputs[0].op == op
    assert output.inputs[0].place == f"c ({line.split()[0]})"
    assert output.shape == ((1, 4, 3, 5) if line.split()[0] in POINTWISE else None)


@pytest.mark.parametrize("line,data,op", [
    ("Convolution l 1 1 b out 0=1 1=1 6=4 5=1", floats(A) + raw([1]), "Conv"),
    ("Convolution l 1 1 b out 0=1 1=1 6=4 4=-233", floats(A), "Convolution"),
    ("Convolution l 1 1 b out 0=1 1=1 6=4 9=5", floats(A), "Mish"),
    ("BatchNorm l 1 1 b out 0=4", raw(A, A, A, A), "BatchNorm"),
    ("PReLU l 1 1 b out 0=4", raw(A), "PRelu"), ("Bias l 1 1 b out 0=4", raw(A), "Add"),
    ("BinaryOp l 2 1 k b out 0=2", b"", "Mul"), ("Clip l 1 1 b out 1=1.0", b"", "Clip"),
    ("InnerProduct l 1 1 b out 0=1 2=4", floats(A), "InnerProduct"),
    ("Flatten l 1 1 b out", b"", "Flatten"), ("Normalize l 1 1 b out 3=1", raw([1]), "Normalize"),
])
def test_what_follows_a_foreign_layer_stays_what_it_is(line, data, op, tmp_path):
    lines = [IN, "MemoryData k 0 1 k 0=4", "Interp i 1 1 in b", line]
    graph = ncnn.read(str(write(tmp_path, lines, raw(A) + data)), Wanted(output="out")).graph
    assert graph.output.op == op and graph.output.shape is None
    assert any(n.op == "Interp" for n in graph.nodes)
