# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""From the head to the picture: pose, perspective, alignment, and which vertex a pixel sees."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import Tensor

from efm3.drawn.shape import COLUMNS, ROWS, Point
from efm3.drawn.soft import sine_cosine, smooth, spread

# Where five landmarks lie in an aligned crop of 112 × 112, from its middle at (55.5, 55.5).
AIM = ((38.29, 51.70), (73.53, 51.50), (56.03, 71.74), (41.55, 92.37), (70.73, 92.20))
MIDDLE = 55.5
_DEPTHS, _PLACES, _BEHIND = 1024, 16384, 15  # a key of 24 bits, which a float32 holds exactly


class Camera:
    """Maps points of head space to pixels and back to the plane before the alignment."""

    def __init__(self, n: SimpleNamespace, marks: Point, side: int):
        (sy, cy), (sp, cp), (sr, cr) = (sine_cosine(a) for a in (n.yaw, n.pitch, n.roll))
        # Yaw about y, then pitch about x, then roll about z.
        self.rows = (
            (cr * cy - sr * (sp * sy), -(sr * cp), cr * sy + sr * (sp * cy)),
            (sr * cy + cr * (sp * sy), cr * cp, sr * sy - cr * (sp * cy)),
            (-(cp * sy), sp, cp * cy))
        self.focal = n.focal
        self.turn, self.shift = self._align(n, marks)
        self.size = side / 112.0
        self.side = side

    def rotate(self, p: Point) -> Point:
        """Head space to camera space."""
        x, y, z = (r[0] * p[0] + r[1] * p[1] + r[2] * p[2] for r in self.rows)
        return x, y, z

    def plane(self, p: Point) -> tuple[Tensor, Tensor]:
        """Camera space to the plane of the photograph, before the crop is aligned."""
        near = self.focal / (self.focal - p[2])
        return p[0] * near, p[1] * near

    def pixels(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """The plane of the photograph to pixels of the crop."""
        (a, b), (u, v) = self.turn, self.shift
        return ((a * x - b * y + u + MIDDLE + 0.5) * self.size - 0.5,
                (b * x + a * y + v + MIDDLE + 0.5) * self.size - 0.5)

    def grid(self) -> tuple[Tensor, Tensor]:
        """The pixels' own coordinates, [1, side · side] each."""
        line = torch.arange(self.side, dtype=torch.float32, device=self.focal.device)
        return line.repeat(self.side)[None], line.repeat_interleave(self.side)[None]

    def upright(self) -> tuple[Tensor, Tensor]:
        """The plane of the photograph at every pixel: the inverse of `pixels`."""
        (a, b), (u, v) = self.turn, self.shift
        x, y = self.grid()
        x = (x + 0.5) / self.size - (MIDDLE + 0.5) - u
        y = (y + 0.5) / self.size - (MIDDLE + 0.5) - v
        length = a * a + b * b
        a, b = a / length, b / length
        return a * x + b * y, a * y - b * x

    def _align(self, n: SimpleNamespace, marks: Point) -> tuple[tuple[Tensor, Tensor], ...]:
        """The similarity that brings the landmarks closest to AIM, and then the jitter."""
        x, y = self.plane(self.rotate(marks))
        xs = [x[:, k:k + 1] for k in range(5)]
        ys = [y[:, k:k + 1] for k in range(5)]
        mx, my = sum(xs) / 5.0, sum(ys) / 5.0
        ax, ay = (sum(p[k] for p in AIM) / 5.0 for k in (0, 1))
        a = b = length = 0.0
        for px, py, (qx, qy) in zip(xs, ys, AIM, strict=True):
            px, py, qx, qy = px - mx, py - my, qx - ax, qy - ay
            a = px * qx + py * qy + a
            b = px * qy - py * qx + b
            length = px * px + py * py + length
        sine, cosine = sine_cosine(n.tilt)
        a, b = a / length * n.zoom, b / length * n.zoom
        a, b = a * cosine - b * sine, a * sine + b * cosine
        u = ax - MIDDLE - (a * mx - b * my) + n.shift_x
        v = ay - MIDDLE - (b * mx + a * my) + n.shift_y
        return (a, b), (u, v)


def _slopes(p: Tensor) -> tuple[Tensor, Tensor]:
    """Central differences [N, ROWS, COLUMNS] along columns and rows, one-sided at the edges."""
    across, down = torch.empty_like(p), torch.empty_like(p)
    across[:, :, 1:-1] = (p[:, :, 2:] - p[:, :, :-2]) * 0.5
    across[:, :, 0], across[:, :, -1] = p[:, :, 1] - p[:, :, 0], p[:, :, -1] - p[:, :, -2]
    down[:, 1:-1] = (p[:, 2:] - p[:, :-2]) * 0.5
    down[:, 0], down[:, -1] = p[:, 1] - p[:, 0], p[:, -1] - p[:, -2]
    return across, down


def see(camera: Camera, rest: Point, place: Point) -> tuple[Point, Point, Tensor]:
    """What each pixel sees: rest place, unit normal in camera space, and cover 0 … 1; [N, P] each.

    Vertices are put on the pixels nearest first (the largest key wins), each claims its 3 × 3
    neighbours, and the rest place is then carried from the vertex to the pixel's own middle by the
    slopes of the surface there: the picture is smooth though the vertices are dots.
    """
    count = place[0].shape[0]
    grids = [p.reshape(count, ROWS, COLUMNS) for p in camera.rotate(place)]
    (xu, xv), (yu, yv), (zu, zv) = (_slopes(g) for g in grids)
    nx, ny, nz = yu * zv - zu * yv, zu * xv - xu * zv, xu * yv - yu * xv
    depth = grids[2].reshape(count, -1)
    px, py = camera.pixels(*camera.plane((grids[0].reshape(count, -1),
                                          grids[1].reshape(count, -1), depth)))
    facing = (nx * grids[0] + ny * grids[1] + nz * (grids[2] - camera.focal[:, :, None])) < 0
    empty, edge, at = _visible(px, py, depth, facing.reshape(count, -1), camera.side)

    (pu, pv), (qu, qv) = (_slopes(p.reshape(count, ROWS, COLUMNS)) for p in (px, py))
    area = pu * qv - pv * qu
    area = torch.where(area.abs() < 0.15, 0.15 * (1.0 - 2.0 * (area < 0)), area)

    def take(values: Tensor) -> Tensor:
        return torch.gather(values.reshape(count, -1), 1, at)

    gx, gy = camera.grid()
    dx, dy = gx - take(px), gy - take(py)
    inv = take(area)
    du = ((take(qv) * dx - take(pv) * dy) / inv).clamp_(-1.6, 1.6)
    dv = ((take(pu) * dy - take(qu) * dx) / inv).clamp_(-1.6, 1.6)
    seen = []
    for r in rest:
        su, sv = _slopes(r.reshape(count, ROWS, COLUMNS))
        seen.append(take(r) + take(su) * du + take(sv) * dv)
    length = (nx * nx + ny * ny + nz * nz).clamp_(min=1e-6).sqrt_()
    normal = tuple(take(v / length) for v in (nx, ny, nz))
    miss = ((dx - take(pu) * du - take(pv) * dv).abs() + (dy - take(qu) * du - take(qv) * dv).abs())
    cover = (1.0 - empty) * torch.maximum((1.6 - miss).clamp_(0.0, 1.0), 1.0 - edge)
    cover = smooth(cover, camera.side)
    return (seen[0], seen[1], seen[2]), (normal[0], normal[1], normal[2]), cover


def _visible(px: Tensor, py: Tensor, depth: Tensor, facing: Tensor,
             side: int) -> tuple[Tensor, Tensor, Tensor]:
    """For each pixel: 1 if no vertex is near, 1 if that is so for a neighbour, the front vertex."""
    count, vertices = px.shape
    ix, iy = (px + 0.5).floor(), (py + 0.5).floor()
    inside = (ix >= 0) & (ix < side) & (iy >= 0) & (iy < side) & facing
    slot = torch.where(inside, iy * side + ix, float(side * side)).to(torch.int64)
    level = ((depth + 90.0) * 5.0).floor().clamp_(1.0, _DEPTHS - 1.0)
    own = torch.arange(vertices, dtype=torch.float32, device=px.device)
    keys = level * _PLACES + own
    front = torch.zeros(count, side * side + 1, device=px.device)
    front.scatter_reduce_(1, slot, keys, "amax")
    own_key = front[:, :-1].reshape(count, side, side)
    # A neighbour's vertex counts where the pixel has none, or one that lies well behind.
    front = torch.maximum(spread(own_key) - _BEHIND * _PLACES, own_key)
    # Where the surface is stretched, as on the side of a nose, its dots lie further apart.
    for _ in range(2):
        front = torch.where(front > 0, front, spread(front))
    empty = (front <= 0).float()
    edge = spread(empty).reshape(count, -1)
    front = front.clamp_(min=0.0).reshape(count, -1)
    level = (front / _PLACES).floor()
    return empty.reshape(count, -1), edge, (front - level * _PLACES).to(torch.int64)
