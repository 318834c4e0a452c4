# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Identity and nuisance vectors to pictures."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import torch
from torch import Tensor

from efm3.drawn import occlude
from efm3.drawn.albedo import Colour, blend, hair_colour, paint, skin_colour
from efm3.drawn.camera import Camera, see
from efm3.drawn.identity import traits
from efm3.drawn.nuisance import shot
from efm3.drawn.photo import expose
from efm3.drawn.shape import Point, build
from efm3.drawn.soft import bump, field, mix, noise, oval, ramp, smooth

SIDE = 112
# Pictures per pass: planes that stay in a core's cache; a GPU needs many.
CHUNK_CPU, CHUNK_GPU = 16, 2048


def render(identity: Tensor, nuisance: Tensor, side: int = SIDE,
           device: torch.device | str | None = None) -> Tensor:
    """Pictures uint8 [N, 3, side, side], RGB, for vectors [N, DIM] and [N, SIZE].

    The device is the vectors' own unless given. The side is a multiple of 8 from 32 to 112.
    A picture depends only on its two vectors, not on the batch or the threads.
    """
    if side % 8 or not 32 <= side <= SIDE:
        raise ValueError(f"side must be a multiple of 8 from 32 to {SIDE}, found {side}")
    if len(identity) != len(nuisance):
        raise ValueError(f"{len(identity)} identities, but {len(nuisance)} nuisances")
    where = torch.device(device) if device is not None else identity.device
    identity, nuisance = identity.to(where), nuisance.to(where)
    count = len(identity)
    out = torch.empty(count, 3, side, side, dtype=torch.uint8, device=where)
    threads = torch.get_num_threads() if where.type == "cpu" else 1
    chunk = min(CHUNK_CPU, -(-count // threads)) if where.type == "cpu" else CHUNK_GPU

    @torch.no_grad()
    def draw(at: int) -> None:
        part = slice(at, at + chunk)
        i, n = traits(identity[part]), shot(nuisance[part])
        out[part] = expose(_scene(i, n, side), n, side)

    starts = range(0, count, max(chunk, 1))
    if threads == 1:
        for at in starts:
            draw(at)
    else:
        # Threads for pictures, not for operations: these are small, and to wait for one another
        # after each would cost more than the work. A setting inside a thread is that thread's own,
        # but for the start value of later threads, which the last line puts back.
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            list(pool.map(draw, starts))
        torch.set_num_threads(threads)
    return out


def _scene(i: SimpleNamespace, n: SimpleNamespace, side: int) -> Tensor:
    """The picture before the camera: [N, 3, side · side]."""
    rest, place, marks = build(i, n)
    camera = Camera(n, marks, side)
    seen, normal, cover = see(camera, rest, place)
    colour, gloss = paint(i, n, seen, side)
    colour = occlude.mask(i, n, colour, seen)
    colour = _lit(n, colour, gloss, normal, side)
    up = camera.upright()
    scene = blend(_behind(i, n, camera, up), colour, cover)
    scene = occlude.glasses(i, n, scene, camera, up)
    scene = occlude.hand(i, n, scene, camera)
    return torch.stack(scene, 1)


def _lit(n: SimpleNamespace, colour: Colour, gloss: Tensor, normal: Point,
         side: int) -> Colour:
    """A sky, two lamps of their own colours, and a light from behind."""
    nx, ny, nz = normal
    lx, ly = n.light_x, n.light_y
    length = (lx * lx + ly * ly + 1.0).sqrt()
    lx, ly, lz = lx / length, ly / length, 1.0 / length
    lamp = ((nx * lx + ny * ly + nz * lz) * 0.85 + 0.15).clamp_(min=0.0) * n.key
    fx, fy = n.fill_x, n.fill_y
    far = n.fill / (fx * fx + fy * fy + 1.0).sqrt()
    fill = (nx * (fx * far) + ny * (fy * far) + nz * far).clamp_(min=0.0)
    sky = (0.82 - ny * 0.28) * n.ambient
    edge = (1.0 - nz).clamp_(0.0, 1.0)
    rim = edge * edge * (nx * n.rim_side + 0.4).clamp_(min=0.0) * n.rim
    half = (lx * lx + ly * ly + (lz + 1.0) * (lz + 1.0)).sqrt()
    shine = ((nx * lx + ny * ly + nz * (lz + 1.0)) / half).clamp_(min=0.0)
    for _ in range(4):
        shine = shine * shine
    shine = shine * gloss * n.key
    lamp, white = smooth(lamp, side), smooth(sky + rim, side)
    r, g, b = (c * (lamp * w + fill * v + white) + shine for c, w, v in
               zip(colour, (1.0 + n.warm * 0.6, 1.0, 1.0 - n.warm),
                   (1.0 + n.fill_warm * 0.6, 1.0, 1.0 - n.fill_warm), strict=True))
    return r, g, b


def _behind(i: SimpleNamespace, n: SimpleNamespace, camera: Camera,
            up: tuple[Tensor, Tensor]) -> Colour:
    """Background, shoulders, neck and the hair at the back, in the plane of the photograph."""
    x, y = up
    side = camera.side
    gx, gy = camera.grid()
    gx, gy = (v / camera.size for v in (gx, gy))
    edge = ramp((gx - 56.0) + (gy - 56.0) * n.back_slope - n.back_at, n.back_soft)
    spots = noise(gx * n.back_scale + n.back_x, gy * n.back_scale + n.back_y) * n.back_rough + 1.0
    back = blend((n.back_r, n.back_g, n.back_b), (n.back2_r, n.back2_g, n.back2_b), edge)
    _things(n, back, gx, gy)
    level = n.ambient * 0.8 + n.key * 0.4
    back = (back[0] * spots, back[1] * spots, back[2] * spots)

    _tresses(i, n, back, x, y, level)
    low = slice(side // 2 * side, None)
    for whole, part in zip(back, _body(i, n, tuple(c[:, low] for c in back), x[:, low],
                                       y[:, low], level), strict=True):
        whole[:, low] = part
    return back


def _things(n: SimpleNamespace, back: Colour, gx: Tensor, gy: Tensor) -> None:
    """Leaves and other people, or shelves and window frames, on the pictures that have them."""
    for low, high, shape in ((0.0, 0.25, _blots), (0.25, 0.5, _bars)):
        at = ((n.back_kind[:, 0] >= low) & (n.back_kind[:, 0] < high)).nonzero()[:, 0]
        if not len(at):
            continue
        size, soft, level, slope, x, y, *colour = (v[at] for v in (
            n.back_size, n.back_soft, n.back_level, n.back_slope, n.back_x, n.back_y,
            n.shirt_r, n.shirt_g, n.shirt_b))
        there = shape(gx * size + x, gy * size + y, soft * size, level, slope)
        for whole, c in zip(back, colour, strict=True):
            whole[at] = mix(whole[at], c, there)


def _blots(x: Tensor, y: Tensor, soft: Tensor, level: Tensor, _slope: Tensor) -> Tensor:
    return ramp(field(x, y) + level, soft * 0.05)


def _bars(x: Tensor, y: Tensor, soft: Tensor, level: Tensor, slope: Tensor) -> Tensor:
    wave = (x + y * slope * 0.2) * 0.03
    return ramp((wave - wave.floor() - 0.5).abs() * 4.0 - 1.0 + level * 0.5, soft * 0.03)


def _tresses(i: SimpleNamespace, n: SimpleNamespace, back: Colour, x: Tensor, y: Tensor,
             level: Tensor) -> None:
    """Long hair, on the pictures that have it."""
    at = (i.hair_long[:, 0] > 0.05).nonzero()[:, 0]
    if not len(at):
        return
    x, y, level, long, hair_x = (v[at] for v in (x, y, level, i.hair_long, n.hair_x))
    width = 41.0 * i.skull_width[at] + i.hair_thick[at].clamp(min=1.0) + 2.0 + long * 6.0
    fall = oval(x, y + 12.0, width, 48.0 + long.clamp(max=1.0) * 55.0)
    tress = ramp(1.0 - fall, 0.12) * ramp(long - 0.2, 0.3)
    lock = (noise(x * 1.6, y * 0.25 + hair_x) * 0.1 + 0.55) * level
    for whole, c in zip(back, hair_colour(i), strict=True):
        whole[at] = mix(whole[at], c[at] * lock, tress)


def _body(i: SimpleNamespace, n: SimpleNamespace, back: Colour, x: Tensor, y: Tensor,
          level: Tensor) -> Colour:
    """Neck and shoulders, which the lower half of a picture alone can hold."""
    body = ramp(1.0 - oval(x, y - 128.0, 92.0, 66.0), 0.04)
    down = y - 40.0
    half = 24.0 * i.skull_width + down.clamp(min=0.0) * down.clamp(min=0.0) * 0.012
    neck = ramp(half - x.abs(), 2.0) * ramp(y - 18.0, 4.0)
    throat = (0.62 - bump(oval(x, y - 40.0, 34.0, 26.0)) * 0.28 - n.light_x * x * 0.004) * level
    cloth = (noise(x * 0.6, y * 0.6 + n.back_y) * 0.05 + 0.9) * level
    back = blend(back, tuple(c * throat for c in skin_colour(i, n)), neck)
    collar = ramp(1.0 - oval(x, y - 128.0, 92.0, 58.0), 0.04)
    body = body * (1.0 - neck) + collar * neck
    return blend(back, tuple(c * cloth for c in (n.shirt_r, n.shirt_g, n.shirt_b)), body)
