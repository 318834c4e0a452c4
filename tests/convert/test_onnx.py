# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""ONNX: round trips, every spelling of the network, and everything that is another network."""


from pathlib import Path

import numpy as np
import onnx
import onnxruntime as runtime
import pytest

import efm3
from efm3 import reference, untrained
from efm3.convert import read, read_network, write
from efm3.convert._base import Wanted
from efm3.convert._fold import IDENTITY_VAR
from efm3.convert.checked import convert
from tests.convert import graphs as g

NEEDS = ("onnx", "onnxruntime",)

DATA = Path(__file__).resolve().parents[1] / "data"
VECTORS = Path(__file__).resolve().parents[2] / "spec" / "vectors"
F = onnx.TensorProto.FLOAT
STATED = Wanted(bgr=False, input_range=(-127.5 / 128, 127.5 / 128))
"""What these graphs do not say of their input."""


def test_the_published_kind_of_file(tmp_path):
    convert(DATA / "nano.onnx", tmp_path / "n.bin", wanted=STATED, strict=True)
    model = efm3.load(tmp_path / "n.bin")
    assert model.arch == efm3.ARCHS["nano"]
    assert set(model.tensors["stem.bn.var"]) == {IDENTITY_VAR}
    with np.load(VECTORS / "nano.npz") as z:
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
    assert session.get_outputs()[0].shape == ["N", small.arch.embedding_dim]
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
    x = untrained.images(3, 1)
    with efm3.Engine(small) as a, efm3.Engine(tmp_path / "a.bin") as b:
        assert np.array_equal(a.embed(x), b.embed(x))


# Spellings of the same network. Each changes the graph; the tensors stay or the embeddings do.

def slopes(shape):
    def change(p):
        for t in p.graph.initializer:
            if t.name.endswith("act.w"):
                g.put(p, t.name, g.value(p, t.name).reshape(shape))
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
    "slopes [1,C,1,1]": slopes((1, -1, 1, 1)), "Gemm transB": g.dense("Gemm", False),
    "Gemm": g.dense("Gemm", True), "MatMul": g.dense("MatMul", True), "no norm": without_norm,
    "LpNormalization": lp_norm, "Pow ... Div": long_norm, "Reciprocal": reciprocal_norm,
    "norm before flatten": norm_before_flatten, "Reshape -1": g.reshape(-1, 12),
    "Reshape 0": g.reshape(0, -1), "Squeeze": squeeze, "Constant nodes": constants_as_nodes,
    "float_data": typed_data, "dead and idle nodes": harmless, "batch 1": fixed_batch(1),
    "batch 3": fixed_batch(3), "weights among the inputs": initializers_as_inputs,
    "auto_pad": auto_pad, "attributes left out": no_attributes, "default epsilon": epsilon,
    "opset 9": lambda p: (lp_norm(p), g.opset(p, 9)),
    "opset 7": lambda p: (lp_norm(p), g.opset(p, 7)),
    "batch 0": lambda p: fixed_batch(0)(p),
    "flattened at 0": lambda p: g.attribute(g.node(p, "flatten"), "axis", 0),
    "Clip without ends": lambda p: g.insert(p, "stem/act", "Clip", [...], "clip"),
    "a pooled end": lambda p: g.insert(p, "embed_proj/conv", "GlobalAveragePool", [...], "pool"),
    "reversed twice": lambda p: (
        g.put(p, "back", np.array([2, 1, 0], np.int64)),
        g.insert(p, "stem/conv", "Gather", [..., "back"], "bgr", axis=1),
        g.insert(p, "stem/conv", "Gather", [..., "back"], "rgb", axis=1)),
}
UNNORMALISED = ("no norm",)


@pytest.mark.parametrize("case", SPELLINGS)
def test_spellings_keep_every_tensor(small, small_embeddings, pictures, graph, saved, case):
    SPELLINGS[case](graph)
    network = read_network(saved(graph), STATED, strict=case not in UNNORMALISED)
    assert all(np.array_equal(network.model.tensors[k], v) for k, v in small.tensors.items())
    assert np.abs(network.run(pictures) - small_embeddings).max() < 1e-5
    assert len(network.assumed) == (case in UNNORMALISED)


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
    convert(saved(graph), tmp_path / "x.bin", wanted=STATED, strict=True)
    slopes = efm3.load(tmp_path / "x.bin").tensors["stage1.block1.dw.act.w"]
    assert set(slopes) == {np.float32(slope)}


def test_one_slope_for_all_channels(graph, saved):
    g.put(graph, "stem.act.w", np.array([0.25], np.float32))
    assert set(read(saved(graph)).tensors["stem.act.w"]) == {np.float32(0.25)}


def test_another_epsilon_goes_into_the_variance(small, graph, saved, tmp_path):
    """It is stated, so it is not assumed; below EFM3's it goes into the scale."""
    g.attribute(g.node(graph, "stem/bn"), "epsilon", 2e-3)
    done = convert(saved(graph), tmp_path / "x.bin", wanted=STATED, strict=True)
    assert done.check.max_error < 1e-5 and done.assumed == []
    var = efm3.load(tmp_path / "x.bin").tensors["stem.bn.var"]
    assert np.allclose(var, small.tensors["stem.bn.var"] + 2e-3 - 1e-5, rtol=1e-6, atol=0)
    g.attribute(g.node(graph, "stem/bn"), "epsilon", 0.0)
    g.put(graph, "stem.bn.var", np.full(8, 1e-6, np.float32))
    done = convert(saved(graph), tmp_path / "x.bin", wanted=STATED, strict=True)
    assert done.check.max_error < 1e-5


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


@pytest.mark.parametrize("steps,words", [
    ([("Sub", 130, 1), ("Div", 128, 1)], ("pre1/node (Div)", "zero is at [130", "grey 127.5")),
    ([("Sub", np.array([123.7, 116.3, 103.5]).reshape(1, 3, 1, 1), 1)], ("padding",)),
    ([("Div", 0, 1)], ("pre0/node (Div)",)),
    ([("Mul", 0, 1)], ("pre0/node (Mul)",)),
    ([("Mul", np.arange(112 * 112).reshape(112, 112), 1)], ("pre0/node (Mul)",)),
    ([("Pow", 2, 1)], ("pre0/node (Pow)",)), ([("Max", 0, 1)], ("pre0/node (Max)",)),
])
def test_preprocessing_that_is_not_undone(graph, saved, refused, steps, words):
    before(graph, *steps)
    refused(saved(graph), "X016", *words)


def nhwc(p):
    kind = p.graph.input[0].type.tensor_type
    for i, size in enumerate((112, 112, 3), 1):
        kind.shape.dim[i].dim_value = size
    g.insert(p, "stem/conv", "Transpose", [...], "nhwc", perm=[0, 3, 1, 2])


def test_pictures_with_channels_last(small, small_embeddings, pictures, graph, saved):
    nhwc(graph)
    network = read_network(saved(graph), STATED, strict=True)
    assert all(np.array_equal(network.model.tensors[k], v) for k, v in small.tensors.items())
    assert np.abs(network.run(pictures) - small_embeddings).max() < 1e-5


def test_channels_that_are_swapped(small, small_embeddings, pictures, graph, saved):
    """The graph takes blue first: its stem's channels are swapped, and its pictures for it."""
    g.put(graph, "back", np.array([2, 1, 0], np.int64))
    g.insert(graph, "stem/conv", "Gather", [..., "back"], "swap", axis=1)
    network = read_network(saved(graph), Wanted(bgr=True, input_range=STATED.input_range))
    assert np.array_equal(network.model.tensors["stem.conv.w"], small.tensors["stem.conv.w"])
    assert np.abs(network.run(pictures) - small_embeddings).max() < 1e-5


def test_other_inputs_are_refused(graph, saved, refused):
    kind = graph.graph.input[0].type.tensor_type
    kind.shape.dim[3].dim_value = 96
    last, whole = g.node(graph, "gdconv/conv"), g.value(graph, "gdconv.conv.w")
    g.attribute(last, "kernel_shape", [7, 6])
    g.put(graph, "gdconv.conv.w", whole[..., :6])
    refused(saved(graph), "X016", "112×96")
    kind.shape.dim[3].dim_value = 112
    g.attribute(last, "kernel_shape", [7, 7])
    g.put(graph, "gdconv.conv.w", whole)
    kind.elem_type = onnx.TensorProto.INT64
    refused(saved(graph), "X016", "element type INT64")
    kind.elem_type = F
    kind.shape.dim[1].dim_value = 1
    g.put(graph, "stem.conv.w", np.ones((8, 1, 3, 3), np.float32))
    refused(saved(graph), "X016", "1")


def test_the_output_that_is_wanted(small, small_embeddings, pictures, graph, saved, refused):
    graph.graph.output.append(onnx.helper.make_tensor_value_info("flatten/y", F, None))
    refused(saved(graph), "X018", "embedding [N, 12], flatten/y of any shape", "--output")
    for name in ("embedding", "flatten/y"):
        network = read_network(saved(graph), Wanted(output=name))
        assert np.abs(network.run(pictures) - small_embeddings).max() < 1e-5
