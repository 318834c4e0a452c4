# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Trained files of others, where they are: what they become, by the embeddings that they give.

They lie in ../shared/real beside the project, or in the folder that EFM3_REAL names, with
embeddings.npz: the unit embeddings of examples/*.png by each network's own runtime.
"""

import os
from pathlib import Path

import numpy as np
import pytest

import efm3
from efm3 import reference
from efm3.convert._base import Wanted
from efm3.convert.checked import convert
from efm3.pictures import decode

NEEDS = ("PIL",)

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = [Path(p) for p in (os.environ.get("EFM3_REAL"), ROOT.parent / "shared" / "real") if p]
SOME = [0, 7]
"""Which of the pictures are embedded here: the networks are of full size."""
RGB = {"bgr": False}
GREY_RANGE = {"bgr": False, "input_range": (-127.5 / 128, 127.5 / 128)}

FILES = {
    "y1.ncnn.param": ("y1", RGB), "y1.ncnn.bin": ("y1", RGB),
    "laulian-symbol.json": ("laulian", RGB), "laulian-0200.params": ("laulian", RGB),
    "laulian.prototxt": ("laulian_caffe", GREY_RANGE),
    "laulian.caffemodel": ("laulian_caffe", GREY_RANGE),
    "MobileFaceNet.tflite": ("expo", GREY_RANGE | {"turned": True}),
    "fr_feature.onnx": ("faceplugin", GREY_RANGE),
}
"""Each file's name in embeddings.npz, and what is known of its pictures."""


def real(name):
    """The path of a real file; skips where it is nowhere."""
    found = next((f / name for f in FOLDERS if (f / name).is_file()), None)
    if found is None:
        pytest.skip(f"{name} is in none of the folders for real files (EFM3_REAL names one)")
    return found


@pytest.mark.parametrize("name", [
    "y1.ncnn.param", "y1.ncnn.bin", "laulian-symbol.json", "laulian-0200.params",
    "laulian.prototxt", "laulian.caffemodel", "MobileFaceNet.tflite", "fr_feature.onnx"])
def test_a_real_file_gives_its_own_embeddings(name, tmp_path):
    path = real(name)
    key, options = FILES[name]
    with np.load(real("embeddings.npz")) as z:
        want, pictures = z[key][SOME], [str(p) for p in z["pictures"][SOME]]
    done = convert(path, tmp_path / "out.bin", wanted=Wanted(**options), verify=False)
    x = reference.prepare(np.stack([decode((ROOT / "examples" / p).read_bytes())
                                    for p in pictures]))
    model = efm3.load(tmp_path / "out.bin")
    assert done.turned == model.turned == bool(options.get("turned"))
    have = reference.forward(model, x, np.float32)
    assert np.abs(have - want).max() < 1e-5


@pytest.mark.parametrize("name", ["relu6.ncnn.param", "relu6.ncnn.bin"])
def test_a_real_network_of_another_kind_is_refused(name, tmp_path):
    with pytest.raises(efm3.Efm3Error) as e:
        convert(real(name), tmp_path / "out.bin")
    assert e.value.code == "X008"
    assert "ReLU6 at Clip_1" in str(e.value)


def test_tensorflow_padding_is_explained(tmp_path):
    with pytest.raises(efm3.Efm3Error) as e:
        convert(real("MobileFaceNet.tflite"), tmp_path / "out.bin")
    assert e.value.code == "X017"
    assert "--turned" in str(e.value)
