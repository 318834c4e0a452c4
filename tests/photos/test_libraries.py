# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Our transform and warp beside scikit-image's."""

import numpy as np
import pytest
import skimage.transform

from efm3.photos.align import TEMPLATE, aligned, similarity

NEEDS = ("skimage",)

PICTURE = np.random.default_rng(11).integers(0, 256, (300, 320, 3), np.uint8)


def some_points(k):
    rng = np.random.default_rng(k)
    return np.array(TEMPLATE) * rng.uniform(0.6, 1.9) + rng.normal(0, 3, (5, 2)) \
        + rng.uniform(-40, 200, 2)


@pytest.mark.parametrize("k", range(8))
def test_transform_and_warp(k):
    points = some_points(k)
    theirs = skimage.transform.SimilarityTransform.from_estimate(points, np.array(TEMPLATE))
    ours = similarity(points, np.array(TEMPLATE))
    assert np.allclose(ours, theirs.params[:2], rtol=0, atol=1e-9)
    crop = aligned(PICTURE, points).astype(float)
    want = skimage.transform.warp(PICTURE, theirs.inverse, output_shape=(112, 112), order=1,
                                  preserve_range=True)
    assert np.abs(crop - want).max() <= 0.51
