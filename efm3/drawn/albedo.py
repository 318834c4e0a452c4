# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The colours of a head, painted on its rest places: skin, eyes, brows, lips, hair, marks."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import Tensor

from efm3.drawn.shape import Point, hair
from efm3.drawn.soft import bump, mix, noise, oval, ramp

Colour = tuple[Tensor, Tensor, Tensor]


def blend(a: Colour, b: Colour | tuple[float, float, float], share: Tensor) -> Colour:
    """The colour a where the share is 0, b where it is 1."""
    r, g, blue = (mix(p, q, share) for p, q in zip(a, b, strict=True))
    return r, g, blue


def _ladder(t: Tensor, *steps: tuple[float, float, float]) -> Colour:
    """A colour on the curve from the first step past the second to the third."""
    t = t.clamp(0.0, 1.0)
    r, g, b = (mix(mix(p, q, t), mix(q, s, t), t) for p, q, s in zip(*steps, strict=True))
    return r, g, b


def skin_colour(i: SimpleNamespace, n: SimpleNamespace) -> Colour:
    """[N, 1] each, from 0 to little more than 1."""
    r, g, b = _ladder(i.skin_tone + n.tan, (0.99, 0.78, 0.67), (0.86, 0.57, 0.43),
                      (0.36, 0.20, 0.13))
    hue = i.skin_hue.clamp(-2.5, 2.5)
    return r * (1.0 + 0.02 * hue), g, b * (1.0 - 0.05 * hue)


def hair_colour(i: SimpleNamespace) -> Colour:
    """[N, 1] each, 0 … 1."""
    tone = i.hair_tone - (i.skin_tone - 0.35).clamp(min=0.0) * 0.8
    base = _ladder(tone, (0.05, 0.04, 0.04), (0.26, 0.15, 0.08), (0.90, 0.72, 0.44))
    base = blend(base, (0.52, 0.20, 0.08), (i.hair_red - 0.35).clamp(0.0, 0.8))
    return blend(base, (0.66, 0.65, 0.64), i.hair_grey.clamp(0.0, 1.0))


def _skin(i: SimpleNamespace, n: SimpleNamespace, x: Tensor, y: Tensor, ax: Tensor) -> Colour:
    """Skin with its blotches, blush, folds, freckles and marks."""
    tx, ty = i.texture_x, i.texture_y
    shade = noise(x * 0.7 + tx, y * 0.7 + ty) * (i.mottle * 0.035) + 1.0
    shade = shade + noise(x * 2.6 + ty, y * 2.6 + tx) * (i.mottle * 0.02)
    # Where little light comes: eye sockets, beside the nose, under the lip, folds.
    shade = shade - bump(oval(ax - i.eye_apart + 3.0, y - i.eye_y + 2.0, 13.0, 9.0)) * i.socket
    shade = shade - bump(oval(ax - i.eye_apart, y - i.eye_y - 6.5, 9.0, 3.5)) * (
        i.eye_bags.clamp(min=0.0) * 0.3)
    shade = shade - bump(oval(ax - i.ala_x - 2.6, y - i.nose_y - 0.5, 1.8, 5.0)) * (
        i.nose_side.clamp(min=0.0))
    below = y - i.mouth_y - i.lip_lower - 3.5
    shade = shade - bump(oval(x, below, i.mouth_width * 0.7, 3.0)) * i.lip_under
    along = (y - i.nose_y) / (i.mouth_y - i.nose_y)
    fold = ax - i.ala_x - 3.0 - along * (i.mouth_width * 1.15 - i.ala_x)
    deep = n.smile.clamp(min=0.0) * 0.15 + i.wrinkles.clamp(min=0.0) * 0.25 + i.fold.clamp(min=0.0)
    off = (along - 0.5) * 1.6
    shade = shade - bump(fold * fold * 0.13) * bump(off * off) * deep
    wave = y * 0.17 + i.texture_x
    wave = (wave - wave.floor() - 0.5).abs()
    lines = ramp(wave - 0.37, 0.2) * bump(oval(x, y + 30.0, 26.0, 16.0))
    crow = ramp(wave - 0.36, 0.2) * bump(oval(ax - i.eye_apart - 12.0, y - i.eye_y, 5.0, 7.0))
    shade = shade - (lines + crow) * (i.wrinkles.clamp(min=0.0) * 0.2)
    spots = noise(x * 1.5 + ty, y * 1.5 + tx) - 1.9 + i.freckles.clamp(max=1.2) * 0.8
    where = bump(oval(ax - 14.0, y - 8.0, 26.0, 22.0)) * (i.freckles > 0.0)
    shade = shade - ramp(spots, 0.8) * where * 0.3
    for k in "123":
        mx, my, size = (getattr(i, f"mole{k}_{part}") for part in ("x", "y", "size"))
        spot = ramp(size.clamp(0.0, 1.6) * 1.3 + 0.3 - oval(x - mx, y - my, 1.0, 1.0).sqrt(), 1.0)
        shade = shade * (1.0 - spot * (size > 0.0) * 0.6)
    sx, sy = x - i.scar_x, y - i.scar_y
    scar = bump(oval(sx, sy - sx * i.scar_slope, 9.0, 1.5)) * i.scar.clamp(0.0, 1.0)

    flush = bump(oval(ax - 22.0, y - 16.0, 17.0, 15.0))
    flush = flush + bump(oval(x, y - i.nose_y, 10.0, 9.0)) * 0.6
    flush = flush * (i.blush.clamp(min=0.0) + n.makeup.clamp(min=0.0) * 0.3)
    r, g, b = skin_colour(i, n)
    shade = shade + scar * 0.2
    flush = flush + scar * 0.4
    return (shade * r * (1.0 + flush * 0.06), shade * g * (1.0 - flush * 0.14),
            shade * b * (1.0 - flush * 0.12))


def _eyes(i: SimpleNamespace, n: SimpleNamespace, base: Colour, x: Tensor, y: Tensor,
          ax: Tensor, dark: Colour) -> Colour:
    """Eyes, lids and brows."""
    sign = x.sign()
    xe = ax - i.eye_apart
    ye = y - i.eye_y - sign * i.lean_eyes + xe * i.eye_tilt
    share = xe / i.eye_width
    lens = 1.0 - share * share
    gap = i.eye_open.clamp(min=1.0) * n.squint * (1.0 - n.blink * 0.97)
    skew = lens * (1.0 + share * i.eye_skew)
    upper, lower = skew * gap * 1.15, lens * gap * i.eye_low.clamp(min=0.3)
    within = ramp(lens, 0.12)
    white = ramp(ye + upper, 1.1) * ramp(lower - ye, 1.1) * within
    crease = ye + upper + i.eye_crease
    fold = bump(crease * crease * 0.7) * ramp(lens + 0.15, 0.3) * i.crease.clamp(0.0, 0.8)
    base = (base[0] * (1.0 - fold), base[1] * (1.0 - fold), base[2] * (1.0 - fold))
    gx, gy = sign * xe - n.gaze_x, ye - n.gaze_y + 0.4
    r = (gx * gx + gy * gy).sqrt_()
    lid = 1.0 - bump((ye + upper) * 0.35 * ((ye + upper) * 0.35)) * 0.35
    base = blend(base, tuple(lid * c * i.eye_white for c in (0.93, 0.90, 0.88)), white)
    iris = _ladder(i.iris_light * 0.28 + 0.25, (0.14, 0.08, 0.05), (0.34, 0.24, 0.12),
                   (0.45, 0.60, 0.66))
    hue = i.iris_hue * 0.06
    ring = ramp(r - i.iris_size + 0.9, 1.2) * 0.5
    iris = tuple((c + h) * (1.0 - ring) for c, h in zip(iris, (-hue * 0.6, hue, hue * 0.2),
                                                        strict=True))
    seen = white * ramp(i.iris_size - r, 1.0)
    base = blend(base, iris, seen)
    base = blend(base, (0.02, 0.02, 0.02), white * ramp(1.6 - r, 1.0))
    glint = oval(gx + 1.2 - n.light_x, gy + 1.2, 1.2, 1.2)
    base = blend(base, (0.95, 0.95, 0.95), white * bump(glint) * 0.9)
    lash = (ye + upper) * (0.95 - n.makeup.clamp(min=0.0) * 0.3)
    lash = bump(lash * lash) * within * i.lash.clamp(0.15, 1.0)
    base = blend(base, (0.08, 0.05, 0.04), lash)

    xb = xe - i.brow_shift
    bend = (xb - 2.5) / i.brow_length
    yb = y - i.eye_y - i.brow_y - sign * i.lean_brows + n.brow_up
    yb = yb + (1.0 - bend * bend) * i.brow_arch - 1.0 - xb * i.brow_tilt
    thick = i.brow_thick.clamp(min=0.6) * (1.1 - (xb / i.brow_length + 1.0) * 0.3)
    brow = ramp(thick - yb.abs(), 1.6) * ramp(i.brow_length - xb.abs(), 5.0)
    brow = brow * (noise(x * 3.0 + y, y * 2.0) * i.brow_rough + i.brow_dark).clamp_(0.1, 1.0)
    return blend(base, tuple(c * i.brow_tone.clamp(min=0.2) for c in dark), brow)


def _mouth(i: SimpleNamespace, n: SimpleNamespace, base: Colour, x: Tensor,
           y: Tensor) -> tuple[Colour, Tensor]:
    """Nostrils and lips; also where the lips are."""
    ax = x.abs()
    size = i.nostril_size.clamp(min=0.4)
    hole = bump(oval(ax - i.ala_x * 0.6, y - i.nose_y - 3.6, size * 2.8, size * 1.9))
    hole = hole * i.nostril.clamp(0.1, 1.0)
    width = i.mouth_width * (1.0 + n.smile * 0.08)
    share = x / width
    lens = 1.0 - share * share
    yl = y - i.mouth_y - x * i.lean_mouth
    yl = yl + share * share * (n.smile * 2.4 + i.mouth_curve)
    full = lens.clamp(min=0.0)
    gap = full * n.open * 3.4
    upper = full * (2.0 - full) * i.lip_upper.clamp(min=1.0)
    upper = upper - bump(x * x * 0.12) * i.lip_bow.clamp(min=0.0)
    lower = full * (1.6 - full * 0.6) * i.lip_lower.clamp(min=1.4)
    within = ramp(lens, 0.12)
    lips = ramp(yl + gap * 0.35 + upper, 1.3) * ramp(gap + lower - yl, 1.6) * within
    red = (i.lip_red + n.makeup.clamp(min=0.0) * 0.35).clamp(0.1, 1.0)
    red_of_lips = (i.lip_tint, 0.21, (i.lip_tint - 0.66) * 0.5 + 0.22)
    tint = tuple(mix(c, d, red * 0.75) for c, d in zip(skin_colour(i, n), red_of_lips, strict=True))
    tint = tuple(c * 0.9 for c in tint)
    base = blend(base, tint, lips * 0.95)
    inside = ramp(yl + gap * 0.35, 1.0) * ramp(gap - yl, 1.0) * ramp(gap - 0.5, 0.8)
    base = blend(base, (0.16, 0.05, 0.05), inside)
    teeth = inside * ramp(gap * 0.45 - yl, 0.8) * ramp(n.smile - 0.1, 0.3)
    base = blend(base, (0.88, 0.85, 0.80), teeth * 0.9)
    line = bump(yl * yl * 0.7) * ramp(lens + 0.06, 0.2) * (1.0 - ramp(gap - 0.5, 0.8))
    line = line * i.lip_line.clamp(0.1, 1.0)
    corner = bump(oval(ax - width, yl, 2.6, 1.8)) * 0.35
    return blend(base, (0.12, 0.04, 0.04), torch.maximum(torch.maximum(line, corner), hole)), lips


def _rows(colour: Colour, rows: slice) -> Colour:
    return colour[0][:, rows], colour[1][:, rows], colour[2][:, rows]


def _put(colour: Colour, rows: slice, part: Colour) -> None:
    for whole, new in zip(colour, part, strict=True):
        whole[:, rows] = new


def paint(i: SimpleNamespace, n: SimpleNamespace, rest: Point,
          side: int) -> tuple[Colour, Tensor]:
    """The colour of each rest place [N, P] and how glossy it is (0 … 1)."""
    x, y, z = rest
    ax = x.abs()
    dark = hair_colour(i)
    colour = _skin(i, n, x, y, ax)
    # The crop is aligned: eyes and mouth cannot be elsewhere than in these rows.
    high, low = (slice(side * a // 112 * side, side * b // 112 * side)
                 for a, b in ((21, 73), (58, 112)))
    lips = torch.zeros_like(x)
    part, lips[:, low] = _mouth(i, n, _rows(colour, low), x[:, low], y[:, low])
    _put(colour, low, part)
    strong = (i.beard + n.shave * (i.beard > 0.0)).clamp(0.0, 1.0)
    stubble = noise(x * 2.4, y * 1.7 + n.hair_x)
    cheek = ramp(y - i.beard_top - 12.0 + ax * 0.55 + stubble, 7.0) * ramp(i.goatee - ax, 8.0)
    cheek = cheek * ramp(z - 2.0, 12.0)
    lip = bump(oval(x, y - i.mouth_y + 6.0, i.mouth_width * 1.35, 6.5))
    hairs = torch.maximum(cheek * strong, (lip * 2.0).clamp(max=1.0)
                          * (i.moustache + strong * 0.8).clamp(0.0, 1.0))
    hairs = hairs * (stubble * 0.16 + 0.84) * (1.0 - lips)
    colour = blend(colour, dark, hairs.clamp_(0.0, 0.95))
    _put(colour, high, _eyes(i, n, _rows(colour, high), x[:, high], y[:, high], ax[:, high], dark))

    rough = noise(x * 0.9 + n.hair_x, y * 0.4 + z * 0.7)
    strands = noise(x * 1.7 + z * 1.3 + i.hair_wave * 4.0,
                    (y * 0.28 + z * 0.2) * i.hair_curl.clamp(min=0.3) + n.hair_x)
    strands = strands * i.hair_coarse.clamp(0.03, 0.35) + rough * 0.07 + 0.95
    cover = hair(i, n, x, y, z, rough * i.hair_rough.clamp(min=0.2),
                 i.hair_soft.clamp(min=0.5))
    colour = blend(colour, tuple(strands * c for c in dark), cover)
    rise = n.hat_line - y - ax * ax * 0.004
    cap = ramp(rise, 1.2) * n.hat
    band = (rise - 5.0) * 0.2
    band = 1.0 - bump(band * band) * 0.3
    colour = blend(colour, tuple(band * c for c in (n.shirt_b, n.shirt_r, n.shirt_g)), cap)
    gloss = (1.0 - cap) * (1.0 - cover * 0.7) * (1.0 - hairs) * i.shine.clamp(min=0.0)
    return colour, gloss
