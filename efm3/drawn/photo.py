# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a camera and a file do to a picture: tone, colour, blur, noise, block compression."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import Tensor

from efm3.drawn.soft import grain, mix, tap

# Quantiser step of each frequency at mid quality, for brightness and colour.
_COARSE = tuple(tuple(0.022 + 0.010 * (u + v) + 0.0022 * (u + v) * (u + v) for u in range(8))
                for v in range(8))


_SHOULDER = 0.7


def develop(rgb: Tensor, n: SimpleNamespace) -> Tensor:
    """Tone and colour of pictures [N, 3, P], 0 … 1."""
    r, g, b = rgb[:, 0], rgb[:, 1], rgb[:, 2]
    r, b = r * n.balance_r, b * n.balance_b
    luma = r * 0.3 + g * 0.59 + b * 0.11
    vivid = n.colour * 0.9 + 0.45
    vivid = vivid.clamp(max=1.15) * (1.0 - n.grey)
    out = torch.stack([mix(luma, c, vivid) for c in (r, g, b)], 1)
    column = [v[:, :, None] for v in (n.exposure, n.contrast, n.gamma)]
    out = ((out * column[0] - 0.45) * column[1] + 0.45).clamp_(min=0.0)
    # A shoulder: what is too bright loses its shape by and by.
    over = (out - _SHOULDER).clamp(min=0.0)
    out = out - over + over / (over * (1.0 / (1.0 - _SHOULDER)) + 1.0)
    return out + out * (1.0 - out) * column[2]


def blur(picture: Tensor, amount: Tensor, streak: Tensor) -> Tensor:
    """Blur of pictures [N, 3, H, W] by an amount [N, 1] of 0 … 1: up to about 2 pixels.

    A streak [N, 1] is more of it across (-1) or along the picture (1): what moved.
    """
    shares = [(amount * (1.0 + way * streak).clamp(max=1.0) * 0.33)[:, :, None, None]
              for way in (-1.0, 1.0)]
    for step in (1, 2):
        for share in shares:
            picture = tap(picture, share, step).transpose(2, 3)
    return picture


def coarse(picture: Tensor, _amount: Tensor) -> Tensor:
    """Pictures of half the size, made larger again."""
    half = (picture[..., ::2, ::2] + picture[..., 1::2, ::2]
            + picture[..., ::2, 1::2] + picture[..., 1::2, 1::2]) * 0.25
    out = half.repeat_interleave(2, 2).repeat_interleave(2, 3)
    return tap(tap(out, 0.25).transpose(2, 3), 0.25).transpose(2, 3)


def _dct(x: list[Tensor]) -> list[Tensor]:
    """The 8-point cosine transform, orthonormal, by halves."""
    s, d = [x[k] + x[7 - k] for k in range(4)], [x[k] - x[7 - k] for k in range(4)]
    a, b, c, e = s[0] + s[3], s[1] + s[2], s[0] - s[3], s[1] - s[2]
    out = [(a + b) * _C[4], None, c * _C[2] + e * _C[6], None,
           (a - b) * _C[4], None, c * _C[6] - e * _C[2], None]
    for k in (1, 3, 5, 7):
        out[k] = sum(d[j] * _ODD[k][j] for j in range(4))
    return out


def _idct(f: list[Tensor]) -> list[Tensor]:
    a, b = (f[0] + f[4]) * _C[4], (f[0] - f[4]) * _C[4]
    c, e = f[2] * _C[2] + f[6] * _C[6], f[2] * _C[6] - f[6] * _C[2]
    s = [a + c, b + e, b - e, a - c]
    d = [sum(f[k] * _ODD[k][j] for k in (1, 3, 5, 7)) for j in range(4)]
    return [s[j] + d[j] for j in range(4)] + [s[j] - d[j] for j in (3, 2, 1, 0)]


# cos(k π / 16) / 2; the constant of frequency 0 is that of 4.
_C = (0.5, 0.4903926402016152, 0.46193976625564337, 0.4157348061512726, 0.35355339059327373,
      0.2777851165098011, 0.19134171618254492, 0.09754516100806412)


def _cosine(k: int) -> float:
    k %= 32
    k = min(k, 32 - k)
    return _C[k] if k < 8 else 0.0 if k == 8 else -_C[16 - k]


_ODD = {k: tuple(_cosine(k * (2 * j + 1)) for j in range(4)) for k in (1, 3, 5, 7)}


def _round_blocks(plane: Tensor, coarse: Tensor) -> Tensor:
    """A plane [N, H, W] with every 8 × 8 block's frequencies rounded to steps [N, 1, 1]."""
    count, height, width = plane.shape
    blocks = plane.reshape(count, height // 8, 8, width // 8, 8).permute(2, 4, 0, 1, 3).contiguous()
    rows = torch.stack(_dct(list(blocks)))                   # [v, x, …]
    cells = torch.stack(_dct(list(rows.transpose(0, 1))))    # [u, v, …]
    step = torch.tensor(_COARSE, device=plane.device)[:, :, None, None, None] * coarse[None, None]
    cells = (cells / step).round_() * step
    rows = torch.stack(_idct(list(cells)))                   # [x, v, …]
    blocks = torch.stack(_idct(list(rows.transpose(0, 1))))  # [y, x, …]
    return blocks.permute(2, 3, 0, 4, 1).reshape(count, height, width)


def squeeze(picture: Tensor, amount: Tensor) -> Tensor:
    """Block compression of pictures [N, 3, H, W]: brightness whole, colour at half the size."""
    r, g, b = picture[:, 0], picture[:, 1], picture[:, 2]
    coarse = (amount * amount * 4.0 + 0.3)[:, :, None]
    luma = r * 0.299 + g * 0.587 + b * 0.114
    side = luma.shape[-1]
    whole = _round_blocks(luma, coarse)
    out = [None, None]
    for k, c in enumerate((b - luma, r - luma)):
        half = (c[:, ::2, ::2] + c[:, 1::2, ::2] + c[:, ::2, 1::2] + c[:, 1::2, 1::2]) * 0.25
        if side % 16 == 0:
            half = _round_blocks(half, coarse * 1.6)
        out[k] = half.repeat_interleave(2, 1).repeat_interleave(2, 2)
    b, r = whole + out[0], whole + out[1]
    return torch.stack([r, (whole - r * 0.299 - b * 0.114) / 0.587, b], 1)


def expose(rgb: Tensor, n: SimpleNamespace, side: int) -> Tensor:
    """From the scene [N, 3, P], 0 … 1, to uint8 [N, 3, side, side]."""
    picture = develop(rgb, n).reshape(-1, 3, side, side)
    for amount, work, more in ((n.blur, blur, (n.streak,)), (n.coarse, coarse, ()),
                               (n.noise, _sparkle, (n.noise_at,)), (n.squeeze, squeeze, ())):
        at = (amount[:, 0] > 0.0).nonzero()[:, 0]
        if len(at):
            part = work(picture[at].contiguous(), amount[at], *(m[at] for m in more))
            picture[at] = part.contiguous()
    return (picture * 255.0 + 0.5).floor_().clamp_(0.0, 255.0).to(torch.uint8)


def _sparkle(picture: Tensor, amount: Tensor, start: Tensor) -> Tensor:
    """Sensor noise, a deviation of up to 0.06; more of it grey than coloured."""
    size = picture[0, 0].numel()
    rough = grain(start, 2 * size + 6)
    grey, red = rough[:, :size], rough[:, size:]
    both = torch.stack([grey + red[:, k:k + size] * 0.5 for k in (0, 3, 5)], 1)
    strength = (amount * amount * 0.05)[:, :, None, None]
    return both.reshape(picture.shape) * strength + picture
