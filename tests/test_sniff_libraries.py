# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the formats' own libraries write is recognised, and so are real files where they are."""

import io

import numpy as np
import onnx
import pytest
import safetensors.numpy
from onnx import TensorProto, helper
from PIL import Image, features

from efm3.sniff import of_data, of_path
from tools import ROOT

REAL = ROOT.parent / "shared" / "real"
NEEDS = ("onnx", "safetensors", "PIL")


def model(**kw):
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])])
    return helper.make_model(graph, **kw)


@pytest.mark.parametrize("opset", [1, 9, 17, 23])
def test_onnx(opset):
    made = model(opset_imports=[helper.make_opsetid("", opset)], producer_name="x" * opset)
    for ir in (3, 8, 10):
        made.ir_version = ir
        assert of_data(made.SerializeToString()).name == "onnx"
    made.doc_string = "a long text. " * 500
    assert of_data(made.SerializeToString()).name == "onnx"


def test_a_part_of_an_onnx_model_is_none():
    assert of_data(model().graph.SerializeToString()) is None
    tensor = onnx.numpy_helper.from_array(np.zeros((2, 3), np.float32), "w")
    assert of_data(tensor.SerializeToString()) is None


def test_safetensors():
    arrays = {"w": np.zeros((2, 2), np.float32)}
    for metadata in (None, {"format": "pt"}):
        assert of_data(safetensors.numpy.save(arrays, metadata)).name == "safetensors"


def test_npz_and_npy():
    for save in (np.savez, np.savez_compressed):
        out = io.BytesIO()
        save(out, **{f"layer{i}.w": np.zeros(9) for i in range(300)})
        assert of_data(out.getvalue()).name == "npz"
    out = io.BytesIO()
    np.save(out, np.zeros(3))
    assert of_data(out.getvalue()).name == "npy"


@pytest.mark.parametrize("form,kind", [
    ("PNG", "png"), ("JPEG", "jpeg"), ("GIF", "gif"), ("WEBP", "webp"), ("BMP", "bmp"),
    ("TIFF", "tiff"), ("PPM", "pnm"), ("AVIF", "heic")])
def test_pictures(form, kind):
    if form in ("WEBP", "AVIF") and not features.check(form.lower()):
        pytest.skip(f"Pillow without {form}")
    for mode in ("RGB", "L"):
        out = io.BytesIO()
        Image.new(mode, (112, 112), 7).save(out, form)
        assert of_data(out.getvalue()).name == kind


@pytest.mark.parametrize("name,kind", [
    ("y1.ncnn.param", "ncnn_param"), ("y1.ncnn.bin", "ncnn_bin"), ("relu6.ncnn.bin", "ncnn_bin"),
    ("laulian-symbol.json", "mxnet_symbol"), ("laulian-0200.params", "mxnet_params"),
    ("laulian.prototxt", "prototxt"), ("laulian.caffemodel", "caffemodel")])
def test_real_files(tmp_path, name, kind):
    if not REAL.is_dir():
        pytest.skip("the real files are not here")
    assert of_path(REAL / name).name == kind
    (tmp_path / "net").write_bytes((REAL / name).read_bytes())
    assert of_path(tmp_path / "net").name == kind
