# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Occlusions: a mask, glasses, a hand. Each is drawn only on the pictures that have it."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import Tensor

from efm3.drawn.albedo import Colour, blend, skin_colour
from efm3.drawn.camera import Camera
from efm3.drawn.shape import Point
from efm3.drawn.soft import bump, mix, oval, ramp, sine_cosine

_LENS_Z = 51.0  # the plane of the lenses, for a head of middling depth


def _pick(at: Tensor, *columns: Tensor) -> list[Tensor]:
    return [c[at] for c in columns]


def _put(colour: Colour, at: Tensor, part: Colour) -> Colour:
    for whole, new in zip(colour, part, strict=True):
        whole[at] = new
    return colour


def _rows(flag: Tensor) -> Tensor:
    return flag[:, 0].nonzero()[:, 0]


def mask(i: SimpleNamespace, n: SimpleNamespace, colour: Colour, rest: Point) -> Colour:
    """A cloth over nose and mouth, on the rest places, with its bands to the ears."""
    at = _rows(n.mask)
    if not len(at):
        return colour
    x, y, z, top, r, g, b = _pick(at, *rest, n.mask_top, n.back2_r, n.back_g, n.back2_b)
    ax = x.abs()
    edge = top - 3.0 + ax * ax * 0.011
    cloth = ramp(y - edge, 1.4) * ramp(58.0 - y, 2.0) * ramp(z + 2.0 - (y - 30.0).abs() * 0.25, 2.0)
    bands = bump(((y - 12.0 + (z - 12.0) * 0.2) * 0.7) * ((y - 12.0 + (z - 12.0) * 0.2) * 0.7))
    bands = bands * ramp(14.0 - z, 2.0) * ramp(z, 2.0)
    pleat = (y - top) * 0.12
    pleat = 1.0 - ramp((pleat - pleat.floor() - 0.5).abs() - 0.4, 0.1) * ramp(26.0 - ax, 6.0) * 0.16
    light = tuple((c * 0.6 + 0.38) * pleat for c in (r, g, b))
    part = blend(tuple(_pick(at, *colour)), light, torch.maximum(cloth, bands))
    return _put(colour, at, part)


def glasses(i: SimpleNamespace, n: SimpleNamespace, colour: Colour, camera: Camera,
            up: tuple[Tensor, Tensor]) -> Colour:
    """Two lenses in a plane before the eyes, in true perspective, clear or dark."""
    # Who cannot see without them has a pair of their own, the others what the shot says.
    own = (i.glasses > 0.0).float()
    at = _rows(torch.maximum(own, n.glasses))
    if not len(at):
        return colour
    px, py = _pick(at, *up)
    rows = [_pick(at, *r) for r in camera.rows]
    focal, size, shape, dark, apart, eye_y, lens_z, r, g, b, thick = _pick(
        at, n.focal, mix(n.glasses_size, i.glasses_size, own),
        mix(n.glasses_shape, i.glasses_shape.clamp(0.0, 1.0), own), n.dark * n.glasses,
        i.eye_apart, i.eye_y, i.skull_depth * _LENS_Z,
        *(mix(c, (i.glasses_hue * k + 0.4).clamp(0.0, 1.2), own) for c, k in
          ((n.shirt_g, 0.4), (n.shirt_b, 0.3), (n.shirt_r, -0.1))),
        mix(1.1, i.glasses_frame.clamp(0.5, 3.0), own))
    # focal · (row · p) = pixel · (focal - row₂ · p), two equations in the plane's x and y.
    a = focal * rows[0][0] + px * rows[2][0]
    c = focal * rows[0][1] + px * rows[2][1]
    e = px * (focal - rows[2][2] * lens_z) - focal * rows[0][2] * lens_z
    d = focal * rows[1][0] + py * rows[2][0]
    f = focal * rows[1][1] + py * rows[2][1]
    h = py * (focal - rows[2][2] * lens_z) - focal * rows[1][2] * lens_z
    area = a * f - c * d
    x, y = (e * f - c * h) / area, (a * h - e * d) / area - eye_y - 1.5

    ax = x.abs() - apart - 0.8
    box = torch.maximum((ax / (size * 1.12)).abs(), (y / (size * 0.8)).abs())
    disc = oval(ax, y, size * 1.08, size * 0.92).sqrt()
    far = (box * shape + disc * (1.0 - shape) - 1.0) * size
    inside = ramp(-far, 1.4)
    frame = ramp(thick + dark * 0.2 - (far - 0.6).abs(), 1.2)
    bridge = ramp(1.1 - (y + 2.0 - x * x * 0.02).abs(), 1.2)
    bridge = bridge * ramp(apart - size + 0.5 - x.abs(), 1.5)
    arms = ramp(1.3 - (y + 3.0).abs(), 1.2) * ramp(-(apart + size - x.abs()), 1.5)
    arms = arms * ramp(apart + size + 4.0 - x.abs(), 2.0)
    frame = torch.maximum(torch.maximum(frame, bridge), arms)
    part = tuple(_pick(at, *colour))
    glare = bump(oval(ax + y * 0.8 - 2.0, y * 0.0, 3.0, 1.0)) * inside * 0.14
    part = blend(part, (0.05, 0.05, 0.06), inside * dark * 0.86)
    part = blend(part, (0.95, 0.97, 1.0), glare)
    return _put(colour, at, blend(part, (r * 0.35, g * 0.35, b * 0.35), frame))


def hand(i: SimpleNamespace, n: SimpleNamespace, colour: Colour, camera: Camera) -> Colour:
    """A palm and four fingers that come in from below or the side."""
    at = _rows(n.hand)
    if not len(at):
        return colour
    hx, hy, turn, level = _pick(at, n.hand_x, n.hand_y, n.hand_turn, n.ambient * 0.7 + n.key * 0.7)
    skin = _pick(at, *skin_colour(i, n))
    x, y = (v / camera.size for v in camera.grid())
    sine, cosine = sine_cosine(turn - hx * 0.7)
    x, y = x - 56.0 - hx * 40.0, y - 92.0 - hy * 22.0
    x, y = x * cosine + y * sine, y * cosine - x * sine
    best = (1.0 - oval(x, y - 12.0, 19.0, 24.0)).clamp_(min=0.0)
    for k, reach in enumerate((-21.0, -29.0, -32.0, -26.0)):
        fx = x - (k - 1.5) * 9.2 - (y * (k - 1.5)) * -0.05
        past = (reach - y).clamp(min=0.0) + (y - 2.0).clamp(min=0.0)
        best = torch.maximum(best, 1.0 - oval(fx, past, 4.9, 4.9))
    cover = ramp(best, 0.28)
    tone = (best.clamp(0.0, 1.0).sqrt() * 0.4 + 0.55) * level
    part = blend(tuple(_pick(at, *colour)), tuple(tone * c for c in skin), cover)
    return _put(colour, at, part)
