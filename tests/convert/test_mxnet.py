# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""MXNet: every operation's meaning, every version's files, which file belongs to which, damage.

What each operation gives was compared with MXNet 1.9.1 itself; here it is spelled in numpy.
"""

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import efm3
from efm3.convert import _mxnet_symbol, mxnet
from efm3.convert._base import Wanted
from efm3.convert.graph import run
from efm3.convert.matching import network_of
from efm3.source import Unreadable
from tests.convert.mxnet_files import V1, V2, V3, Layer, arrays, named, network, symbol, write

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT.parent / "shared" / "real"
SHAPE = (2, 3, 6, 5)
RNG = np.random.default_rng(3)
X = RNG.standard_normal(SHAPE)
C3 = np.array([0.5, -1.5, 2.0], np.float32)
VAR = np.array([0.5, 1.5, 2.0], np.float32)
W = RNG.standard_normal((4, 3, 1, 1)).astype(np.float32)
DENSE = RNG.standard_normal((5, 90)).astype(np.float32)
BN = {"gamma": C3, "beta": 2 * C3, "moving_mean": C3 + 1, "moving_var": VAR}


def along(v):
    return v[:, None, None].astype(np.float64)


def norm(x, gamma=1.0, eps=1e-3):
    return (x - along(C3) - 1) / np.sqrt(along(VAR) + eps) * gamma + 2 * along(C3)


def forward(path, x=X, **wanted):
    source = mxnet.read(str(path), Wanted(**wanted))
    return run.forward(source.graph, x)


def refused(path, code, *words, **wanted):
    with pytest.raises(efm3.Efm3Error) as e:
        mxnet.read(str(path), Wanted(**wanted))
    assert e.value.code == code, e.value
    for word in words:
        assert word in str(e.value)


def op(name, inputs=1, **attrs):
    """One operation on the picture."""
    return [Layer(name, "l", ("data",) * inputs, {}, attrs)]


def unit(x, axis, eps=1e-10):
    return x / np.sqrt((x * x).sum(axis, keepdims=True) + eps)


LAST = Layer("transpose", "t", attrs={"axes": "(0, 2, 3, 1)"})
ONE = [
    (op("LeakyReLU"), lambda x: np.where(x > 0, x, 0.25 * x)),
    (op("LeakyReLU", slope="0.1"), lambda x: np.where(x > 0, x, 0.1 * x)),
    (op("LeakyReLU", act_type="rrelu"), lambda x: np.where(x > 0, x, 0.2295 * x)),
    ([Layer("LeakyReLU", "l", params={"gamma": C3}, attrs={"act_type": "prelu"})],
     lambda x: np.where(x > 0, x, along(C3) * x)),
    ([Layer("LeakyReLU", "l", params={"alpha": C3[:1]}, attrs={"act_type": "prelu"})],
     lambda x: np.where(x > 0, x, 0.5 * x)),
    (op("Activation", act_type="relu"), lambda x: np.maximum(x, 0)),
    (op("Activation", act_type="tanh"), np.tanh),
    ([Layer("BatchNorm", "l", params=BN)], norm),
    ([Layer("BatchNorm", "l", params=BN, attrs={"fix_gamma": False, "eps": "1e-5"})],
     lambda x: norm(x, along(C3), 1e-5)),
    ([LAST, Layer("BatchNorm", "l", ("t",), BN, {"axis": -1})],
     lambda x: np.moveaxis(norm(x), 1, 3)),
    ([Layer("Convolution", "l", params={"weight": W, "bias": np.ones(4, np.float32)},
            attrs={"kernel": "(1, 1)", "num_filter": 4, "stride": "(2L, 1L)"})],
     lambda x: np.einsum("oi,nihw->nohw", W[:, :, 0, 0].astype(np.float64), x[:, :, ::2]) + 1),
    ([Layer("FullyConnected", "l", params={"weight": DENSE},
            attrs={"num_hidden": 5, "no_bias": "True"})],
     lambda x: x.reshape(2, -1) @ DENSE.T.astype(np.float64)),
    ([LAST, Layer("FullyConnected", "l", ("t",), {"weight": W[:, :, 0, 0], "bias": np.ones(4, "f")},
                  {"num_hidden": 4, "flatten": "False"})],
     lambda x: np.moveaxis(x, 1, 3) @ W[:, :, 0, 0].T.astype(np.float64) + 1),
    (op("Pooling", global_pool="True", pool_type="avg"), lambda x: x.mean((2, 3), keepdims=True)),
    (op("Pooling", kernel="(6, 5)"), lambda x: x.max((2, 3), keepdims=True)),
    (op("Pooling", kernel="(1, 1)"), lambda x: x),
    (op("L2Normalization"), lambda x: unit(x, (1, 2, 3))),
    (op("L2Normalization", mode="channel", eps="0.5"), lambda x: unit(x, 1, 0.5)),
    (op("L2Normalization", mode="spatial"), lambda x: unit(x, (2, 3))),
    (op("Reshape", shape="(0, -1)"), lambda x: x.reshape(2, 90)),
    (op("Reshape", shape="(0, -3, 0)"), lambda x: x.reshape(2, 18, 5)),
    (op("Reshape", shape="(0, -4, -1, 3, -2)"), lambda x: x.reshape(2, 1, 3, 6, 5)),
    (op("Reshape", shape="(-4, 1, -1, -2)"), lambda x: x.reshape(1, 2, 3, 6, 5)),
    (op("Flatten"), lambda x: x.reshape(2, 90)),
    (op("transpose", axes="(0, 2, 3, 1)"), lambda x: np.moveaxis(x, 1, 3)),
    (op("transpose"), lambda x: x.transpose()),
    (op("SwapAxis", dim1=1, dim2=3), lambda x: x.swapaxes(1, 3)),
    (op("expand_dims", axis=-1), lambda x: x[..., None]),
    ([*op("expand_dims", axis=1), Layer("squeeze", "s", ("l",))], lambda x: x),
    (op("slice", begin="(None, 2)", end="(None, 0)", step="(None, -1)"), lambda x: x[:, 2:0:-1]),
    (op("slice", begin="(0, -2)", end="(2, None)"), lambda x: x[:, -2:]),
    (op("slice_axis", axis=-1, begin=-3, end="None"), lambda x: x[..., -3:]),
    (op("reverse", axis="(1,)"), lambda x: x[:, ::-1]),
    (op("Concat", 2, dim=3), lambda x: np.concatenate([x, x], 3)),
    (op("Pad", mode="constant", pad_width="(0, 0, 0, 0, 1, 2, 3, 0)", constant_value=2),
     lambda x: np.pad(x, ((0, 0), (0, 0), (1, 2), (3, 0)), constant_values=2)),
    ([Layer("take", "l", params={"indices": np.array([2, 1, 0], np.float32)}, attrs={"axis": 1})],
     lambda x: x[:, ::-1]),
    ([*op("Flatten"), Layer("dot", "d", ("l",), {"weight": DENSE.T})],
     lambda x: x.reshape(2, -1) @ DENSE.T.astype(np.float64)),
    ([*op("SliceChannel", num_outputs=3, squeeze_axis="True"),
      Layer("elemwise_sub", "s", ("l:2", "l"))], lambda x: x[:, 2] - x[:, 0]),
    (op("Cast", dtype="float16"), lambda x: x),
    (op("cast", dtype="int32"), np.trunc),
    (op("clip", a_min="-0.5", a_max="0.7"), lambda x: x.clip(-0.5, 0.7)),
    (op("Dropout", p=0.5), lambda x: x),
    ([*op("_greater_scalar", scalar=0.2), Layer("where", "w", ("l", "data", "l"))],
     lambda x: np.where(x > 0.2, x, 0)),
    # Truths are numbers: two of them add up to 2.
    ([*op("_greater_scalar", scalar=0), Layer("elemwise_add", "s", ("l", "l"))],
     lambda x: 2.0 * (x > 0)),
    (op("norm"), lambda x: np.sqrt((x * x).sum())),
    (op("norm", ord=1, axis=1, keepdims="True"), lambda x: abs(x).sum(1, keepdims=True)),
    (op("mean", axis="(2, 3)"), lambda x: x.mean((2, 3))),
    (op("sum", axis="(0, 1)", exclude="True"), lambda x: x.sum((2, 3))),
    (op("_rminus_scalar", scalar=2), lambda x: 2 - x),
    (op("_rdiv_scalar", scalar=2), lambda x: 2 / x),
    (op("_div_scalar", scalar=4), lambda x: x / 4),
    (op("_maximum_scalar", scalar=0.1), lambda x: np.maximum(x, 0.1)),
    (op("broadcast_div", 2), np.ones_like), (op("_Plus", 2), lambda x: 2 * x),
    (op("add_n", 3), lambda x: 3 * x), (op("square"), np.square),
    ([*op("square"), Layer("rsqrt", "r", ("l",))], lambda x: 1 / abs(x)),
    (op("BlockGrad"), lambda x: x), (op("negative"), np.negative),
]


@pytest.fixture
def shaped(monkeypatch):
    """Pictures of SHAPE, as symbols do not state the picture's size."""
    monkeypatch.setattr(mxnet, "SHAPES", (SHAPE,))


@pytest.mark.parametrize("number", range(len(ONE)))
def test_what_an_operation_means(tmp_path, shaped, number):
    layers, want = ONE[number]
    have = forward(write(tmp_path, layers))
    expected = want(X)
    assert have.shape == expected.shape or have.size == expected.size == 1
    assert np.abs(have - expected).max() < 1e-9


UNKNOWN = [
    (op("Activation", act_type="softrelu"), "Softplus"), (op("LeakyReLU", act_type="elu"), "Elu"),
    (op("Custom", op_type="x"), "Custom"), (op("Pooling", kernel="(2, 2)"), "Pooling (max)"),
    (op("Conv"), "Conv?"), (op("Input"), "Input?"), (op("softmax"), "Softmax"),
    (op("Reshape", shape="(0, -1)", reverse="True"), "Reshape from the end"),
    (op("Convolution", 2, kernel="(1,)", num_filter=1, no_bias=1), "Convolution in 1 dimensions"),
    (op("Dropout", mode="always"), "Dropout that always drops"),
    (op("Pooling", layout="NHWC"), "Pooling in layout NHWC"),
    (op("Pooling", kernel="(2, 2, 2)"), "Pooling in 3 dimensions"),
    (op("L2Normalization", mode="x"), "L2Normalization x"), (op("take", 2), "take"),
    (op("dot", 2), "dot"), (op("cast", dtype="complex64"), "cast to complex"),
    (op("norm", ord=3), "norm of order 3"),
]


@pytest.mark.parametrize("number", range(len(UNKNOWN)))
def test_what_is_not_known_stays_under_its_name(tmp_path, number):
    layers, name = UNKNOWN[number]
    # What follows it stays as well, since its shape is not known.
    source = mxnet.read(str(write(tmp_path, [*layers, Layer("Flatten", "f", ("l",))])), Wanted())
    foreign = source.graph.output.inputs[0]
    assert foreign.op == name and foreign.place == f"l ({layers[0].op})"
    assert source.graph.output.place == "f (Flatten)"


NET = [Layer("Convolution", "c", params={"weight": W, "bias": np.ones(4, np.float32)},
             attrs={"kernel": "(1, 1)", "num_filter": "4"}),
       Layer("LeakyReLU", "p", ("c",), {"gamma": np.linspace(0.1, 0.4, 4, dtype=np.float32)},
             {"act_type": "prelu"})]


@pytest.mark.parametrize("key", ["attrs", "attr", "param"])
@pytest.mark.parametrize("magic", [V1, V2, V3, 0])
def test_files_of_all_versions_give_the_same(tmp_path, key, magic):
    path = write(tmp_path, NET, key=key, magic=magic)
    x = RNG.standard_normal((1, 3, 112, 112))
    y = np.einsum("oi,nihw->nohw", W[:, :, 0, 0].astype(np.float64), x) + 1
    slopes = np.linspace(0.1, 0.4, 4, dtype=np.float32).astype(np.float64)
    want = np.where(y > 0, y, along(slopes) * y)
    for given in (path, tmp_path / "net-0000.params"):
        assert np.abs(forward(given, x) - want).max() < 1e-12


def test_statistics_that_old_symbols_do_not_list(tmp_path, shaped):
    path = write(tmp_path, [Layer("BatchNorm", "l", params=BN)])
    listed = json.loads(path.read_text())
    listed["nodes"][-1]["inputs"] = listed["nodes"][-1]["inputs"][:3]
    path.write_text(json.dumps(listed))
    assert np.abs(forward(path) - norm(X)).max() < 1e-9
    (tmp_path / "net-0000.params").write_bytes(arrays(named([Layer("x", "l", params={
        "gamma": C3, "beta": C3})])))
    refused(path, "X015", "l_moving_mean")


def test_half_precision_is_exact_and_whole_numbers_are_no_weights(tmp_path, shaped):
    half = np.array([0.1, -2.5, 3e-5], np.float16)
    layer = Layer("broadcast_mul", "l", params={"weight": half.reshape(3, 1, 1)})
    path = write(tmp_path, [layer])
    assert np.array_equal(forward(path), X * along(half))
    # bfloat16 is type 12: the upper half of a float32.
    data = (tmp_path / "net-0000.params").read_bytes()
    at = data.index(half.tobytes())
    upper = (C3.view(np.uint32) >> 16).astype("<u2").tobytes()
    (tmp_path / "net-0000.params").write_bytes(
        data[:at - 4] + (12).to_bytes(4, "little") + upper + data[at + 6:])
    assert np.array_equal(forward(path), X * along(C3))
    # A signalling NaN is a NaN, without a word.
    loud = np.full((3, 1, 1), 0x7f800001, np.uint32).view(np.float32)
    (tmp_path / "net-0000.params").write_bytes(arrays({"l_weight": loud}))
    assert np.isnan(forward(path)).all()
    (tmp_path / "net-0000.params").write_bytes(arrays({"l_weight": np.ones((3, 1, 1), np.int8)}))
    refused(path, "X006", "l_weight (null) holds int8")


def test_which_file_belongs_to_which(tmp_path):
    path = write(tmp_path, NET)
    (tmp_path / "other-0000.params").write_bytes(b"x")
    source = mxnet.read(str(path), Wanted())
    assert source.graph.assumed == [] and source.files == (str(tmp_path / "net-0000.params"),)
    # Several epochs: none is chosen, but one may be given.
    (tmp_path / "net-0007.params").write_bytes((tmp_path / "net-0000.params").read_bytes())
    refused(path, "X018", "net-0000.params, net-0007.params")
    assert mxnet.read(str(tmp_path / "net-0007.params"), Wanted()).graph.assumed == []


def test_the_only_other_file_is_taken_and_that_is_said(tmp_path):
    path = write(tmp_path, NET)
    alone = path.with_name("renamed.json")
    path.rename(alone)
    for given in (alone, tmp_path / "net-0000.params"):
        if given == alone:
            assumed = mxnet.read(str(given), Wanted()).graph.assumed
            assert assumed == ["net-0000.params, the only such file beside renamed.json, is taken "
                               "for its arrays"]
        else:
            refused(given, "X005", "net-symbol.json", "net.export(NAME)")
    (tmp_path / "net-0000.params").unlink()
    refused(alone, "X005", "renamed-0000.params")
    (tmp_path / "a.params").write_bytes(b"")
    (tmp_path / "b.params").write_bytes(b"")
    refused(alone, "X018", "a.params, b.params")


def test_a_folder_that_cannot_be_listed(tmp_path, monkeypatch):
    def fails(folder):
        raise PermissionError(13, "Permission denied")

    path = write(tmp_path, NET)
    monkeypatch.setattr("os.listdir", fails)
    with pytest.raises(Unreadable, match="Permission denied"):
        mxnet.read(str(path), Wanted())


def test_outputs_are_chosen_by_name(tmp_path):
    layers = [*NET, Layer("Flatten", "f", ("p",)), Layer("SliceChannel", "s", ("c",), {},
                                                          {"num_outputs": 2})]
    path = write(tmp_path, layers, heads=["f", "p"])
    refused(path, "X018", "f_output, p_output; choose with --output")
    refused(path, "X018", "0 outputs are called q", output="q")
    refused(path, "X007", "has 2 outputs, not 8", output="s_output7")
    for name, shape in (("f", (1, 50176)), ("f_output", (1, 50176)), ("c_output", (1, 4, 112, 112)),
                        ("s_output1", (1, 2, 112, 112))):
        assert mxnet.read(str(path), Wanted(output=name)).graph.output.shape == shape
    twice = write(tmp_path, [*NET, Layer("Flatten", "c", ("p",))])
    refused(twice, "X018", "2 outputs are called c", output="c")


def test_a_head_for_training_is_no_embedding(tmp_path):
    value = symbol([*NET, Layer("SoftmaxOutput", "softmax", ("p", "data"))])
    path = write(tmp_path, NET)
    path.write_text(json.dumps(value))
    refused(path, "X018", "softmax (SoftmaxOutput), is for training", "p_output")
    assert mxnet.read(str(path), Wanted(output="p")).graph.output.op == "PRelu"


def test_the_picture_is_what_has_no_array(tmp_path):
    path = write(tmp_path, NET, data="input_0", shape=(0, 3, 56, 48))
    assert mxnet.read(str(path), Wanted()).graph.input.shape == (1, 3, 56, 48)
    (tmp_path / "net-0000.params").write_bytes(arrays({"arg:c_weight": W, "arg:p_gamma": W[:, 0]}))
    refused(path, "X015", "c_bias has no array, and input_0 is the picture")
    (tmp_path / "net-0000.params").write_bytes(arrays(named(NET) | {"input_0": W}))
    refused(path, "X007", "does not depend on a picture")


def test_a_picture_with_its_channels_last(tmp_path):
    layers = [Layer("transpose", "t", attrs={"axes": "(0, 3, 1, 2)"}),
              NET[0]._replace(inputs=("t",))]
    source = mxnet.read(str(write(tmp_path, layers)), Wanted())
    assert source.graph.input.shape == (1, 112, 112, 3)
    # Where neither order fits, the first one's refusal stands.
    wrong = NET[0]._replace(params={"weight": W[:, :2], "bias": np.ones(4, np.float32)})
    refused(write(tmp_path, [wrong]), "X006", "the layer before it puts out 3")


WRONG = [
    (op("Convolution", 3), "X003", "l (Convolution) states no kernel"),
    (op("clip", a_min="x", a_max=1), "X003", "states a_min = 'x', not a number"),
    (op("transpose", axes="(0, 1" + ", 1" * 400 + ")"), "X003", "not whole numbers"),
    (op("transpose", axes="(1.5,)"), "X003", "not whole numbers"),
    (op("expand_dims", axis="(1, 2)"), "X003", "not a whole number"),
    (op("expand_dims", axis="9" * 19), "X003", "not whole numbers"),
    (op("Dropout", 2), "X007", "has 2 inputs, not 1"),
    (op("Reshape", shape="(0, 0, 0, 0, 0)"), "X006", "cannot bring"),
    (op("Reshape", shape="(11, -1)"), "X006", "cannot become"),
    (op("SliceChannel", num_outputs=5), "X006", "cannot split"),
    (op("slice", begin="(0,)", end="(1, 2)"), "X006", "1 begins, 2 ends"),
    (op("slice", begin="(0,)", end="(1,)", step="(0,)"), "X006", "steps [0]"),
    (op("squeeze", axis="1"), "X006", "that are not 1"),
    (op("expand_dims", axis=9), "X006", "axis 9 of 5"),
    (op("slice_axis", axis=1, begin="(0, 1)", end=2), "X006", "has 3 ends"),
    (op("slice_axis", axis=1, begin=0), "X003", "states no end"),
    (op("expand_dims", axis="None"), "X003", "states axis = 'None', not whole numbers"),
    (op("Flatten", 0), "X007", "does not depend on a picture"),
    ([*op("BlockGrad"), Layer("add_n", "n", ()), Layer("_plus", "p", ("l", "n"))], "X007",
     "n (add_n) has no inputs"),
    (op("mean", keepdims="maybe"), "X003", "not True or False"),
    (op("Concat", 1001, dim=1), "X007", "has 1,001 inputs"),
    (op("BatchNorm"), "X007", "has 1 inputs, not 5"),
    ([Layer("Concat", str(i), (str(i - 1) if i else "data",) * 2) for i in range(60)], "X006",
     "rows"),
    ([NET[0]._replace(attrs={"kernel": "(3, 3)", "num_filter": 4})], "X006", "states [4, 'any', 3"),
]


@pytest.mark.parametrize("number", range(len(WRONG)))
def test_what_an_operation_cannot_be(tmp_path, number):
    layers, code, word = WRONG[number]
    refused(write(tmp_path, layers), code, word)


def change(**own):
    """A symbol with some of its keys or of its last node's changed."""
    def make(value):
        for key, new in own.items():
            (value if key in value else value["nodes"][-1])[key] = new
        return json.dumps(value)
    return make


BROKEN = [
    (lambda v: "<html>", "X003", "neither a list of MXNet arrays nor a symbol"),
    (lambda v: "{}", "X003", "no MXNet symbol"), (lambda v: "{", "X003", "or is damaged"),
    (lambda v: '{"a":' * 5000, "X003", "or is damaged"),
    (lambda v: '{"a":' + "9" * 5000 + "}", "X003", "a number of 5000 digits"),
    (lambda v: json.dumps(v) + " " * _mxnet_symbol.MOST_TEXT, "X003", "more than a symbol"),
    (change(nodes=[]), "X003", "no `nodes`"), (change(nodes=[7]), "X003", "node 0"),
    (change(heads=[[99, 0, 0]]), "X007", "node 99"), (change(heads=[[0]]), "X003", "no [node"),
    (change(inputs=[[5, 0, 0]]), "X007", "takes output 0 of node 5"),
    (change(inputs=[[0, -1, 0]]), "X007", "takes output -1"),
    (change(inputs=[[True, 0, 0]]), "X003", "no [node"), (change(inputs=7), "X003", "no op, name"),
    (change(attrs=[1]), "X003", "attrs that is no object"), (change(op=None), "X003", "no op"),
    (lambda v: json.dumps(v | {"nodes": [v["nodes"][0]] * 10_001}), "X008", "more than 10,000"),
    (lambda v: json.dumps(v | {"nodes": [v["nodes"][0], *v["nodes"]]}), "X007", "is twice"),
]


@pytest.mark.parametrize("number", range(len(BROKEN)))
def test_a_broken_symbol(tmp_path, number):
    make, code, word = BROKEN[number]
    path = write(tmp_path, NET)
    value = json.loads(path.read_text())
    value.pop("attrs")
    path.write_text(make(value))
    refused(path, code, word)


def test_broken_arrays(tmp_path):
    write(tmp_path, NET)
    path = tmp_path / "net-0000.params"
    good = path.read_bytes()
    for end in [8, 15, 16, 23, 24, *range(25, len(good), 11), len(good) - 1]:
        path.write_bytes(good[:end])
        refused(path, "X003")
    for data, code, word in (
            (good + b"x", "X003", "goes on for 1 bytes"), (bytes(8) + good[8:], "X003", "neither"),
            (arrays({"a": W})[:-17] + bytes(8), "X003", "1 arrays and 0 names"),
            (good[:16] + b"\xff" * 8 + good[24:], "X003", "arrays in"),
            (good[:32] + (0).to_bytes(4, "little") + good[36:], "X006", "0 dimensions"),
            (good[:32] + (9).to_bytes(4, "little") + good[36:], "X006", "9 dimensions"),
            (good[:28] + (1).to_bytes(4, "little") + good[32:], "X006", "is sparse"),
            (good[:36] + (1 << 62).to_bytes(8, "little") + good[44:], "X003", "remain"),
            (good[:36] + b"\xff" * 8 + good[44:], "X006", "shape [-1"),
            (good[:76] + (99).to_bytes(4, "little") + good[80:], "X006", "values of type 99"),
            (good.replace(b"arg:c_bias", b"arg:c_biaz"), "X015", "c_bias has no array"),
            (arrays({"arg:c": W, "aux:c": W}), "X015", "c is twice"),
            (arrays({"n" * 4097: W}), "X003", "a name of 4,097 bytes"),
            (good[:-34], "X003", "")):
        path.write_bytes(data)
        refused(path, code, word)
    path.write_bytes(b"version https://")
    refused(tmp_path / "net-symbol.json", "X003", "net-0000.params is not a list of MXNet arrays")


@pytest.mark.parametrize("piece", ['{"":{}},', "[],", '"",', '{"a":"b"},'])
def test_the_largest_symbol_takes_little_memory(tmp_path, piece):
    size = _mxnet_symbol.MOST_TEXT // 64
    text = ('{"nodes":[' + piece * (size // len(piece)) + "0]}").encode()
    tracemalloc.start()
    with pytest.raises(efm3.Efm3Error):
        _mxnet_symbol.parse(text, "x")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak * 64 < 64 << 20


def test_what_save_parameters_writes_is_named_tensors(tmp_path, state, small):
    words = {"bn.weight": "bn.gamma", "bn.bias": "bn.beta", "act.weight": "act.alpha",
             "prelu.weight": "prelu.alpha"}
    tensors = {}
    for key, value in state.items():
        tail = ".".join(key.split(".")[-2:])
        if value.ndim:
            tensors[key.removesuffix(tail) + words.get(tail, tail)] = value
    path = tmp_path / "net.params"
    path.write_bytes(arrays(tensors))
    source = mxnet.read(str(path), Wanted())
    network = network_of(source, Wanted())
    assert not source.stated and any("epsilon" in a for a in network.assumed)
    for key, value in small.tensors.items():
        assert np.array_equal(network.model.tensors[key], value)
    # With the names of a checkpoint they are a symbol's.
    path.write_bytes(arrays({f"arg:{k}": v for k, v in tensors.items()}))
    refused(path, "X005", "net-symbol.json")


def test_a_whole_network_comes_back_bit_for_bit(tmp_path, small):
    path = write(tmp_path, network(small))
    found = network_of(mxnet.read(str(path), Wanted()), Wanted())
    assert found.model.arch.stages == small.arch.stages
    for key, value in small.tensors.items():
        assert np.array_equal(found.model.tensors[key], value)


@pytest.mark.skipif(not (REAL / "laulian-symbol.json").is_file(),
                    reason="shared/real is not beside the project")
@pytest.mark.parametrize("name", ["laulian-symbol.json", "laulian-0200.params"])
def test_a_real_network(name):
    image = pytest.importorskip("PIL.Image")
    paths = sorted((ROOT / "examples").glob("*.png"))
    with np.load(REAL / "embeddings.npz") as z:
        want = z["laulian"]
    at = -1 if name.endswith("json") else 0
    x = np.asarray(image.open(paths[at]).convert("RGB")).transpose(2, 0, 1)[None]
    y = forward(REAL / name, x)
    assert np.abs(y / np.sqrt((y * y).sum()) - want[at]).max() < 1e-5
