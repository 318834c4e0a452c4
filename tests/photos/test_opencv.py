# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Our warp and YuNet's decoding beside OpenCV's, which the package itself never imports.

Its wheel wants libraries of the system (libGL) that a bare machine lacks.
"""

import numpy as np
import pytest

from efm3.photos import open_detector
from efm3.photos.align import TEMPLATE, aligned, similarity
from tests.photos.networks import yunet

NEEDS = ("cv2", "onnx", "onnxruntime")


@pytest.fixture
def cv2():
    """OpenCV, where it loads."""
    try:
        import cv2
    except ImportError as e:
        pytest.skip(f"OpenCV does not load here: {e}")
    return cv2


@pytest.mark.parametrize("k", range(8))
def test_warp(cv2, k):
    rng = np.random.default_rng(k)
    picture = cv2.GaussianBlur(rng.integers(0, 256, (300, 320, 3), np.uint8), (0, 0), 2)
    points = np.array(TEMPLATE) * rng.uniform(0.6, 1.9) + rng.normal(0, 3, (5, 2)) \
        + rng.uniform(-40, 200, 2)
    theirs = cv2.warpAffine(picture, similarity(points, np.array(TEMPLATE)), (112, 112))
    # OpenCV 4 rounds places to a 32nd of a pixel.
    assert np.abs(aligned(picture, points).astype(float) - theirs).max() <= 4


@pytest.mark.parametrize("size", [(192, 160), (200, 150)])
def test_yunet_is_decoded_as_opencv_does(cv2, tmp_path, size):
    """A network of random numbers, whose every output matters."""
    rng = np.random.default_rng(4)
    path = yunet(tmp_path / "y.onnx", bbox_8=rng.uniform(0, 1.5, 4), kps_8=rng.uniform(-2, 2, 10),
                 cls_16=[0.9], obj_16=[0.8], bbox_16=rng.uniform(0, 1, 4),
                 kps_16=rng.uniform(-2, 2, 10))
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    picture[40:48, 56:64, 0] = picture[100:104, 96:104, 0] = 255
    theirs = cv2.FaceDetectorYN.create(path, "", size, 0.6, 0.3, 5000)
    _, rows = theirs.detect(picture[:, :, ::-1].copy())
    ours = open_detector(path).detect(picture)
    assert len(ours) == len(rows) > 3
    got = sorted([*f.box[:2], f.width, f.height, *f.points.ravel(), f.score] for f in ours)
    assert np.allclose(got, sorted(rows.tolist()), atol=2e-3)
