# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A network that takes its picture turned is written to other formats for upright pictures."""

import numpy as np
import onnx as library
import onnxruntime
import pytest

import efm3
from efm3 import mirror, reference
from efm3.arch import Arch, Stage
from efm3.conformance import sample, weights
from efm3.convert import ncnn, onnx
from efm3.convert._base import Wanted
from efm3.convert.checked import convert
from efm3.convert.graph import run
from efm3.convert.matching import network_of

NEEDS = ("onnx", "onnxruntime")

ODD = Arch("odd", 1.0, 8, 8, 16, 8, 4, (Stage(1, 1, 2),) * 3 + (Stage(2, 2, 2),), 5, 2)
"""Sides 112, 56, 28, 14, 7, 4: after the odd side of 7 the padding is the same on both sides."""


def turned(arch=sample.ARCH):
    model = efm3.load(weights.file(arch, 5))
    model.mirror = mirror.as_turned(model.mirror)
    return model


def written(model, folder, kind, fold):
    path = folder / f"x.{kind}"
    module = onnx if kind == "onnx" else ncnn
    path.write_bytes(b"".join(module.parts(model, str(path), fold)))
    if kind == "ncnn.param":
        (folder / "x.ncnn.bin").write_bytes(b"".join(ncnn.weights(model, str(path), fold)))
    return module.read(str(path), Wanted(turned=True))


X = np.random.default_rng(7).normal(size=(2, 3, 112, 112)).astype(np.float32)


@pytest.mark.parametrize("fold", [False, True])
@pytest.mark.parametrize("kind", ["onnx", "ncnn.param"])
def test_the_file_takes_upright_pictures(tmp_path, kind, fold):
    model = turned()
    want = reference.forward(model, X)
    source = written(model, tmp_path, kind, fold)
    for x, right in zip(X, want, strict=True):
        have = run.forward(source.graph, x[None].astype(float)).reshape(-1)
        assert np.abs(have - right).max() < 1e-6
    assert np.abs(want - reference.forward(model, X, as_given=True)).max() > 1e-3


def test_onnxruntime_takes_upright_pictures(tmp_path):
    written(turned(ODD), tmp_path, "onnx", False)
    session = onnxruntime.InferenceSession(str(tmp_path / "x.onnx"))
    assert np.abs(session.run(None, {"input": X})[0] - reference.forward(turned(ODD), X)).max() \
        < 1e-5


@pytest.mark.parametrize("kind", ["onnx", "ncnn.param"])
def test_it_comes_back_bit_for_bit(tmp_path, kind):
    model = turned()
    network = network_of(written(model, tmp_path, kind, False), Wanted(turned=True))
    assert network.turned
    for name, value in model.tensors.items():
        assert np.array_equal(network.model.tensors[name], value), name


@pytest.mark.parametrize("kind", ["onnx", "ncnn.param"])
def test_rows_that_would_be_cut_off_are_refused(tmp_path, kind):
    model = turned(Arch("one", 1.0, 8, 8, 16, 8, 7, sample.ARCH.stages, 1, 2))
    with pytest.raises(efm3.Efm3Error, match=r"X009 stem.*last 1 rows"):
        written(model, tmp_path, kind, False)


@pytest.fixture
def tensorflow(tmp_path):
    """An ONNX file with TensorFlow's padding, of which nothing says that it comes from here."""
    written(turned(), tmp_path, "onnx", False)
    proto = library.load(tmp_path / "x.onnx")
    del proto.metadata_props[:]
    library.save(proto, tmp_path / "tf.onnx")
    return tmp_path / "tf.onnx"


def test_turned_is_asked_for_and_written_down(tensorflow, tmp_path, cli):
    with pytest.raises(efm3.Efm3Error, match=r"X017.*--turned"):
        convert(tensorflow, tmp_path / "a.bin")
    result = cli("convert", tensorflow, tmp_path / "a.bin", "--turned")
    assert "turned by 180 degrees before the network runs; meta says so" in result.stdout
    model = efm3.load(tmp_path / "a.bin")
    assert model.turned and model.mirror["meta"]["efm3.source_options"] == "--turned"
    session = onnxruntime.InferenceSession(str(tensorflow))
    have = efm3.Engine(tmp_path / "a.bin").embed(X)
    assert np.abs(have - session.run(None, {"input": X})[0]).max() < 1e-5
    assert cli("verify", tmp_path / "a.bin", "--against", tensorflow, "--turned").exit_code == 0


@pytest.mark.parametrize("name,words,fold", [
    ("x.onnx", "this file takes it upright", False), ("x.onnx", "takes it upright", True),
    ("x.ncnn.param", "this file takes it upright", False), ("x.h", "meta says so", False),
    ("x.npz", "whoever runs these tensors must turn each picture", False),
    ("x.bin", "the engine does it", False)])
def test_it_goes_out_and_comes_back(tmp_path, cli, name, words, fold):
    model = turned()
    model.save(tmp_path / "a.bin")
    result = cli("convert", tmp_path / "a.bin", tmp_path / name, *(["--fold"] if fold else []))
    assert result.exit_code == 0 and words in result.stdout, result.output
    stated = Wanted(turned=fold or "ncnn" in name)
    done = convert(tmp_path / name, tmp_path / "back.bin", wanted=stated)
    back = efm3.load(tmp_path / "back.bin")
    assert done.turned and back.turned
    assert np.abs(reference.forward(back, X) - reference.forward(model, X)).max() < 1e-6
    if not fold and "ncnn" not in name:  # which hold nothing of the mirror
        assert (tmp_path / "back.bin").read_bytes() == (tmp_path / "a.bin").read_bytes()


def test_padding_that_is_the_same_turned_comes_back_too(tmp_path):
    """At stride 3 the map of 112 is padded alike on all sides: only the metadata shows it."""
    model = turned(Arch("even", 1.0, 8, 8, 8, 8, 38, (Stage(1, 1, 1),), 3, 3))
    network = network_of(written(model, tmp_path, "onnx", False), Wanted())
    assert network.model.turned
    assert np.array_equal(network.model.tensors["stem.conv.w"], model.tensors["stem.conv.w"])
    assert np.abs(network.run(X) - reference.forward(model, X)).max() < 1e-5
