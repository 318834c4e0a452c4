# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 eval --align` on photographs in LFW's layout, by a detector of red blocks."""

import json

import numpy as np
import pytest
from PIL import Image

from efm3 import Engine, untrained
from efm3.conformance import sample
from efm3.evaluation import open_pairs
from efm3.photos import Aligner, open_detector
from tests.photos.networks import scene, yunet

NEEDS = ("PIL", "onnx", "onnxruntime")
NAMES = [f"Name_{k}" for k in range(6)]


@pytest.fixture
def lfw(tmp_path):
    """Six people, two photographs of 250x250 pixels each: a face in the middle, one at the left."""
    rng = np.random.default_rng(5)
    for k, name in enumerate(NAMES):
        (tmp_path / "lfw" / name).mkdir(parents=True)
        for number in (1, 2):
            picture = rng.integers(0, 60, (250, 250, 3), np.uint8)
            faces = scene(250, 250, (15, 15), *[(5, 9)] * (k == 0))
            Image.fromarray(np.maximum(picture, faces)).save(
                tmp_path / "lfw" / name / f"{name}_000{number}.jpg", quality=95)
    lines = [f"{name}\t1\t2" for name in NAMES]
    lines += [f"{a}\t1\t{b}\t2" for a, b in zip(NAMES, NAMES[1:] + NAMES[:1], strict=True)]
    (tmp_path / "pairs.txt").write_text("\n".join(["12", *lines * 2, ""]))
    (tmp_path / "w.bin").write_bytes(untrained.dumps(sample.ARCH, 1))
    yunet(tmp_path / "y.onnx")
    return tmp_path


def test_photographs_are_aligned(cli, lfw):
    """The face in the middle is taken, and the numbers are those of the crops."""
    words = "eval", lfw / "w.bin", lfw / "lfw", "--json", "--align", "--detector", lfw / "y.onnx"
    result = cli(*words)
    assert result.exit_code == 0, result.stderr
    got = json.loads(result.stdout)
    assert got["pairs"] == 24 and got["genuine"] == 12
    align = Aligner(open_detector(str(lfw / "y.onnx")), "central")
    crops = {(name, number): align(lfw / "lfw" / name / f"{name}_000{number}.jpg").pixels
             for name in NAMES for number in (1, 2)}
    pairs = open_pairs(str(lfw / "lfw"), align=align)
    assert np.array_equal(pairs.load(0), crops[NAMES[0], 1])
    with Engine(lfw / "w.bin") as engine:
        vectors = {key: engine.embed(crop).astype(float) for key, crop in crops.items()}
    above = [float(vectors[name, 1] @ vectors[name, 2]) > 0.3 for name in NAMES]
    assert got["rule_of_thumb"]["false_rejects"] == 2 * (len(NAMES) - sum(above))
    one = cli(*words, "--face", "one")
    assert one.exit_code == 1 and "2 faces" in one.stderr and one.stderr.count("\n") == 1


def test_without_align_the_refusal_names_it(cli, lfw):
    result = cli("eval", lfw / "w.bin", lfw / "lfw")
    assert result.exit_code == 1 and result.stderr.count("\n") == 1
    assert "250x250 pixels, not 112x112" in result.stderr and "--align" in result.stderr


def test_a_photograph_without_a_face(cli, lfw):
    Image.new("RGB", (250, 250)).save(lfw / "lfw" / NAMES[3] / f"{NAMES[3]}_0001.jpg")
    words = "eval", lfw / "w.bin", lfw / "lfw", "--align", "--detector", lfw / "y.onnx"
    result = cli(*words)
    assert result.exit_code == 1 and "no face found" in result.stderr
    assert f"{NAMES[3]}_0001.jpg" in result.stderr and result.stderr.count("\n") == 1
    result = cli(*words, "--skip-broken")
    assert result.exit_code == 0 and "4 pairs skipped" in result.stdout
