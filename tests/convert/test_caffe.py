# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Caffe: every layer's meaning, both forms of a network, which file belongs to which, damage.

What each layer gives was compared with OpenCV's reader of Caffe; here it is spelled in numpy.
"""

import re
from pathlib import Path

import numpy as np
import pytest

import efm3
from efm3.convert import caffe
from efm3.convert._base import Wanted
from efm3.convert.graph import run
from efm3.convert.matching import network_of
from tests.convert.caffe_files import Layer, model, network, part, real, text, varint, whole, write

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT.parent / "shared" / "real"
SHAPE = (2, 3, 6, 5)
RNG = np.random.default_rng(4)
X = RNG.standard_normal(SHAPE)
C3 = np.array([0.5, -1.5, 2.0], np.float32)
VAR = np.array([0.5, 1.5, 2.0], np.float32)
ONE = np.ones(1, np.float32)
W = RNG.standard_normal((4, 3, 1, 1)).astype(np.float32)
B = np.ones(4, np.float32)
DW = RNG.standard_normal((3, 1, 6, 5)).astype(np.float32)
DENSE = RNG.standard_normal((5, 90)).astype(np.float32)
SIX = RNG.standard_normal(6).astype(np.float32)


def along(v):
    return v[:, None, None].astype(np.float64)


def dense(x, weight):
    return x.reshape(2, -1) @ weight.T.astype(np.float64)


def forward(path, x=X, **wanted):
    return run.forward(caffe.read(str(path), Wanted(**wanted)).graph, x)


def refused(path, code, *words, **wanted):
    with pytest.raises(efm3.Efm3Error) as e:
        caffe.read(str(path), Wanted(**wanted))
    assert e.value.code == code, e.value
    for word in words:
        assert word in str(e.value)


def one(kind, *blobs, **params):
    """One layer on the picture; `params` is its message, under the name that its type has."""
    name = {"Scale": "scale_param", "InnerProduct": "inner_product_param",
            "BatchNorm": "batch_norm_param", "PReLU": "prelu_param", "ReLU": "relu_param",
            "Normalize": "norm_param"}.get(kind, f"{kind.lower()}_param")
    name = "convolution_param" if "onv" in kind else name
    return [Layer(kind, "l", ("data",), (), blobs, {name: params} if params else {})]


def conv(kind="Convolution", *blobs, **params):
    return one(kind, *(blobs or (W, B)), **({"num_output": 4, "kernel_size": 1} | params))


def point(x):
    return np.einsum("oi,nihw->nohw", W[:, :, 0, 0].astype(np.float64), x)


def norm(x, eps=1e-5, factor=1.0):
    return (x - along(C3) / factor) / np.sqrt(along(VAR) / factor + eps)


TWO = [*one("Power", scale=0.5), Layer("AbsVal", "a", ("data",))]
LAYERS = [
    (conv(), lambda x: point(x) + 1),
    (conv("Convolution", W, bias_term=False, stride=[2, 1]), lambda x: point(x[:, :, ::2])),
    (conv("Convolution", W, B, stride_h=1, stride_w=3, pad=[0, 1]),
     lambda x: point(np.pad(x, ((0, 0), (0, 0), (0, 0), (1, 1)))[..., ::3]) + 1),
    (conv("Convolution", W, B.reshape(1, 1, 1, 4)), lambda x: point(x) + 1),
    (conv("ConvolutionDepthwise", DW, num_output=3, kernel_h=6, kernel_w=5, bias_term=False),
     lambda x: (x * DW[:, 0]).sum((2, 3), keepdims=True)),
    (conv("Convolution", DW, num_output=3, kernel_h=6, kernel_w=5, bias_term=False, group=3),
     lambda x: (x * DW[:, 0]).sum((2, 3), keepdims=True)),
    (one("BatchNorm", C3, VAR, ONE), norm),
    (one("BatchNorm", C3, VAR, 4 * ONE, eps=0.25, use_global_stats=True),
     lambda x: norm(x, 0.25, 4)),
    (one("BatchNorm", C3, VAR, 0 * ONE, eps=0.25), lambda x: x * 2),
    (one("Scale", C3), lambda x: x * along(C3)),
    (one("Scale", C3.reshape(1, 1, 1, 3), C3, bias_term=True), lambda x: (x + 1) * along(C3)),
    (one("Scale", SIX, SIX, axis=2, bias_term=True), lambda x: (x + 1) * SIX[:, None]),
    (one("Scale", SIX.reshape(3, 2)[:1, :1].reshape(()), num_axes=0), lambda x: x * SIX[0]),
    (one("Bias", C3), lambda x: x + along(C3)),
    (one("PReLU", C3), lambda x: np.where(x > 0, x, along(C3) * x)),
    (one("PReLU", C3[:1], channel_shared=True), lambda x: np.where(x > 0, x, 0.5 * x)),
    (one("ReLU"), lambda x: np.maximum(x, 0)),
    (one("ReLU", negative_slope=0.25), lambda x: np.where(x > 0, x, 0.25 * x)),
    (one("ReLU6"), lambda x: x.clip(0, 6)), (one("Clip", min=-0.5), lambda x: x.clip(-0.5)),
    (one("InnerProduct", DENSE, SIX[:5], num_output=5), lambda x: dense(x, DENSE) + SIX[:5]),
    (one("InnerProduct", DENSE.reshape(1, 1, 5, 90), num_output=5, bias_term=False),
     lambda x: dense(x, DENSE)),
    (one("InnerProduct", DENSE.T, num_output=5, bias_term=False, transpose=True),
     lambda x: dense(x, DENSE)),
    (one("InnerProduct", DENSE[:, :5], num_output=5, bias_term=False, axis=-1),
     lambda x: x @ DENSE[:, :5].T.astype(np.float64)),
    ([*TWO, Layer("Eltwise", "e", ("l", "a", "data"))], lambda x: 1.5 * x + abs(x)),
    ([*TWO, Layer("Eltwise", "e", ("l", "a"), params={"eltwise_param": {"coeff": [1, -2]}})],
     lambda x: 0.5 * x - 2 * abs(x)),
    ([*TWO, Layer("Eltwise", "e", ("l", "a"), params={"eltwise_param": {"operation": "PROD"}})],
     lambda x: 0.5 * x * abs(x)),
    ([*TWO, Layer("Eltwise", "e", ("l", "a"), params={"eltwise_param": {"operation": "MAX"}})],
     lambda x: np.maximum(0.5 * x, abs(x))),
    (one("Power", scale=0.5, shift=2, power=2), lambda x: (2 + 0.5 * x) ** 2),
    (one("Exp"), np.exp), (one("Dropout"), lambda x: x), (one("TanH"), np.tanh),
    (one("Pooling", pool="AVE", global_pooling=True), lambda x: x.mean((2, 3), keepdims=True)),
    (one("Pooling", kernel_h=6, kernel_w=5), lambda x: x.max((2, 3), keepdims=True)),
    (one("Flatten", axis=2), lambda x: x.reshape(2, 3, 30)),
    (one("Reshape", shape={"dim": [0, -1]}), lambda x: x.reshape(2, 90)),
    (one("Reshape", shape={"dim": [2, -1]}, axis=2, num_axes=1),
     lambda x: x.reshape(2, 3, 2, 3, 5)),
    (one("Reshape", shape={"dim": 1}, axis=-1, num_axes=0), lambda x: x[..., None]),
    (one("Permute", order=[0, 2]), lambda x: np.swapaxes(x, 1, 2)),
    (one("Normalize", 2 * ONE, across_spatial=False, eps=0.5),
     lambda x: 2 * x / np.sqrt((x * x).sum(1, keepdims=True) + 0.5)),
    (one("Normalize", C3, across_spatial=True, channel_shared=False),
     lambda x: along(C3) * x / np.sqrt((x * x).sum((1, 2, 3), keepdims=True))),
    (one("Reduction", operation="SUMSQ", axis=2, coeff=0.5), lambda x: 0.5 * (x * x).sum((2, 3))),
    ([*TWO, Layer("Concat", "c", ("l", "a"), params={"concat_param": {"axis": 2}})],
     lambda x: np.concatenate([0.5 * x, abs(x)], 2)),
    ([Layer("Slice", "s", ("data",), ("p", "q", "r")), Layer("Concat", "c", ("r", "q", "p"))],
     lambda x: x[:, ::-1]),
    ([Layer("Slice", "s", ("data",), ("p", "q"), params={"slice_param": {
        "axis": 2, "slice_point": 2}}), Layer("Concat", "c", ("q", "p"), params={
            "concat_param": {"axis": 2}})], lambda x: np.roll(x, -2, 2)),
    ([Layer("Split", "s", ("data",), ("p", "q")), Layer("Eltwise", "e", ("p", "q"))],
     lambda x: 2 * x),
    # A gate for each channel, along the first two axes.
    ([*one("Pooling", pool="AVE", global_pooling=True), Layer("Flatten", "f", ("l",)),
      Layer("Scale", "s", ("data", "f"), params={"scale_param": {"axis": 0}})],
     lambda x: x * x.mean((2, 3), keepdims=True)),
]
SPARE = Layer("Bias", "spare", ("data",), (), (C3,))
"""A caffemodel without any weights is none; the text does not have this layer."""


@pytest.mark.parametrize("number", range(len(LAYERS)))
def test_what_a_layer_means(tmp_path, number):
    layers, want = LAYERS[number]
    path = write(tmp_path, layers, shape=SHAPE)
    (tmp_path / "net.caffemodel").write_bytes(model([*layers, SPARE]))
    have, expected = forward(path), want(X)
    assert have.shape == expected.shape
    assert np.abs(have - expected).max() < 1e-6


def test_layers_in_place_bind_a_name_anew(tmp_path):
    layers = [Layer("BatchNorm", "n", ("data",), (), (C3, VAR, ONE)),
              Layer("Scale", "s", ("n",), ("n",), (C3,)), Layer("ReLU", "r", ("n",), ("n",)),
              Layer("Eltwise", "e", ("n", "data"))]
    path = write(tmp_path, layers, shape=SHAPE)
    for name, want in (("n", np.maximum(norm(X) * along(C3), 0)), ("s", norm(X) * along(C3)),
                       ("e", np.maximum(norm(X) * along(C3), 0) + X)):
        assert np.abs(forward(path, output=name) - want).max() < 1e-9
    assert np.array_equal(forward(path), forward(path, output="e"))
    path.write_text(text([*layers, layers[0]], SHAPE))
    refused(path, "X007", "n (BatchNorm) makes n, which r (ReLU) makes as well")
    path.write_text(text(layers[1:], SHAPE))
    refused(path, "X007", "s (Scale) takes n, which no layer before it makes")


UNKNOWN = [
    (one("ELU"), "Elu"), (one("Interp"), "Interp"), (one("Conv"), "Conv?"),
    (one("Pooling", kernel_size=2, stride=2), "Pooling (max)"),
    (one("Normalize"), "Normalize without norm_param"), (one("Exp", base=2), "Exp of a base"),
    (one("Pooling", pool="STOCHASTIC", global_pooling=True), "Pooling (STOCHASTIC)"),
    (conv(kernel_size=[1, 1, 1]), "Convolution in 3 dimensions"),
    (one("BatchNorm", C3, VAR, ONE, use_global_stats=False), "BatchNorm by the statistics of its "
     "own input (use_global_stats: false)"),
    (one("Eltwise", operation="MIN"), "Eltwise MIN"),
    (one("Reduction", operation="X"), "Reduction X"), (conv(axis=2), "Convolution along axis 2"),
]


@pytest.mark.parametrize("number", range(len(UNKNOWN)))
def test_what_is_not_known_stays_under_its_name(tmp_path, number):
    layers, name = UNKNOWN[number]
    path = write(tmp_path, [*layers, Layer("Flatten", "f", ("l",))], shape=SHAPE)
    (tmp_path / "net.caffemodel").write_bytes(model([*layers, SPARE]))
    output = caffe.read(str(path), Wanted()).graph.output
    assert output.inputs[0].op == name and output.inputs[0].place == f"l ({layers[0].type})"
    assert output.place == "f (Flatten)"


@pytest.mark.parametrize("old", [False, True])
def test_arrays_of_both_generations(tmp_path, old):
    layers = [*conv(), Layer("BatchNorm", "n", ("l",), (), (B, 2 * B, ONE)),
              Layer("InnerProduct", "i", ("n",), (), (np.ones((2, 120)) / 3,),
                    {"inner_product_param": {"num_output": 2, "bias_term": False}})]
    path = write(tmp_path, layers, shape=SHAPE, old=old)
    want = ((point(X) + 1 - 1) / np.sqrt(2 + 1e-5)).reshape(2, -1).sum(1, keepdims=True) / 3
    for given in (path, path.with_suffix(".caffemodel")):
        assert np.abs(forward(given) - want).max() < 1e-9
    path.unlink()
    refused(path.with_suffix(".caffemodel"), "X005", "holds weights alone")


OLD_TEXT = """input: "data" input_dim: 2 input_dim: 3 input_dim: 6 input_dim: 5
layers { name: "l" type: CONVOLUTION bottom: "data" top: "l"
         convolution_param { num_output: 4 kernel_size: 1 } }
"""


@pytest.mark.parametrize("begin", [OLD_TEXT, re.sub(
    r"input_dim.*5", "input_shape { dim: 2 dim: 3 dim: 6 dim: 5 }", OLD_TEXT)])
def test_texts_of_before_input_layers(tmp_path, begin):
    path = write(tmp_path, conv(), shape=SHAPE)
    path.write_text(begin)
    assert np.abs(forward(path) - point(X) - 1).max() < 1e-9


def test_a_caffemodel_alone_has_its_structure_itself(tmp_path):
    layers = [Layer("Input", "data", (), ("data",)), *conv(),
              Layer("BatchNorm", "n", ("l",), (), (B, 2 * B, ONE)),
              Layer("Scale", "s", ("n",), ("n",), (B, B)), Layer("ReLU", "r", ("n",), ("n",)),
              Layer("Eltwise", "e", ("n", "l")), Layer("Power", "p", ("e",)),
              Layer("InnerProduct", "i", ("p",), (), (np.ones((2, 120)), B[:2])),
              Layer("Dropout", "d", ("i",), ("i",)), Layer("SoftmaxWithLoss", "loss", ("i",))]
    dims = b"".join(map(varint, SHAPE))
    only = part(8, whole(1, 0))
    structure = {
        "data": part(143, part(1, part(1, dims))),
        "l": part(106, whole(1, 4) + whole(4, 1)), "n": part(139, whole(1, 1) + real(3, 0.25)),
        "s": part(142, whole(4, 1)), "r": part(123, real(1, 0.5)),
        "e": part(110, whole(1, 1) + real(2, 1) + real(2, -0.5)),
        "p": part(122, real(1, 1) + real(2, 2) + real(3, 0.5)), "i": part(117, whole(1, 2)),
        "loss": only}
    path = tmp_path / "net.caffemodel"
    path.write_bytes(model(layers, structure=structure))
    c = point(X) + 1
    n = (c - 1) / np.sqrt(2.25) + 1
    want = (2 * (np.where(n > 0, n, 0.5 * n) - 0.5 * c) + 0.5).reshape(2, -1).sum(1) + 1
    assert np.abs(forward(path) - want[:, None]).max() < 1e-9


RULES = [("include { phase: TRAIN }", False), ("include { phase: TEST }", True),
         ("exclude { phase: TRAIN }", True), ("exclude { phase: TEST }", False),
         ('include { stage: "x" }', False), ('include { not_stage: "x" }', True),
         ("include { min_level: 1 }", False), ("include { max_level: 1 }", True),
         ("include { phase: TRAIN } include { min_level: 0 }", True)]


@pytest.mark.parametrize("rule,there", RULES)
def test_layers_of_the_test_phase(tmp_path, rule, there):
    path = write(tmp_path, conv(), shape=SHAPE)
    path.write_text(path.read_text() + 'layer { name: "r" type: "ReLU" bottom: "l" top: "l" '
                    + rule + "}")
    want = point(X) + 1
    assert np.abs(forward(path) - (np.maximum(want, 0) if there else want)).max() < 1e-9


def test_which_file_belongs_to_which(tmp_path):
    path = write(tmp_path, conv(), "net", shape=SHAPE)
    weights = tmp_path / "net.caffemodel"
    (tmp_path / "other.prototxt").write_text("x")
    (tmp_path / "other.caffemodel").write_text("x")
    for name in ("net_deploy.prototxt", "deploy.prototxt", "NET.PROTOTXT"):
        path = path.rename(tmp_path / name)
        assert caffe.read(str(weights), Wanted()).graph.assumed == []
    renamed = weights.rename(tmp_path / "net_iter_7000.caffemodel")
    assert caffe.read(str(renamed), Wanted()).graph.assumed == []
    assert caffe.read(str(renamed), Wanted()).files == (str(path),)
    refused(path, "X018", "net_iter_7000.caffemodel, other.caffemodel")
    (tmp_path / "other.caffemodel").unlink()
    assert caffe.read(str(path), Wanted()).graph.assumed == [
        "net_iter_7000.caffemodel, the only such file beside NET.PROTOTXT, is taken for its "
        "weights"]
    renamed.unlink()
    refused(path, "X005", "NET.caffemodel is not beside it")


def test_inputs_and_outputs(tmp_path):
    path = write(tmp_path, [*conv(), Layer("ReLU", "r", ("data",)),
                            Layer("Slice", "s", ("r",), ("p", "q", "t"))], shape=SHAPE)
    refused(path, "X018", "the outputs l, p, q, t; choose with --output")
    refused(path, "X018", "has no output s; it has t, q, p, r, l, data", output="s")
    assert np.array_equal(forward(path, output="q"), np.maximum(X[:, 1:2], 0))
    good = text(conv(), SHAPE)
    for words, code, message in (
            (good.replace("Input", "ImageData"), "X016", "data (ImageData) reads its pictures"),
            (good.replace("Input", "Parameter"), "X016", "data (Parameter) takes nothing"),
            (good.replace("dim: 5", ""), "X016", "states the shape [2, 3, 6]"),
            (good.replace("dim: 5", "dim: 0"), "X016", "[2, 3, 6, 0]"),
            (good.replace('top: "data"', 'top: "data" top: "label"'), "X018", "label, l"),
            (text([*conv(), Layer("Eltwise", "e", ("l", "z"))], SHAPE).replace(
                'top: "data"', 'top: "data" top: "z"'), "X016", "takes 2 inputs, data, z"),
            (good + 'layer { type: "Silence" bottom: "l" }', "X007", "has no output"),
            ("name: 'x'", "X003", "has no layers")):
        path.write_text(words)
        refused(path, code, message)


WRONG = [
    (conv(num_output=5), "X006", "states 5 outputs and the kernel [1, 1]"),
    (conv("Convolution", W), "X006", "has 1 arrays"), (conv(bias_term=False), "X006", "2 arrays"),
    (conv(group=2), "X006", "channels in 2 groups"), (conv(kernel_size="x"), "X003", "line 20"),
    (one("InnerProduct", DENSE[:, :80], num_output=5, bias_term=False), "X006", "[5, 80]"),
    (one("InnerProduct", DENSE, num_output=4, bias_term=False), "X006", "states 4 outputs"),
    (one("PReLU", C3[:1]), "X006", "has 1 slopes, and channel_shared: false"),
    (one("PReLU", C3, channel_shared=True), "X006", "has 3 slopes"),
    (one("BatchNorm", C3, VAR), "X006", "has 2 arrays"),
    (one("BatchNorm", C3, VAR, C3), "X006", "a scale factor of shape [3]"),
    (one("Scale", SIX), "X006", "do not fit each other"),
    (one("Scale", C3, axis=7), "X006", "axis 7 of 4"),
    (one("Slice", slice_point=[1, 2]), "X006", "for 1 tops"),
    (one("Slice", slice_point=3), "X006", "cuts"), (one("Eltwise", coeff=[1, 2]), "X006", "2 coef"),
    (one("Reshape", shape={"dim": [0, 7]}), "X006", "cannot become"),
    (one("Reshape", shape={"dim": 1}, num_axes=9), "X006", "reshapes 9 axes"),
    (one("Permute", order=[0, 9]), "X006", "perm"), (one("Flatten", axis=4), "X006", "axis 4 of 4"),
    ([Layer("Concat", "l", ("data",) * 1001)], "X007", "has 1,001 inputs"),
    ([Layer("ReLU", "l", ("data", "data"))], "X007", "has 2 inputs, not 1"),
    ([Layer("Scale", "l", ("data",))], "X015", "l (Scale) has no arrays in"),
]


@pytest.mark.parametrize("number", range(len(WRONG)))
def test_what_a_layer_cannot_be(tmp_path, number):
    layers, code, word = WRONG[number]
    path = write(tmp_path, layers, shape=SHAPE)
    (tmp_path / "net.caffemodel").write_bytes(model([*layers, SPARE]))
    refused(path, code, word)


def test_broken_weights(tmp_path):
    path = write(tmp_path, conv(), shape=SHAPE)
    weights = tmp_path / "net.caffemodel"
    good = weights.read_bytes()
    for end in range(len(good)):
        weights.write_bytes(good[:end])
        with pytest.raises(efm3.Efm3Error, match=r"X003|X006|X015"):
            caffe.read(str(path), Wanted())
    layer = part(1, "l") + part(2, "Convolution")
    shape = part(7, part(1, varint(4) + varint(3) + varint(1) + varint(1)))

    def blobs(*bodies):
        return part(100, layer + b"".join(part(7, b) for b in bodies))

    for data, code, word in (
            (b"\xff\xd8\xff\xe0" * 9, "X003", "is damaged at byte"),
            (part(1, "net"), "X003", "no layer with weights"),
            (good * 2, "X015", "has the arrays of l twice"),
            (blobs(shape + part(5, bytes(44))), "X006", "has 1 arrays"),
            (blobs(shape + part(5, bytes(44)), b""), "X006", "has 11 values for shape [4, 3,"),
            (blobs(shape + part(5, bytes(47)), b""), "X003", "ends within a value"),
            (blobs(shape + whole(5, 1), b""), "X003", "values of wire type 0"),
            (blobs(part(7, part(1, b"\1" * 9)) + part(5, bytes(4)), b""), "X006", "shape [1, 1"),
            (blobs(part(7, part(1, b"\0")), b""), "X006", "has shape [0]"),
            (blobs(part(7, part(1, varint(1 << 62) * 2)), b""), "X006", "has 0 values")):
        weights.write_bytes(data)
        refused(path, code, word)
    # Values in pieces, and one by one, are one array.
    weights.write_bytes(blobs(
        shape + part(5, W.tobytes()[:40]) + real(5, W[3, 1, 0, 0]) + real(5, W[3, 2, 0, 0]),
        part(7, part(1, varint(4))) + part(5, B.tobytes())))
    assert np.abs(forward(path) - point(X) - 1).max() < 1e-9


def test_a_whole_network_comes_back_bit_for_bit(tmp_path, small):
    path = write(tmp_path, network(small))
    found = network_of(caffe.read(str(path), Wanted()), Wanted())
    assert found.model.arch.stages == small.arch.stages
    for key, value in small.tensors.items():
        assert np.array_equal(found.model.tensors[key], value)


@pytest.mark.skipif(not (REAL / "laulian.prototxt").is_file(),
                    reason="shared/real is not beside the project")
@pytest.mark.parametrize("name", ["laulian.prototxt", "laulian.caffemodel", "alone.caffemodel"])
def test_a_real_network(tmp_path, name):
    image = pytest.importorskip("PIL.Image")
    with np.load(REAL / "embeddings.npz") as z:
        want = z["laulian_caffe"]
    path = REAL / name
    if not path.is_file():
        path = tmp_path / name
        path.symlink_to(REAL / "laulian.caffemodel")
    paths = sorted((ROOT / "examples").glob("*.png"))
    at = -1 if "proto" in name else 0
    x = np.asarray(image.open(paths[at]).convert("RGB")).transpose(2, 0, 1)[None]
    y = forward(path, (x - 127.5) / 128)
    assert np.abs(y / np.sqrt((y * y).sum()) - want[at]).max() < 1e-5
