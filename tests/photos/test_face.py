# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A face's facts: pose, size, sharpness, what is inside the photograph."""

import numpy as np
import pytest

from efm3.photos.align import TEMPLATE
from efm3.photos.face import _DEPTH, Face, pose, sharpness

HEAD = np.column_stack([np.array(TEMPLATE) - np.mean(TEMPLATE, 0), _DEPTH])


def seen(roll, yaw, pitch, scale=1.0):
    """The head's points as a camera far away sees them: it nods, turns, then tilts."""
    r, y, p = np.radians([roll, yaw, pitch])
    nod = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    turn = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    tilt = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return scale * (HEAD @ (tilt @ turn @ nod).T)[:, :2] + (300, 200)


def face(points, box=(0, 0, 100, 120)):
    return Face(np.array(box, float), np.asarray(points, float), 0.9)


@pytest.mark.parametrize("angles", [(0, 0, 0), (30, 0, 0), (-100, 0, 0), (170, 0, 0), (0, 40, 0),
                                    (0, -25, 0), (0, 0, 30), (0, 0, -20), (20, 30, -15),
                                    (-70, -50, 25)])
def test_pose(angles):
    for scale in (0.3, 4):
        assert np.allclose(pose(seen(*angles, scale)), angles, atol=1e-6)


def test_directions_of_the_pose():
    points = np.array(TEMPLATE)
    assert np.allclose(pose(points), 0, atol=1e-9)
    points[2] += (5, 0)
    assert 15 < pose(points).yaw < 40 and abs(pose(points).pitch) < 2
    points[2] += (-5, -5)
    assert 15 < pose(points).pitch < 40
    assert pose(points[:, ::-1] * (1, -1)).roll == pytest.approx(-90, abs=5)
    assert all(np.isfinite(pose(np.zeros((5, 2)))))


def test_facts():
    inside = face(seen(0, 0, 0), (10, 20, 110, 145))
    assert (inside.width, inside.height, inside.centre) == (100, 125, (60, 82.5))
    assert inside.inside(400, 300) == 1 and inside.notes(400, 300) == ()
    assert inside.eyes == pytest.approx(35.24, abs=0.01)
    row = inside.to_json(np.zeros((300, 400, 3), np.uint8), np.zeros((112, 112, 3), np.uint8))
    assert [*row] == ["box", "points", "score", "eyes", "sharpness", "roll", "yaw", "pitch",
                      "share", "inside", "notes"]
    assert row["share"] == pytest.approx(12500 / 120000, abs=1e-5) and row["sharpness"] == 0


def test_notes():
    (said,) = face(seen(0, 0, 0, 0.5)).notes(400, 300)
    assert "18 pixels between the eyes, fewer than 20" in said
    half = face(seen(0, 0, 0), (-50.5, 0, 49.5, 100))
    assert half.inside(400, 300) == 0.5 and "cut by the border" in half.notes(400, 300)[0]
    assert face(seen(0, 0, 0), (500, 500, 600, 600)).inside(400, 300) == 0
    assert "looks aside: yaw 50" in face(seen(0, 50, 0)).notes(400, 300)[0]
    assert face(seen(40, 20, 20)).notes(400, 300) == ()


def test_sharpness():
    noise = np.random.default_rng(1).integers(0, 256, (112, 112, 3), np.uint8)
    blurred = noise.copy()
    blurred[1:-1, 1:-1] = (noise[:-2, 1:-1] // 3 + noise[1:-1, 1:-1] // 3 + noise[2:, 1:-1] // 3)
    assert sharpness(noise) > 3 * sharpness(blurred) > 0
    assert sharpness(np.full((112, 112, 3), 9, np.uint8)) == pytest.approx(0, abs=1e-9)
    one = np.zeros((5, 5, 3), np.uint8)
    one[2, 2] = 10
    assert sharpness(one) == pytest.approx(np.var([0, 10, 0, 10, -40, 10, 0, 10, 0]))
