# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Five points to a crop: the transform, the warp, the border, and photographs made smaller."""

import numpy as np
import pytest

from efm3.photos.align import TEMPLATE, aligned, inverse, moved, shrunk, similarity, warp

# Five points, and what skimage.transform.SimilarityTransform.from_estimate gives for them.
POINTS = np.array([(203.2, 101.7), (247.0, 104.5), (223.3, 125.1), (203.4, 142.3), (241.3, 144.4)])
SKIMAGE = np.array([[0.8934176967000708, 0.06282970503287115, -151.5435252320667],
                    [-0.06282970503287114, 0.8934176967000709, -24.47441207857746]])


def test_the_transform_is_skimages():
    assert np.allclose(similarity(POINTS, np.array(TEMPLATE)), SKIMAGE, rtol=0, atol=1e-9)


def test_the_transform_brings_moved_points_back():
    rng = np.random.default_rng(1)
    for _ in range(20):
        a, shift = rng.normal(size=2) @ (1, 1j), rng.uniform(-99, 99, 2)
        matrix = np.array([[a.real, -a.imag, shift[0]], [a.imag, a.real, shift[1]]])
        points = moved(matrix, np.array(TEMPLATE))
        assert np.allclose(similarity(points, np.array(TEMPLATE)), inverse(matrix))
    assert np.isnan(similarity(np.ones((5, 2)), np.array(TEMPLATE))).all()


def test_a_crop_of_a_crop_is_the_crop():
    picture = np.random.default_rng(2).integers(0, 256, (112, 112, 3), np.uint8)
    assert np.array_equal(aligned(picture, np.array(TEMPLATE)), picture)
    moved_by = np.zeros((200, 180, 3), np.uint8)
    moved_by[30:142, 17:129] = picture
    assert np.array_equal(aligned(moved_by, np.add(TEMPLATE, (17, 30))), picture)


@pytest.mark.parametrize("size", [0.6, 1.0, 1.7, 2.0, 3.5, 9.3])
def test_a_slope_stays_a_slope(size):
    """At every scale the crop shows what lies at its points: no shift by a part of a pixel."""
    y, x = np.mgrid[:1300, :1300]
    picture = np.stack([x, y, x + y], -1) / 2600 * 255
    points = np.array(TEMPLATE) * size + (100.3, 60.6)
    got = aligned(np.rint(picture).astype(np.uint8), points).astype(float)
    at = np.stack(np.meshgrid(np.arange(112), np.arange(112)), -1) * size + (100.3, 60.6)
    want = np.concatenate([at, at.sum(-1, keepdims=True)], -1) / 2600 * 255
    assert np.abs(got - want).max() <= 1.01
    assert abs((got - want).mean()) < 0.03


def test_fine_texture_is_averaged_where_a_face_is_large():
    """A chequered pattern is grey from afar; picking single pixels would give black and white."""
    pattern = (np.indices((1000, 1000)).sum(0) % 2 * 255).astype(np.uint8)
    got = aligned(np.repeat(pattern[..., None], 3, 2), np.array(TEMPLATE) * 8.4 + 30)
    assert np.abs(got.astype(int) - 127).max() < 12


def test_beyond_the_border_all_is_black():
    white = np.full((60, 50, 3), 255, np.uint8)
    got = aligned(white, np.array(TEMPLATE) - (70, 0))
    assert got[:60, 70:].size and (got[:59, 71:] == 255).all()
    assert not got[:, :69].any() and not got[61:].any()
    assert not aligned(white, np.array(TEMPLATE) + 5000).any()
    assert not aligned(white, np.array(TEMPLATE) - 5000).any()
    assert not aligned(white, np.ones((5, 2))).any() and not warp(white, np.zeros((2, 3)), 4).any()
    assert warp(white[:1, :1], np.eye(2, 3), 4)[0, 0, 0] == 255


def test_smaller_and_back():
    pytest.importorskip("PIL", reason="Pillow is an extra")
    picture = np.full((300, 440, 3), 7, np.uint8)
    same, matrix = shrunk(picture, 440, 300)
    assert same is picture and np.array_equal(matrix, np.eye(2, 3))
    small, matrix = shrunk(picture, 100, 1000)
    assert small.shape == (68, 100, 3) and (small == 7).all()
    # The corners of the pictures, half a pixel beyond the centres of their last pixels, meet.
    assert np.allclose(moved(matrix, np.array([(-0.5, -0.5), (439.5, 299.5)])),
                       [(-0.5, -0.5), (99.5, 67.5)])
    assert shrunk(np.zeros((1, 5000, 3), np.uint8), 100, 100)[0].shape == (1, 100, 3)
    assert shrunk(np.zeros((70000, 2, 3), np.uint8), 100, 100)[0].shape == (100, 1, 3)


@pytest.mark.parametrize(("over", "loosely", "side"), [
    (0.9, True, 360), (1.1, True, 440), (1.4, True, 400), (1.7, True, 340), (2.1, True, 420),
    (2.6, True, 346), (4.7, True, 376), (9.1, True, 404), (1.1, False, 400), (4.7, False, 400)])
def test_made_smaller_a_slope_stays_a_slope(over, loosely, side):
    """What is at a place in the small picture is what the transform says of it."""
    pytest.importorskip("PIL", reason="Pillow is an extra")
    length = round(400 * over)
    y, x = np.mgrid[:length, :length]
    slope = np.rint(np.stack([x, y, x + y], -1) * (255 / 2 / length)).astype(np.uint8)
    small, matrix = shrunk(slope, 400, 400, loosely)
    assert small.shape == (side, side, 3)
    inner = np.arange(3, side - 3)
    at = moved(inverse(matrix), np.stack(np.meshgrid(inner, inner), -1))
    want = np.concatenate([at, at.sum(-1, keepdims=True)], -1) * (255 / 2 / length)
    off = small[3:-3, 3:-3] - want
    assert np.abs(off).max() <= 1.26 and abs(off.mean()) < 0.3


def test_made_smaller_fine_texture_is_averaged():
    pattern = np.repeat((np.indices((2000, 2000)).sum(0) % 2 * 255).astype(np.uint8)[..., None],
                        3, 2)
    for size in (1000, 400, 250):
        assert np.abs(shrunk(pattern, size, size, True)[0].astype(int) - 127).max() < 30


def test_sums_of_many_pixels_do_not_overflow():
    white = np.full((1200, 1200, 3), 255, np.uint8)
    assert (aligned(white, np.array(TEMPLATE) * 300 - 16000)[55:57, 55:57] == 255).all()
