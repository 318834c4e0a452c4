# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""ONNX files that are another network, broken or hostile: one error, no file."""


import os
import sys
import tracemalloc

import numpy as np
import onnx
import pytest

import efm3
from efm3.conformance import sample
from efm3.convert import read, write
from efm3.convert.checked import convert
from tests.convert import graphs as g

NEEDS = ("onnx", "onnxruntime",)

F = onnx.TensorProto.FLOAT


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


def clipped(p):
    n = g.node(p, "stage1.block1.expand/act")
    n.op_type = "Clip"
    n.input[1:] = [g.put(p, "zero", np.float32(0)), g.put(p, "six", np.float32(6))]


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
    "stride": (attributed("dw_stem/conv", "strides", [2, 2]), "X006", "a kernel of 7 on a map of"),
    "oblong strides": (attributed("gdconv/conv", "strides", [1, 2]), "X009",
                       "strides (1, 2)"),
    "pads": (attributed("dw_stem/conv", "pads", [0, 0, 1, 1]), "X009", "pads [0, 0, 1, 1]"),
    "no pads": (attributed("dw_stem/conv", "pads", [0] * 4), "X009", "has pads [0, 0, 0, 0]"),
    "dilations": (attributed("dw_stem/conv", "dilations", [2, 2]), "X009", "dilations"),
    "auto_pad": (attributed("stem/conv", "auto_pad", "SAME_UPPER"), "X009",
                 "stem/conv (Conv) pads below and right"),
    "grouped": (lambda p: (g.put(p, "dw_stem.conv.w", np.zeros((8, 2, 3, 3), np.float32)),
                           g.attribute(g.node(p, "dw_stem/conv"), "group", 4)), "X009",
                "grouped convolution with 2 channels a group in dw_stem/conv (Conv)"),
    "5x5": (lambda p: (g.put(p, "stage1.block1.dw.conv.w", np.zeros((16, 1, 5, 5), np.float32)),
                       g.attribute(g.node(p, "stage1.block1.dw/conv"), "kernel_shape", [5, 5]),
                       g.attribute(g.node(p, "stage1.block1.dw/conv"), "pads", [2] * 4)),
            "X009", "kernel 5×5 in stage1.block1.dw/conv"),
    "no residual": (unresidual, "X009", "stage1.block1.project/conv (Conv) is not added"),
    "residual from afar": (wrong_residual, "X006", "stage1.block2.project/add (Add)"),
    "residual of itself": (new_residual, "X008", "stage1.block2.project/add"),
    "SE block": (squeezed, "X008", "SE block at se/gate (Sigmoid)"),
    "ReLU6": (clipped, "X008", "ReLU6 at stage1.block1.expand/act (Clip)"),
    "activation after the sum": (later_act, "X009", "late (Relu)"),
    "L1 norm": (odd_norm, "X008", "L2 norm"), "times 64": (scaled_norm, "X008", "L2 norm"),
    "norm over the batch": (batch_norm, "X008", "L2 norm"),
    "opset 6": (lambda p: g.opset(p, 6), "X008", "opset 6"),
    "no opset": (lambda p: p.ClearField("opset_import"), "X008", "opset 0"),
    "training": (attributed("stem/bn", "training_mode", 1), "X009", "training"),
    "reshaped elsewhere": (g.reshape(12, -1), "X008", "L2 norm"),
    "other domain": (lambda p: setattr(g.node(p, "stem/act"), "domain", "com.example"), "X008",
                     "com.example"),
    "two inputs": (lambda p: (p.graph.input.append(onnx.helper.make_tensor_value_info(
        "mask", F, None)), g.insert(p, "gdconv/conv", "Mul", [..., "mask"], "m")), "X008",
        "2 inputs"),
    "a pool": (lambda p: g.insert(p, "stage1.block1.expand/conv", "MaxPool", [...], "pool",
                                  kernel_shape=[3, 3], pads=[1] * 4), "X008", "pool (MaxPool)"),
    "a softmax": (lambda p: g.insert(p, "gdconv/conv", "Softmax", [...], "soft"), "X008",
                  "soft (Softmax)"),
    "doubles": (lambda p: g.put(p, "stem.bn.b", np.zeros(8)), "X013", "tensor(double)"),
    "weight as input": (lambda p: (p.graph.initializer.remove(g.tensor(p, "stem.conv.w")),
                                   p.graph.input.append(onnx.helper.make_tensor_value_info(
                                       "stem.conv.w", F, [8, 3, 3, 3]))), "X008", "2 inputs"),
    "a sum behind PReLU": (lambda p: (g.put(p, "k", np.ones((8, 1, 1), np.float32)), g.insert(
        p, "dw_stem/conv", "Add", [..., "k"], "m")), "X009", "m (Add)"),
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
                      "ghost, which no node produces"),
    "made twice": (lambda p: g.node(p, "dw_stem/conv").output.__setitem__(0, "stem/conv/y"),
                   "X007", "produced elsewhere"),
    "output of nobody": (lambda p: setattr(p.graph.output[0], "name", "ghost"), "X007", "ghost"),
    "shape beyond the data": (shaped("stem.bn.b", [1 << 40]), "X006", "holds 32 bytes"),
    "negative shape": (shaped("stem.bn.b", [-8, -1]), "X006", "[-8, -1]"),
    "another shape": (shaped("stem.conv.w", [3, 8, 3, 3]), "X006", "8 channels in 1 groups"),
    "rank": (shaped("stem.conv.w", [8, 27]), "X006", "not of 4 dimensions"),
    "bn's shape": (shaped("stem.bn.b", [2, 4]), "X006", "[2, 4]"),
    "slope's shape": (shaped("stem.act.w", [1, 1, 8]), "X006", "[1, 8, 56, 56] and [1, 1, 8]"),
    "kernel_shape": (attributed("stem/conv", "kernel_shape", [5, 5]), "X006", "kernel_shape"),
    "no inputs": (lambda p: g.node(p, "stem/bn").input.__delitem__(slice(2, 5)), "X007",
                  "2 inputs"),
    "no weight": (lambda p: g.node(p, "stem/conv").input.__delitem__(slice(1, 2)), "X007",
                  "no weight"),
    "empty graph": (lambda p: p.graph.ClearField("node"), "X003", "no graph"),
    "huge norm": (lambda p: g.norm(p, (
        "Expand", ["flatten/y", g.put(p, "s", np.array([1 << 20, 12], np.int64))], "embedding",
        {})), "X008", "[1048576, 12]"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_graphs(graph, saved, refused, case):
    change, code, word = BROKEN[case]
    change(graph)
    refused(saved(graph), code, word)


def test_a_huge_norm_is_not_tried(graph, saved, refused):
    BROKEN["huge norm"][0](graph)
    path = saved(graph)
    tracemalloc.start()
    refused(path, "X008", "Expandembedding (Expand) makes [1048576, 12]")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 << 20


def test_a_long_chain_is_no_recursion(small, graph, saved):
    for i in range(3000):
        graph.graph.node.append(onnx.helper.make_node("Identity", [f"c{i}"], [f"c{i + 1}"]))
    g.put(graph, "c0", g.value(graph, "stem.bn.b"))
    g.node(graph, "stem/bn").input[2] = "c3000"
    model = read(saved(graph))
    assert np.array_equal(model.tensors["stem.bn.b"], small.tensors["stem.bn.b"])


def test_truncated_and_flipped(graph, saved, tmp_path, refused):
    data = saved(graph).read_bytes()
    path = tmp_path / "t.onnx"
    for n in [*range(0, 60, 3), *range(100, len(data), len(data) // 9)]:
        path.write_bytes(data[:n])
        with pytest.raises(efm3.Efm3Error) as e:
            read(path)
        assert e.value.code[0] == "X"
    for other in (b"x" * 99, sample.base(), b"\x80\x02}."):
        path.write_bytes(other)
        refused(path, "X003", from_format="onnx")
    rng = np.random.default_rng(3)
    for _ in range(50):
        bad = bytearray(data)
        for at in rng.integers(0, len(data), 4):
            bad[at] ^= 1 << rng.integers(8)
        path.write_bytes(bad)
        try:
            read(path)
        except efm3.Efm3Error as e:
            assert e.code[0] == "X" or e.code[0] == "H"


def outside(p, location, name="stem.bn.b", **more):
    t = g.tensor(p, name)
    t.ClearField("raw_data")
    t.data_location = onnx.TensorProto.EXTERNAL
    for k, v in {"location": location, **more}.items():
        entry = t.external_data.add()
        entry.key, entry.value = k, str(v)


@pytest.fixture
def beside(small, graph, saved):
    """beside(location, path): a model there whose stem.bn.b lies at the location."""
    def make(location, path="model/g.onnx", **more):
        p = onnx.ModelProto()
        p.CopyFrom(graph)
        outside(p, location, **more)
        return saved(p, path)
    return make


def same(path, small):
    model = read(path)
    assert np.array_equal(model.tensors["stem.bn.b"], small.tensors["stem.bn.b"])


def test_external_data_in_the_folder(small, beside, tmp_path):
    data = small.tensors["stem.bn.b"].tobytes()
    folder = tmp_path / "model"
    (folder / "inner").mkdir(parents=True)
    (folder / "w.data").write_bytes(b"pad!" + data)
    (folder / "inner" / "w").write_bytes(data)
    (folder / "link").symlink_to("inner/w")
    convert(beside("w.data", offset=4, length=32), tmp_path / "x.bin")
    assert np.array_equal(efm3.load(tmp_path / "x.bin").tensors["stem.bn.b"],
                          small.tensors["stem.bn.b"])
    for place in ("inner/w", "link", "inner/../link", str(folder / "link"), "../model/link"):
        same(beside(place), small)
    # The model may be a link to elsewhere: its data lie beside the file itself.
    (tmp_path / "there.onnx").symlink_to(beside("link"))
    same(tmp_path / "there.onnx", small)


def test_tied_external_data_are_read_twice_not_more(graph, saved, refused, tmp_path):
    # As long as all three, so that only repeats can state more.
    (tmp_path / "w").write_bytes(bytes(40))
    for name in ("stem.bn.b", "dw_stem.bn.b"):
        outside(graph, "w", name=name, length=32)
    read(saved(graph))
    outside(graph, "w", name="stage1.block0.project.bn.b", length=32)
    refused(saved(graph), "X005", "more data than their files hold")


@pytest.fixture
def cache(tmp_path, small, beside):
    """A snapshot of Hugging Face's cache; its model's data are called w.data."""
    root = tmp_path / "hub" / "models--a--b"
    snapshot = root / "snapshots" / "0f0f"
    snapshot.mkdir(parents=True)
    (root / "blobs").mkdir()
    beside("w.data", "hub/models--a--b/blobs/aaaa")
    (root / "blobs" / "bbbb").write_bytes(small.tensors["stem.bn.b"].tobytes())
    (snapshot / "model.onnx").symlink_to("../../blobs/aaaa")
    return snapshot


def test_external_data_in_a_cache(cache, small):
    (cache / "w.data").symlink_to("../../blobs/bbbb")
    same(cache / "model.onnx", small)


@pytest.mark.parametrize("change", [
    lambda c: (c / "w.data").symlink_to("../../../secret"),
    lambda c: (c / "w.data").symlink_to("../../blobs-2/bbbb"),
    lambda c: (c / "w.data").write_bytes(bytes(32)), lambda c: None,
    # Only from a snapshot of the same cache.
    lambda c: (c.parents[1] / "snapshots").rename(c.parents[1] / "other"),
])
def test_a_cache_gives_no_other_files(cache, refused, change):
    root = cache.parents[1]
    (root.parent / "secret").write_bytes(bytes(32))
    (root / "blobs-2").mkdir()
    (root / "blobs-2" / "bbbb").write_bytes(bytes(32))
    (cache / "fine").symlink_to("../../blobs/bbbb")
    change(cache)
    moved = root / "other" / "0f0f"
    if moved.is_dir():
        (moved / "w.data").symlink_to("../../blobs/bbbb")
    refused((moved if moved.is_dir() else cache) / "model.onnx", "X005", "stem.bn.b")


def test_external_data_elsewhere(beside, tmp_path, refused):
    (tmp_path / "secret").write_bytes(bytes(32))
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "short").write_bytes(bytes(31))
    os.mkfifo(folder / "fifo")
    (folder / "hard").hardlink_to(tmp_path / "secret")
    (tmp_path / "model-2").mkdir()
    (tmp_path / "model-2" / "x").write_bytes(bytes(32))
    (folder / "aside").symlink_to(tmp_path / "model-2" / "x")
    for location, more in (
            ("../secret", {}), (str(tmp_path / "secret"), {}), ("link", {}), ("", {}), (".", {}),
            ("none", {}), ("short", {"length": 32}), ("short", {"offset": 40}), ("fifo", {}),
            ("short", {"offset": -1}), ("short", {"length": "x"}), ("../model-2/x", {}),
            ("short", {"offset": 1 << 70}), ("a\0b", {}), ("hard", {}), ("aside", {}),
            ("a" * 5000, {})):
        refused(beside(location, **more), "X005", "stem.bn.b")
    refused(beside("short"), "X006", "31 bytes")


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


def test_without_the_libraries(graph, saved, small, tmp_path, refused, monkeypatch):
    """Reading needs none; our own evaluation of the graph takes the runtime's place."""
    path = saved(graph)
    for library in ("onnxruntime", "onnx"):
        monkeypatch.setitem(sys.modules, library, None)
    done = convert(path, tmp_path / "x.bin")
    assert done.check.source.startswith("float64 evaluation of the graph")
    refused(tmp_path / "x.bin", "X002", "extra `onnx`", to="y.onnx")
