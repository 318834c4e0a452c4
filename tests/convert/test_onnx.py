# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""ONNX: round trips, every spelling of the network, and everything that is another network."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

import efm3
from efm3 import reference, synthesis
from efm3.convert import read, read_network, write
from efm3.convert._fold import IDENTITY_VAR
from efm3.convert._run import convert

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

import graphs as g  # noqa: E402 (it imports onnx)

DATA = Path(__file__).resolve().parents[1] / "data"
F = onnx.TensorProto.FLOAT


@pytest.fixture
def graph(small):
    """The graph of `small`, BatchNorm not folded, to be changed."""
    return g.proto(small)


@pytest.fixture
def saved(tmp_path):
    def make(p, name="g.onnx"):
        (tmp_path / name).write_bytes(p.SerializeToString())
        return tmp_path / name
    return make


def test_the_published_kind_of_file(tmp_path):
    convert(DATA / "nano.onnx", tmp_path / "n.bin", strict=True)
    model = efm3.load(tmp_path / "n.bin")
    assert model.arch == efm3.ARCHS["nano"]
    assert set(model.tensors["stem.bn.var"]) == {IDENTITY_VAR}
    with np.load(DATA / "nano.npz") as z:
        x, want = z["x"], z["embedding"]
    assert np.abs(reference.forward(model, x) - want).max() < 1e-5
    with efm3.Engine(model) as e:
        assert np.abs(e.embed(x) - want).max() < 1e-5


def test_round_trip(vector, odd_text, round_trip):
    for path in (vector, odd_text):
        onnx.checker.check_model(str(round_trip(path, ".onnx")), full_check=True)


@pytest.mark.parametrize("fold", [False, True])
def test_what_is_written_runs(small, small_embeddings, pictures, tmp_path, fold):
    path = tmp_path / "g.onnx"
    write(small, path, fold=fold)
    p = onnx.load(path)
    onnx.checker.check_model(p, full_check=True)
    assert [o.version for o in p.opset_import] == [17]
    ops = {n.op_type for n in p.graph.node}
    assert ("BatchNormalization" in ops) != fold
    session = runtime.InferenceSession(str(path))
    assert session.get_inputs()[0].shape == ["N", 3, 112, 112]
    for n in (1, 3):
        (have,) = session.run(["embedding"], {"input": pictures[:n]})
        assert np.abs(have - small_embeddings[:n]).max() < 1e-5
    zero = session.run(None, {"input": np.zeros((1, 3, 112, 112), np.float32)})[0]
    assert np.isfinite(zero).all()


def test_folding_again_gives_the_same_bits(small, tmp_path):
    """bin -> folded ONNX -> bin -> folded ONNX: weights and biases keep every bit."""
    write(small, tmp_path / "a.onnx", fold=True)
    convert(tmp_path / "a.onnx", tmp_path / "a.bin")
    write(efm3.load(tmp_path / "a.bin"), tmp_path / "b.onnx", fold=True)
    a, b = onnx.load(tmp_path / "a.onnx"), onnx.load(tmp_path / "b.onnx")
    assert [t.name for t in a.graph.initializer] == [t.name for t in b.graph.initializer]
    assert all(x.raw_data == y.raw_data
               for x, y in zip(a.graph.initializer, b.graph.initializer, strict=True))


def test_the_engine_gives_the_folded_network_the_same_bits(small, tmp_path):
    write(small, tmp_path / "a.onnx", fold=True)
    convert(tmp_path / "a.onnx", tmp_path / "a.bin")
    x = synthesis.images(3, 1)
    with efm3.Engine(small) as a, efm3.Engine(tmp_path / "a.bin") as b:
        assert np.array_equal(a.embed(x), b.embed(x))


# Spellings of the same network. Each changes the graph; the tensors stay or the embeddings do.

def slopes(shape):
    def change(p):
        for t in p.graph.initializer:
            if t.name.endswith("act.w"):
                g.put(p, t.name, g.value(p, t.name).reshape(shape))
    return change


def dense(op, flipped):
    def change(p):
        w = g.value(p, "embed_proj.conv.w")[:, :, 0, 0]
        g.put(p, "embed_proj.conv.w", w.T if flipped else w)
        n = g.node(p, "embed_proj/conv")
        n.op_type = op
        del n.attribute[:]
        if op == "Gemm":
            g.attribute(n, "transB", int(not flipped))
        g.cut(p, "flatten")
        g.insert(p, "embed_proj/conv", "Flatten", [...], "flatten", axis=1)
        g.node(p, "norm").input[0] = g.node(p, "normalize").input[0] = "embed_proj/bn/y"
    return change


def affine_for_bn(p):
    """Mul and Add where a BatchNorm stood: what some converters leave of it."""
    bn = {k: g.value(p, f"stem.bn.{k}").astype(np.float64) for k in ("w", "b", "mean", "var")}
    scale = bn["w"] / np.sqrt(bn["var"] + 1e-5)
    g.put(p, "s", scale.astype(np.float32).reshape(1, -1, 1, 1))
    g.put(p, "o", (bn["b"] - bn["mean"] * scale).astype(np.float32).reshape(-1, 1, 1))
    g.insert(p, "stem/bn", "Mul", [..., "s"], "mul")
    g.insert(p, "stem/bn", "Add", ["o", ...], "add")
    g.cut(p, "stem/bn")


def without_norm(p):
    g.norm(p)
    g.node(p, "flatten").output[0] = "embedding"


def lp_norm(p):
    g.norm(p, ("LpNormalization", ["flatten/y"], "embedding", {"axis": -1, "p": 2}))


def long_norm(p):
    g.put(p, "two", np.float32(2))
    g.put(p, "eps", np.float32(1e-12))
    g.norm(p, ("Pow", ["flatten/y", "two"], "sq", {}), ("Sqrt", ["sum"], "root", {}),
           ("Add", ["root", "eps"], "least", {}), ("Div", ["flatten/y", "least"], "embedding", {}))
    p.graph.node.insert(len(p.graph.node) - 3, onnx.helper.make_node(
        "ReduceSum", ["sq"], ["sum"], "sum", axes=[1], keepdims=1))
    g.opset(p, 11)


def reciprocal_norm(p):
    g.norm(p, ("ReduceSumSquare", ["flatten/y"], "sum", {"axes": [1], "keepdims": 1}),
           ("Sqrt", ["sum"], "root", {}), ("Reciprocal", ["root"], "one", {}),
           ("Mul", ["flatten/y", "one"], "embedding", {}))


def norm_before_flatten(p):
    g.cut(p, "flatten")
    g.attribute(g.node(p, "norm"), "axes", [1])
    n = g.node(p, "normalize")
    n.output[0] = "map"
    p.graph.node.append(onnx.helper.make_node("Flatten", ["map"], ["embedding"], "flatten"))


def reshape(*shape):
    def change(p):
        n = g.node(p, "flatten")
        n.op_type = "Reshape"
        del n.attribute[:]
        n.input.append(g.put(p, "shape", np.array(shape, np.int64)))
    return change


def squeeze(p):
    n = g.node(p, "flatten")
    n.op_type = "Squeeze"
    del n.attribute[:]
    n.input.append(g.put(p, "axes", np.array([2, -1], np.int64)))


def constants_as_nodes(p):
    for t in list(p.graph.initializer):
        if t.name.startswith("stem"):
            p.graph.initializer.remove(t)
            p.graph.node.insert(0, onnx.helper.make_node("Constant", [], [t.name], value=t))


def typed_data(p):
    t = g.tensor(p, "stem.bn.b")
    values = g.value(p, "stem.bn.b").tolist()
    t.ClearField("raw_data")
    t.float_data.extend(values)


def harmless(p):
    g.insert(p, "dw_stem/conv", "Identity", [...], "same")
    g.insert(p, "gdconv/conv", "Dropout", [...], "drop")
    p.graph.node.append(onnx.helper.make_node("Relu", ["stem/conv/y"], ["dead"], "dead"))
    p.graph.node.append(onnx.helper.make_node("Softmax", ["dead"], ["deader"], "deader"))


def fixed_batch(n):
    def change(p):
        p.graph.input[0].type.tensor_type.shape.dim[0].dim_value = n
    return change


def initializers_as_inputs(p):
    for t in p.graph.initializer:
        p.graph.input.append(onnx.helper.make_tensor_value_info(t.name, F, list(t.dims)))


def auto_pad(p):
    n = g.node(p, "dw_stem/conv")
    g.attribute(n, "pads", None)
    g.attribute(n, "auto_pad", "SAME_UPPER")


def no_attributes(p):
    for n in p.graph.node:
        if n.name.endswith("expand/conv"):
            del n.attribute[:]


def epsilon(p):
    g.attribute(g.node(p, "stem/bn"), "epsilon", None)


SPELLINGS = {
    "slopes [1,C,1,1]": slopes((1, -1, 1, 1)), "Gemm transB": dense("Gemm", False),
    "Gemm": dense("Gemm", True), "MatMul": dense("MatMul", True), "no norm": without_norm,
    "LpNormalization": lp_norm, "Pow ... Div": long_norm, "Reciprocal": reciprocal_norm,
    "norm before flatten": norm_before_flatten, "Reshape -1": reshape(-1, 12),
    "Reshape 0": reshape(0, -1), "Squeeze": squeeze, "Constant nodes": constants_as_nodes,
    "float_data": typed_data, "dead and idle nodes": harmless, "batch 1": fixed_batch(1),
    "batch 3": fixed_batch(3), "weights among the inputs": initializers_as_inputs,
    "auto_pad": auto_pad, "attributes left out": no_attributes, "default epsilon": epsilon,
    "opset 9": lambda p: (lp_norm(p), g.opset(p, 9)),
}


@pytest.mark.parametrize("case", SPELLINGS)
def test_spellings_keep_every_tensor(small, small_embeddings, pictures, graph, saved, case):
    SPELLINGS[case](graph)
    network = read_network(saved(graph), strict=True)
    assert all(np.array_equal(network.model.tensors[k], v) for k, v in small.tensors.items())
    if case != "weights among the inputs":
        assert np.abs(network.run(pictures) - small_embeddings).max() < 1e-5


def test_unfolded_to_mul_and_add(small_embeddings, pictures, graph, saved):
    affine_for_bn(graph)
    network = read_network(saved(graph))
    assert np.abs(reference.forward(network.model, pictures) - small_embeddings).max() < 1e-5
    assert np.abs(network.run(pictures) - small_embeddings).max() < 1e-5


def test_bare_slopes_mean_channels(small, small_embeddings, pictures, graph, saved, tmp_path):
    slopes((-1,))(graph)
    network = read_network(saved(graph))
    assert all(np.array_equal(network.model.tensors[k], v) for k, v in small.tensors.items())
    assert np.abs(network.run(pictures) - small_embeddings).max() < 1e-5
    convert(saved(graph), tmp_path / "x.bin")


@pytest.mark.parametrize("op,own,slope", [("Relu", {}, 0), ("LeakyRelu", {}, 0.01),
                                          ("LeakyRelu", {"alpha": 0.25}, 0.25)])
def test_other_activations_are_slopes(graph, saved, tmp_path, op, own, slope):
    n = g.node(graph, "stage1.block1.dw/act")
    n.op_type = op
    del n.input[1:]
    for k, v in own.items():
        g.attribute(n, k, v)
    convert(saved(graph), tmp_path / "x.bin", strict=True)
    slopes = efm3.load(tmp_path / "x.bin").tensors["stage1.block1.dw.act.w"]
    assert set(slopes) == {np.float32(slope)}


def test_one_slope_for_all_channels(graph, saved):
    g.put(graph, "stem.act.w", np.array([0.25], np.float32))
    assert set(read(saved(graph)).tensors["stem.act.w"]) == {np.float32(0.25)}


def test_another_epsilon_goes_into_the_variance(graph, saved, tmp_path, refused):
    g.attribute(g.node(graph, "stem/bn"), "epsilon", 2e-3)
    path = saved(graph)
    done = convert(path, tmp_path / "x.bin")
    assert "epsilon 0.002" in done.assumed[0] and done.check.max_error < 1e-5
    refused(path, "X014", "epsilon", strict=True)
    g.attribute(g.node(graph, "stem/bn"), "epsilon", 0.0)
    g.put(graph, "stem.bn.var", np.full(8, 1e-6, np.float32))
    refused(saved(graph), "X009", "negative")


# Preprocessing.

def before(p, *steps):
    for i, (op, constant, first) in enumerate(steps):
        name = g.put(p, f"pre{i}", np.asarray(constant, np.float32))
        g.insert(p, "stem/conv", op, [..., name] if first else [name, ...], f"pre{i}/node")


GREY = np.full((1, 3, 1, 1), 127.5)
UNDONE = {
    "(p - 127.5) / 128": ([("Sub", 127.5, 1), ("Div", 128, 1)], True),
    "(p - 127.5) * (1/128)": ([("Sub", GREY, 1), ("Mul", GREY * 0 + 0.0078125, 0)], True),
    "p/128 - 127.5/128": ([("Div", 128, 1), ("Sub", 0.99609375, 1)], True),
    "(p + -127.5) / 127.5": ([("Add", -127.5, 0), ("Div", 127.5, 1)], False),
    "(u - 0.5) / 0.5": ([("Sub", 0.5, 1), ("Div", 0.5, 1)], False),
    "scale a channel": ([("Mul", np.array([1, 2, 4]).reshape(3, 1, 1), 1)], False),
    "flip": ([("Sub", 127.5, 0)], False),
}


@pytest.mark.parametrize("case", UNDONE)
def test_preprocessing_is_undone(small, graph, saved, tmp_path, case):
    steps, exact = UNDONE[case]
    before(graph, *steps)
    # The check feeds onnxruntime the pictures in the graph's own range.
    done = convert(saved(graph), tmp_path / "x.bin")
    assert done.check.max_error < 1e-5
    weight = efm3.load(tmp_path / "x.bin").tensors["stem.conv.w"]
    assert np.array_equal(weight, small.tensors["stem.conv.w"]) == exact


@pytest.mark.parametrize("steps,word", [
    ([("Sub", 128, 1), ("Div", 128, 1)], "zero is at [128.0"),
    ([("Sub", np.array([123.7, 116.3, 103.5]).reshape(1, 3, 1, 1), 1)], "padding"),
    ([("Div", 0, 1)], "zero"), ([("Div", 2, 0)], "divides by the input"),
    ([("Mul", 0, 1)], "scaled by"), ([("Mul", np.ones((112, 112)), 1)], "not one a channel"),
    ([("Pow", 2, 1)], "pre0/node (Pow)"), ([("Max", 0, 1)], "not undone"),
])
def test_preprocessing_that_is_not_undone(graph, saved, refused, steps, word):
    before(graph, *steps)
    refused(saved(graph), "X016", word)


def test_other_inputs_are_refused(graph, saved, refused):
    kind = graph.graph.input[0].type.tensor_type
    kind.shape.dim[3].dim_value = 96
    refused(saved(graph), "X016", "[N, 3, 112, 112]")
    kind.shape.dim[3].dim_value = 112
    kind.elem_type = onnx.TensorProto.UINT8
    refused(saved(graph), "X016", "element type 2")
    kind.elem_type = F
    g.insert(graph, "stem/conv", "Transpose", [...], "nhwc", perm=[0, 3, 1, 2])
    refused(saved(graph), "X016", "nhwc (Transpose)")


# Other networks.

def attributed(name, key, new):
    return lambda p: g.attribute(g.node(p, name), key, new)


def unresidual(p):
    g.cut(p, "stage1.block1.project/add")


def wrong_residual(p):
    g.node(p, "stage1.block2.project/add").input[1] = "stem/act/y"


def new_residual(p):
    """An addition around the first block of stage 5's neighbour, whose stride is 2."""
    n = g.node(p, "stage1.block2.project/add")
    n.input[1] = n.input[0]


def squeezed(p):
    g.insert(p, "stage1.block1.project/conv", "Mul", [..., "gate"], "se/mul")
    x = g.node(p, "se/mul").input[0]
    at = next(i for i, n in enumerate(p.graph.node) if n.name == "se/mul")
    w = g.put(p, "se.w", np.zeros((16, 16, 1, 1), np.float32))
    for n in reversed([onnx.helper.make_node("GlobalAveragePool", [x], ["p"], "se/pool"),
                       onnx.helper.make_node("Conv", ["p", w], ["q"], "se/fc"),
                       onnx.helper.make_node("Sigmoid", ["q"], ["gate"], "se/gate")]):
        p.graph.node.insert(at, n)


def biased_and_normed(p):
    g.node(p, "stage1.block1.expand/conv").input.append(
        g.put(p, "b", np.zeros(16, np.float32)))


def swapped_slope(p):
    n = g.node(p, "stage1.block1.expand/act")
    n.op_type = "Clip"
    del n.input[1:]


def odd_norm(p):
    g.norm(p, ("ReduceL1", ["flatten/y"], "n", {"axes": [1]}),
           ("Div", ["flatten/y", "n"], "embedding", {}))


def scaled_norm(p):
    g.put(p, "k", np.float32(64))
    g.node(p, "normalize").output[0] = "unit"
    p.graph.node.append(onnx.helper.make_node("Mul", ["unit", "k"], ["embedding"], "times"))


def batch_norm(p):
    g.attribute(g.node(p, "norm"), "axes", [0])


def later_act(p):
    """An activation behind the residual sum."""
    g.insert(p, "stage1.block2.expand/conv", "Relu", [...], "late")
    g.node(p, "stage1.block2.project/add").input[1] = "late/y"


OTHERS = {
    "stride": (attributed("dw_stem/conv", "strides", [2, 2]), "X009", "dw_stem/conv (Conv)"),
    "expand's stride": (attributed("stage1.block0.expand/conv", "strides", [2, 2]), "X009",
                        "has stride 2"),
    "oblong strides": (attributed("dw_stem/conv", "strides", [1, 2]), "X009", "[1, 2]"),
    "pads": (attributed("dw_stem/conv", "pads", [0, 0, 1, 1]), "X009", "pads [0, 0, 1, 1]"),
    "no pads": (attributed("dw_stem/conv", "pads", [0] * 4), "X009", "has padding 0"),
    "dilations": (attributed("dw_stem/conv", "dilations", [2, 2]), "X009", "dilations"),
    "auto_pad": (attributed("stem/conv", "auto_pad", "SAME_UPPER"), "X009", "auto_pad SAME_UPPER"),
    "grouped": (lambda p: (g.put(p, "dw_stem.conv.w", np.zeros((8, 2, 3, 3), np.float32)),
                           g.attribute(g.node(p, "dw_stem/conv"), "group", 4)), "X009",
                "groups=4 for 8 channels: EFM3's second layer is depthwise"),
    "5x5": (lambda p: (g.put(p, "stage1.block1.dw.conv.w", np.zeros((16, 1, 5, 5), np.float32)),
                       g.attribute(g.node(p, "stage1.block1.dw/conv"), "kernel_shape", [5, 5])),
            "X009", "kernel 5×5 in stage1.block1.dw/conv"),
    "no residual": (unresidual, "X009", "stage1.block1.project/conv (Conv) is not added"),
    "residual from afar": (wrong_residual, "X008", "stem/act"),
    "residual of itself": (new_residual, "X008", "stage1.block2.project/add"),
    "SE block": (squeezed, "X008", "SE block or pooling at se/pool"),
    "bias in expand": (biased_and_normed, "X009", "bias in expand: stage1.block1.expand/conv"),
    "ReLU6": (swapped_slope, "X008", "stage1.block1.expand/act (Clip): EFM3 has no such layer"),
    "activation after the sum": (later_act, "X009", "late (Relu)"),
    "L1 norm": (odd_norm, "X008", "ReduceL1"), "times 64": (scaled_norm, "X008", "L2 norm"),
    "norm over the batch": (batch_norm, "X008", "L2 norm"),
    "opset 8": (lambda p: g.opset(p, 8), "X008", "opset 8"),
    "no opset": (lambda p: p.ClearField("opset_import"), "X008", "opset 0"),
    "training": (attributed("stem/bn", "training_mode", 1), "X009", "training"),
    "reshaped elsewhere": (reshape(12, -1), "X008", "flatten (Reshape)"),
    "flattened at 0": (attributed("flatten", "axis", 0), "X008", "flatten"),
    "other domain": (lambda p: setattr(g.node(p, "stem/act"), "domain", "com.example"), "X008",
                     "com.example"),
    "two outputs": (lambda p: p.graph.output.append(onnx.helper.make_tensor_value_info(
        "flatten/y", F, None)), "X008", "2 outputs"),
    "two inputs": (lambda p: (p.graph.input.append(onnx.helper.make_tensor_value_info(
        "mask", F, None)), g.insert(p, "gdconv/conv", "Mul", [..., "mask"], "m")), "X008",
        "2 inputs"),
    "a pooled end": (lambda p: g.insert(p, "embed_proj/conv", "GlobalAveragePool", [...], "pool"),
                     "X008", "pool"),
    "a softmax": (lambda p: g.insert(p, "gdconv/conv", "Softmax", [...], "soft"), "X008",
                  "soft (Softmax)"),
    "half floats": (lambda p: g.put(p, "stem.bn.b", np.zeros(8, np.float16)), "X006", "type 10"),
    "doubles": (lambda p: g.put(p, "stem.bn.b", np.zeros(8)), "X006", "float64"),
    "weight as input": (lambda p: (p.graph.initializer.remove(g.tensor(p, "stem.conv.w")),
                                   p.graph.input.append(onnx.helper.make_tensor_value_info(
                                       "stem.conv.w", F, [8, 3, 3, 3]))), "X008", "2 inputs"),
    "Gemm with alpha": (lambda p: (dense("Gemm", False)(p), g.attribute(
        g.node(p, "embed_proj/conv"), "alpha", 2.0)), "X009", "alpha"),
    "scaled behind PReLU": (lambda p: (g.put(p, "k", np.ones((8, 1, 1), np.float32)), g.insert(
        p, "dw_stem/conv", "Mul", [..., "k"], "m")), "X008", "m (Mul)"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_other_networks_are_refused(graph, saved, refused, case):
    change, code, word = OTHERS[case]
    change(graph)
    refused(saved(graph), code, word)


# Broken and hostile files.

def cycle(p):
    g.node(p, "stage1.block1.project/add").input[1] = "stage3.block0.expand/conv/y"


def self_cycle(p):
    g.node(p, "dw_stem/conv").input[0] = "dw_stem/conv/y"


def shaped(name, dims):
    def change(p):
        t = g.tensor(p, name)
        del t.dims[:]
        t.dims.extend(dims)
    return change


BROKEN = {
    "cycle": (cycle, "X007", "cycle"), "self cycle": (self_cycle, "X007", "dw_stem/conv"),
    "unknown value": (lambda p: g.node(p, "stem/act").input.__setitem__(0, "ghost"), "X007",
                      "ghost, which nobody makes"),
    "made twice": (lambda p: g.node(p, "dw_stem/conv").output.__setitem__(0, "stem/conv/y"),
                   "X007", "made elsewhere"),
    "output of nobody": (lambda p: setattr(p.graph.output[0], "name", "ghost"), "X007", "ghost"),
    "shape beyond the data": (shaped("stem.bn.b", [1 << 40]), "X006", "holds 32 bytes"),
    "negative shape": (shaped("stem.bn.b", [-8, -1]), "X006", "[-8, -1]"),
    "another shape": (shaped("stem.conv.w", [3, 8, 3, 3]), "X006", "stem/bn"),
    "rank": (shaped("stem.conv.w", [8, 27]), "X006", "not 4 dimensions"),
    "bn's shape": (shaped("stem.bn.b", [2, 4]), "X006", "[2, 4]"),
    "slope's shape": (shaped("stem.act.w", [1, 1, 8]), "X006", "slope of shape [1, 1, 8]"),
    "kernel_shape": (attributed("stem/conv", "kernel_shape", [5, 5]), "X006", "kernel_shape"),
    "no inputs": (lambda p: g.node(p, "stem/bn").input.__delitem__(slice(2, 5)), "X007",
                  "2 inputs"),
    "no weight": (lambda p: g.node(p, "stem/conv").input.__delitem__(slice(1, 2)), "X007",
                  "no weight"),
    "empty graph": (lambda p: p.graph.ClearField("node"), "X003", "no graph"),
    "huge norm": (lambda p: g.norm(p, (
        "Expand", ["flatten/y", g.put(p, "s", np.array([1 << 20, 12], np.int64))], "embedding",
        {})), "X008", "values"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_graphs(graph, saved, refused, case):
    change, code, word = BROKEN[case]
    change(graph)
    refused(saved(graph), code, word)


def test_a_long_chain_is_no_recursion(graph, saved, refused):
    for i in range(3000):
        graph.graph.node.append(onnx.helper.make_node("Identity", [f"c{i}"], [f"c{i + 1}"]))
    g.put(graph, "c0", g.value(graph, "stem.bn.b"))
    g.node(graph, "stem/bn").input[2] = "c3000"
    refused(saved(graph), "X008", "stem/bn")


def test_truncated_and_flipped(graph, saved, tmp_path, refused):
    data = saved(graph).read_bytes()
    path = tmp_path / "t.onnx"
    for n in [*range(0, 60), *range(100, len(data), len(data) // 20)]:
        path.write_bytes(data[:n])
        with pytest.raises(efm3.Efm3Error) as e:
            read(path)
        assert e.value.code[0] == "X"
    for other in (b"x" * 99, (DATA / "nano.bin").read_bytes(), b"\x80\x02}."):
        path.write_bytes(other)
        refused(path, "X003")
    rng = np.random.default_rng(3)
    for _ in range(150):
        bad = bytearray(data)
        for at in rng.integers(0, len(data), 4):
            bad[at] ^= 1 << rng.integers(8)
        path.write_bytes(bad)
        try:
            read(path)
        except efm3.Efm3Error as e:
            assert e.code[0] == "X" or e.code[0] == "H"


def outside(p, location, **more):
    t = g.tensor(p, "stem.bn.b")
    t.ClearField("raw_data")
    t.data_location = onnx.TensorProto.EXTERNAL
    for k, v in {"location": location, **more}.items():
        entry = t.external_data.add()
        entry.key, entry.value = k, str(v)


def test_external_data_in_the_folder(small, graph, saved, tmp_path):
    (tmp_path / "w.data").write_bytes(b"pad!" + small.tensors["stem.bn.b"].tobytes())
    outside(graph, "w.data", offset=4, length=32)
    convert(saved(graph), tmp_path / "x.bin")
    assert np.array_equal(efm3.load(tmp_path / "x.bin").tensors["stem.bn.b"],
                          small.tensors["stem.bn.b"])


def test_external_data_elsewhere(small, graph, saved, tmp_path, refused):
    (tmp_path / "secret").write_bytes(bytes(32))
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "short").write_bytes(bytes(31))
    os.mkfifo(folder / "fifo")
    for location, more in (
            ("../secret", {}), (str(tmp_path / "secret"), {}), ("link", {}), ("", {}), (".", {}),
            ("none", {}), ("short", {"length": 32}), ("short", {"offset": 40}), ("fifo", {}),
            ("short", {"offset": -1}), ("short", {"length": "x"}), ("../model-2/x", {}),
            ("short", {"offset": 1 << 70})):
        p = onnx.ModelProto()
        p.CopyFrom(graph)
        outside(p, location, **more)
        refused(saved(p, "model/g.onnx"), "X005", "stem.bn.b")
    p.CopyFrom(graph)
    outside(p, "short")
    refused(saved(p, "model/g.onnx"), "X006", "31 bytes")


def test_metadata_must_fit_the_graph(small, tmp_path, saved, refused):
    write(small, tmp_path / "a.onnx")
    p = onnx.load(tmp_path / "a.onnx")
    for m in p.metadata_props:
        m.value = m.value.replace('"embedding_dim":12', '"embedding_dim":13')
    refused(saved(p), "X011", "embed_proj")
    p.metadata_props[0].value = "{"
    refused(saved(p), "X012")


def test_a_given_arch(graph, saved, refused, small, tmp_path):
    convert(saved(graph), tmp_path / "x.bin", arch=small.arch)
    assert efm3.load(tmp_path / "x.bin").arch == small.arch
    refused(saved(graph), "X011", "nano", arch=efm3.ARCHS["nano"])


def test_without_the_libraries(graph, saved, refused, monkeypatch):
    path = saved(graph)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    refused(path, "X002", "efm3[onnx]")
    monkeypatch.setitem(sys.modules, "onnx", None)
    refused(path, "X002", "efm3[onnx]", verify=False)
