# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The head: a sphere of directions, stretched to a skull, with features as soft hills on it.

Every vertex keeps its rest position (on the skull), which determines its colour;
expression and features move only the vertex.
"""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

import torch
from torch import Tensor

from efm3.drawn.soft import bump, mix, oval, ramp, sine_cosine

COLUMNS, ROWS = 96, 104
EQUATOR = -14.0  # the height at which the head is widest
STRETCH_ROWS, STRETCH_COLUMNS = 5, 3
KNOTS_APART = 22.0, 28.0
"""Pixels between the knots of a stretch, across and down; a column is the middle's."""
Point = tuple[Tensor, Tensor, Tensor]


@cache
def _directions(device: torch.device) -> Point:
    """Unit vectors [1, ROWS · COLUMNS]: ±150° around, closer together where the face is."""
    across = torch.linspace(-1, 1, COLUMNS, dtype=torch.float64)
    down = torch.linspace(-1, 1, ROWS, dtype=torch.float64)
    around = (across * 0.62 + across**3 * 0.38) * 2.62
    height = (down * 0.96 + (1 - down * down) * 0.12) * 1.56
    half_s, half_c = sine_cosine(around * 0.5)
    sin_a, cos_a = half_s * half_c * 2, half_c * half_c - half_s * half_s
    sin_h, cos_h = sine_cosine(height)
    parts = (cos_h[:, None] * sin_a, sin_h[:, None].expand(ROWS, COLUMNS), cos_h[:, None] * cos_a)
    x, y, z = (p.reshape(1, -1).float().to(device) for p in parts)
    return x, y, z


def _splines(t: Tensor, count: int) -> list[Tensor]:
    """Quadratic B-splines of the knots 0 … count - 1: smooth, and their sum is 1 from 0.5 to
    count - 1.5."""
    out = []
    for k in range(count):
        away = (t - k).abs()
        tail = (1.5 - away).clamp(min=0.0)
        out.append(torch.where(away < 0.5, 0.75 - away * away, tail * tail * 0.5))
    return out


def _knots(x: Tensor, y: Tensor) -> list[Tensor]:
    """How much each knot of the stretch counts at directions' x and y, rows from above first.

    Both halves share their knots: the face stays its own mirror image.
    """
    across = _splines(x.abs() * (41.0 / KNOTS_APART[0]), STRETCH_COLUMNS)
    # Of the other half's knots only the nearest reaches over the middle.
    over = (0.5 - x.abs() * (41.0 / KNOTS_APART[0])).clamp(min=0.0)
    across[1] = across[1] + over * over * 0.5
    down = torch.where(y > 0, y * 72.0, y * 57.0) / KNOTS_APART[1] + 1.5
    return [d * a for d in _splines(down, STRETCH_ROWS) for a in across]


@cache
def _front_knots(device: torch.device) -> list[Tensor]:
    x, y, z = _directions(device)
    return [k * (z * 3.0 + 0.3).clamp(0.0, 1.0) for k in _knots(x, y)]


def _stretch(i: SimpleNamespace, knots: list[Tensor], sign: Tensor) -> tuple[Tensor, Tensor]:
    """How far the face's own proportions move points in x and y."""
    dx = dy = 0.0
    for k, share in enumerate(knots):
        dy = share * getattr(i, f"stretch_y{k}") + dy
        if k % STRETCH_COLUMNS:
            dx = share * getattr(i, f"stretch_x{k}") + dx
    return dx * sign, dy


def _breadth(i: SimpleNamespace, lower: Tensor) -> Tensor:
    """How wide the head is, below its widest height."""
    jaw = (lower - 0.68) * 3.0
    return 1.0 - lower * lower * i.jaw_taper + bump(jaw * jaw) * i.jaw_width


def _rest(i: SimpleNamespace, d: Point) -> Point:
    """The skull's point in a direction."""
    x, y, z = d
    lower, upper = y.clamp(min=0.0), (-y).clamp(min=0.0)
    rest_y = lower * (72.0 * i.face_length) - upper * (57.0 * i.skull_height) + EQUATOR
    low2 = lower * lower
    rest_x = x * (41.0 * i.skull_width) * _breadth(i, lower)
    front = z.clamp(min=0.0) * (48.0 * i.skull_depth) * (low2 * 0.5 + 1.0)
    rest_z = front + z.clamp(max=0.0) * (56.0 * i.skull_depth)
    return rest_x, rest_y, rest_z


def _towards(i: SimpleNamespace, x: Tensor, y: Tensor) -> Point:
    """The direction of the front point whose rest place is (x, y): the inverse of _rest."""
    low = (y - EQUATOR) / (72.0 * i.face_length)
    high = (y - EQUATOR) / (57.0 * i.skull_height)
    dy = torch.where(y > EQUATOR, low, high).clamp(-0.99, 0.99)
    lower = dy.clamp(min=0.0)
    dx = x / (41.0 * i.skull_width * _breadth(i, lower))
    dz = (1.0 - dx * dx - dy * dy).clamp(min=0.01).sqrt()
    return dx, dy, dz


def hair(i: SimpleNamespace, n: SimpleNamespace, x: Tensor, y: Tensor, z: Tensor,
         rough: Tensor | float = 0.0, soft: Tensor | float = 1.0) -> Tensor:
    """How much of a rest place is hair, 0 … 1.

    `rough` moves the edge inwards (in pixels) where it is negative, `soft` makes it wider.
    """
    off = x - 12.0 * i.parting
    line = (i.hair_line + n.hair_fall * 0.5 - off * off * i.hair_curve * 0.5
            + bump(off * off * 0.02) * i.hair_peak)
    line = line + i.fringe.clamp(min=0.0) * 14.0 * bump(off * off * 0.0006)
    top = ramp(line + off.abs() * 0.12 - y + rough, 4.0 * soft)
    long = i.hair_long.clamp(min=0.0)
    side = i.hair_side + n.hair_fall + long * 40.0
    full = long.clamp(max=1.0)
    edge = full * 6.0 + 22.0 - (y - EQUATOR).clamp(min=0.0) * (0.45 - full * 0.25)
    temple = ramp(edge - z + rough, 5.0 * soft) * ramp(side - y + rough, 4.0 * soft)
    ear = oval(y - i.ear_y, z + 2.0, 19.0, 12.0)
    free = 1.0 - ramp(1.0 - ear, 0.4) * (1.0 - ramp(long - 0.35, 0.3))
    return torch.maximum(top, temple * free)


def _features(i: SimpleNamespace, n: SimpleNamespace, rest: Point, front: Tensor) -> Point:
    """Where the features and the expression put a rest place; front is the direction's z."""
    x, y, z = rest
    ax = x.abs()
    face = (front * 4.0).clamp(0.0, 1.0)
    smile = n.smile
    mouth_y = i.mouth_y
    eye_y = i.eye_y

    down = (y - i.nose_root) / (i.nose_y - i.nose_root)
    ridge = down.clamp(0.0, 1.0)
    height = mix(i.nose_bridge, i.nose_tip, ridge * ridge * 0.6 + ridge * 0.4)
    height = height + bump((down - 0.4) * (down - 0.4) * 9.0) * i.nose_hump
    over = (i.nose_root - y).clamp(min=0.0) * 0.09
    under = (y - i.nose_y).clamp(min=0.0) / i.nose_under
    height = height * (1.0 - over).clamp(min=0.0) * (1.0 - under * under).clamp(min=0.0)
    wide = mix(i.nose_thin, i.nose_wide, ridge * ridge) * 1.25
    bent = x - bump((down - 0.5) * (down - 0.5) * 4.0) * i.nose_bend
    across = bent / wide
    out = height * bump(across * across * 0.8)

    for cx, cy, rx, ry, h in (
        (i.ala_x, i.nose_y + 1.5, 5.0, 6.0, i.ala_out),
        (i.eye_apart, eye_y - 1.0, 13.0, 11.0, -i.eye_depth),
        (i.eye_apart, eye_y, 9.5, 7.0, i.eye_bulge),
        (i.eye_apart - 2.0, eye_y + i.brow_y + 1.0, 17.0, 7.0, i.brow_ridge),
        (26.0, i.cheekbone_y, 16.0, 13.0, i.cheekbone),
        (23.0, 27.0, 17.0, 19.0, i.cheeks + n.puff * 0.8),
        (19.0, 22.0, 11.0, 10.0, smile.clamp(min=0.0) * 2.6),
        (34.0, -20.0, 14.0, 16.0, -i.temples),
    ):
        out = out + bump(oval(ax - cx, y - cy, rx, ry)) * h
    width = i.mouth_width
    for cy, rx, ry, h in (
        (i.mouth_y, width * 1.5, 16.0, 4.0), (mouth_y - i.lip_upper * 0.7, width, 5.0, i.lip_out),
        (mouth_y + i.lip_lower * 0.8, width * 0.85, 5.5, i.lip_out * 1.2),
        (mouth_y, width * 1.05, 2.4, -2.2), (i.chin_y, i.chin_width * 1.3, 12.0, i.chin_out),
        (mouth_y + i.lip_lower + 6.0, i.chin_width, 4.5, -2.0),
        (-36.0, 34.0, 22.0, i.forehead),
    ):
        out = out + bump(oval(x, y - cy, rx, ry)) * h
    out = out - bump(oval(x, y - mouth_y + 9.0, 3.0, 6.0)) * i.philtrum
    out = out - bump(oval(x, y - i.chin_y, 2.5, 7.0)) * i.chin_cleft.clamp(min=0.0) * 1.5

    # The ear: a rim that stands off the side, with a bowl in it.
    ear = oval(y - i.ear_y - z * 0.12, z + 1.0, i.ear_size * 17.0, i.ear_size * 10.0)
    rim = (1.0 - ear).clamp(min=0.0).sqrt() * (0.75 + 0.25 * ear)
    rim = rim * (1.0 - i.ear_lobe * (y - i.ear_y) * 0.012)
    side = x.sign() * (rim * i.ear_out * (ax > 20.0)
                       + bump(oval(ax - 28.0, y - 36.0, 16.0, 14.0)) * i.jaw_corner)
    back = rim * -5.0

    jaw = ((y - mouth_y) / 14.0).clamp(0.0, 1.0) * face
    return x + side, y + jaw * n.open * 4.0, z + out * face + back


def build(i: SimpleNamespace, n: SimpleNamespace) -> tuple[Point, Point, Point]:
    """Rest places and places of the vertices [N, ROWS · COLUMNS], and of five landmarks [N, 5].

    The landmarks are the eyes, the tip of the nose and the corners of the mouth, left first.
    """
    d = _directions(i.skull_width.device)
    rest = _rest(i, d)
    x, y, z = _features(i, n, rest, d[2])
    thick = hair(i, n, *rest, rough=-5.0, soft=3.0) * (i.hair_thick + n.hair_more).clamp(min=0.5)
    bald = n.hat * ramp(n.hat_line - rest[1] - 3.0, 8.0)
    thick = mix(thick, 5.0, bald)
    grown = thick * 0.02
    sx, sy = _stretch(i, _front_knots(x.device), d[0].sign())
    place = (x + x * grown + sx, y + (y - EQUATOR) * grown + sy, z + z * grown)

    zero = torch.zeros_like(i.eye_apart)
    mark_x = torch.cat([-i.eye_apart, i.eye_apart, zero, -i.mouth_width, i.mouth_width], 1)
    mark_y = torch.cat([i.eye_y, i.eye_y, i.nose_y, i.mouth_y, i.mouth_y], 1)
    toward = _towards(i, mark_x, mark_y)
    marks = _features(i, n, _rest(i, toward), toward[2])
    sx, sy = _stretch(i, _knots(toward[0], toward[1]), toward[0].sign())
    return rest, place, (marks[0] + sx, marks[1] + sy, marks[2])
