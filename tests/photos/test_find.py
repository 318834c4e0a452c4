# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Photographs of any size, turned, with faces that fill them, by a detector whose eye is known."""

import numpy as np
import pytest

from efm3.photos.align import TEMPLATE, inverse, moved
from efm3.photos.face import Face
from efm3.photos.find import AGAIN, FEW, TIMES, _from_turned, find

NEEDS = ("PIL",)

COLOURS = np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255)])


class Eye:
    """Sees five coloured dots as a face, exactly where it is upright; less well where it is turned,
    and not at all from a quarter turn on, or where it is larger than `most` pixels."""

    name = "eye"

    def __init__(self, most=1000.0):
        self.most, self.asked = most, []

    def detect(self, rgb):
        self.asked.append(rgb.shape[:2])
        bright = rgb.astype(int)
        weights = [np.clip(255 - np.abs(bright - c).sum(-1), 0, None) for c in COLOURS]
        if min(w.sum() for w in weights) == 0:
            return []
        y, x = np.mgrid[:rgb.shape[0], :rgb.shape[1]]
        points = np.array([((w * x).sum() / w.sum(), (w * y).sum() / w.sum()) for w in weights])
        middle, wide = points.mean(0), 2.5 * np.hypot(*(points[1] - points[0]))
        roll = Face(np.zeros(4), points, 1.0).pose.roll
        if abs(roll) > 80 or wide > self.most:
            return []
        turn = np.exp(-0.3j * np.radians(roll))
        z = (points - middle) @ (1, 1j) * turn
        wrong = np.column_stack([z.real, z.imag]) + middle
        box = np.concatenate([middle - wide / 2, middle + wide / 2])
        return [Face(box, wrong, float(np.cos(np.radians(roll))))]


def photograph(width, height, centre, eyes=50.0, roll=0.0):
    """Five dots on black, and where they are: a face of this many pixels between the eyes."""
    a = eyes / 35.24 * np.exp(1j * np.radians(roll))
    z = (np.array(TEMPLATE) - 56) @ (1, 1j) * a + complex(*centre)
    points = np.column_stack([z.real, z.imag])
    out = np.zeros((height, width, 3), np.uint8)
    y, x = np.mgrid[:height, :width]
    for point, colour in zip(points, COLOURS, strict=True):
        out[np.hypot(x - point[0], y - point[1]) < eyes / 6] = colour
    return out, points


@pytest.mark.parametrize("roll", [0, 15, 35, 75, 100, 180, -90, -130])
def test_turned(roll):
    picture, points = photograph(400, 300, (210.4, 140.7), roll=roll)
    (found,) = find(picture, Eye())
    assert np.abs(found.points - points).max() < (6 if roll == 15 else 2.5)
    assert np.hypot(*(np.array(found.centre) - points.mean(0))) < 3
    assert found.width == pytest.approx(125, rel=0.06)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_from_a_turned_picture_the_places_are_exact(turns):
    picture, points = photograph(211, 160, (100, 80), roll=90 * turns)
    (found,) = _from_turned(picture, Eye(), turns)
    assert np.abs(found.points - points).max() < 0.2


def test_a_face_that_was_taken_for_two_is_one():
    picture, points = photograph(400, 300, (210, 140), roll=30)

    class Twice(Eye):
        def detect(self, rgb):
            (face,) = super().detect(rgb)
            return [face, face._replace(box=face.box + 40)] if len(self.asked) == 1 else [face]
    (found,) = find(picture, Twice())
    assert np.abs(found.points - points).max() < 2


def test_a_face_that_never_becomes_upright_ends():
    class Stubborn(Eye):
        def detect(self, rgb):
            self.asked.append(rgb.shape[:2])
            points = moved(inverse(np.array([[0.8, 0.6, 0], [-0.6, 0.8, 0]])), np.array(TEMPLATE))
            points += 127 - points.mean(0)
            return [Face(np.array([80, 80, 175, 175.0]), points, 0.9)]
    stubborn = Stubborn()
    assert len(find(np.zeros((256, 260, 3), np.uint8), stubborn)) == 1
    assert len(stubborn.asked) == 1 + TIMES == 4


def test_an_upright_face_is_looked_at_once():
    eye = Eye()
    assert len(find(photograph(400, 300, (200, 150))[0], eye)) == 1
    assert eye.asked == [(300, 400)]


def test_a_weak_face_is_looked_at_alone():
    """Where it is sure then, the photograph is not looked at on its sides."""
    class Shy(Eye):
        def detect(self, rgb):
            sure = rgb.shape[0] == rgb.shape[1]
            return [f._replace(score=0.9 if sure else 0.6) for f in super().detect(rgb)]
    shy, (picture, points) = Shy(), photograph(400, 300, (210, 140))
    (found,) = find(picture, shy)
    assert shy.asked == [(300, 400), (256, 256)] and found.score == 0.9
    assert np.abs(found.points - points).max() < 1


def test_weak_faces_that_stay_weak():
    """The best of them are looked at alone, and then the photograph in all directions."""
    class Dim:
        name, asked = "dim", ()

        def detect(self, rgb):
            self.asked += (rgb.shape[:2],)
            return [Face(np.array([60.0 * k, 0, 60 * k + 50, 60]),
                         np.array(TEMPLATE) / 2 + (60 * k, 0), 0.7 - k / 100)
                    for k in range(9 * (len(self.asked) == 1))]
    dim = Dim()
    assert len(find(np.zeros((90, 700, 3), np.uint8), dim)) == 9
    assert dim.asked == ((90, 700), *[(256, 256)] * FEW, (700, 90), (90, 700), (700, 90))


def test_huge():
    """It is made smaller for the detector, and the points are those of the photograph."""
    picture, points = photograph(1600, 1200, (1000.3, 600.8), eyes=160)
    eye = Eye()
    (found,) = find(picture, eye)
    assert eye.asked == [(810, 1080)] and np.abs(found.points - points).max() < 1.5


def test_a_face_that_fills_the_photograph():
    picture, points = photograph(560, 600, (280, 300), eyes=200)
    eye = Eye(most=300)
    (found,) = find(picture, eye)
    assert np.abs(found.points - points).max() < 3 and len(eye.asked) == 2


def test_none():
    eye = Eye()
    assert find(np.zeros((300, 200, 3), np.uint8), eye) == []
    assert eye.asked == [(300, 200), (256, 170), (200, 300), (300, 200), (200, 300)]
    assert find(np.zeros((1, 1, 3), np.uint8), eye) == []


def test_the_largest_first_and_few_again():
    class Crowd:
        name, asked = "crowd", 0

        def detect(self, rgb):
            self.asked += 1
            if rgb.shape[0] == rgb.shape[1]:
                return []
            turn = np.array([[0.7, -0.7, 0], [0.7, 0.7, 0]])
            return [Face(np.array([30 * k, 0, 30 * k + 9 + k / 9, 20]),
                         moved(turn, np.array(TEMPLATE)) / 9, 0.9) for k in range(30)]
    crowd = Crowd()
    found = find(np.zeros((100, 1000, 3), np.uint8), crowd)
    assert len(found) == 30 and crowd.asked == 1 + AGAIN
    assert [f.area for f in found] == sorted((f.area for f in found), reverse=True)


def test_a_face_that_is_lost_upright_stays():
    class Once:
        name, asked = "once", 0

        def detect(self, rgb):
            self.asked += 1
            points = moved(inverse(np.array([[0.7, -0.7, 0], [0.7, 0.7, 0]])), np.array(TEMPLATE))
            face = Face(np.array([10, 10, 99, 99.0]), points + 50, 0.85)
            return [face] if self.asked == 1 else []
    once = Once()
    (found,) = find(np.zeros((200, 220, 3), np.uint8), once)
    assert found.score == 0.85 and once.asked == 2
