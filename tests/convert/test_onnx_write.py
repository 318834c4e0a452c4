# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What an explorer shows of the ONNX that is written: names and shapes of layers as the walk has
them, the names of the file's tensors, and a sentence on each convolution."""

import onnx
import pytest

from efm3.convert import write
from efm3.network import layers, tensor_layout
from efm3.version import __version__

NEEDS = ("onnx",)


@pytest.fixture(params=[False, True], ids=["whole", "folded"])
def written(request, small, tmp_path):
    write(small, tmp_path / "a.onnx", fold=request.param)
    return onnx.load(tmp_path / "a.onnx"), small.arch, request.param


def expected(arch, fold):
    """(name, operator, shape of the output) of every node; the batch is N."""
    for x in layers(arch):
        own = ["N", x.out_channels, x.out_side, x.out_side]
        yield f"{x.name}/conv", "Conv", own
        if not fold:
            yield f"{x.name}/bn", "BatchNormalization", own
        if x.act:
            yield f"{x.name}/act", "PRelu", own
        if x.residual:
            yield f"{x.name}/add", "Add", own
    yield "flatten", "Flatten", ["N", arch.embedding_dim]
    yield "norm", "ReduceL2", ["N", 1]
    yield "norm/max", "Max", ["N", 1]
    yield "normalize", "Div", ["N", arch.embedding_dim]


def shapes(graph):
    return {v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim]
            for v in [*graph.input, *graph.value_info, *graph.output]}


def test_every_node_has_its_layers_name_and_every_value_its_shape(written):
    p, arch, fold = written
    stated = shapes(p.graph)
    found = [(n.name, n.op_type, stated[n.output[0]]) for n in p.graph.node]
    assert found == list(expected(arch, fold))
    assert len(stated) == len(found) + 1
    assert [n.output[0] for n in p.graph.node[:-1]] == [f"{n.name}/y" for n in p.graph.node[:-1]]


def test_the_shapes_are_those_that_onnx_infers(written):
    p, _, _ = written
    stated = shapes(p.graph)
    del p.graph.value_info[:]
    p.graph.output[0].type.tensor_type.ClearField("shape")
    inferred = onnx.shape_inference.infer_shapes(p, check_type=True, strict_mode=True)
    assert shapes(inferred.graph) == stated


def test_weights_have_the_names_of_the_tensors(written):
    p, arch, fold = written
    held = {t.name for t in p.graph.initializer}
    names = {n for n, _ in tensor_layout(arch)}
    if fold:
        names = {n for n in names if ".bn." not in n} | {f"{x.name}.conv.b" for x in layers(arch)}
    assert held == names | {"norm/least"}


def test_every_convolution_says_what_it_is(written):
    p, arch, _ = written
    said = {n.name: n.doc_string for n in p.graph.node}
    for x in layers(arch):
        assert said[f"{x.name}/conv"] == (
            f"{x.name}: {x.kind}, kernel {x.kernel}, stride {x.stride}, channels {x.in_channels} "
            f"to {x.out_channels}, side {x.in_side} to {x.out_side}")
        if x.residual:
            assert said[f"{x.name}/add"] == f"adds the input of {x.residual}"


def test_who_made_it(written):
    p, _, _ = written
    assert (p.producer_name, p.producer_version) == ("efm3", __version__)
    assert "efm3.arch" in {m.key for m in p.metadata_props}
