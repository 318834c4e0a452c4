# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Depthwise convolutions for one thread of a CPU, with the loops that `passes` compiles.

The gradient by the weights is what PyTorch is slow at here: in bfloat16 it took most of a step.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from efm3.train import passes

WIDEST = 7
"""As depthwise.c has it."""


def fit(x: Tensor, conv: nn.Module) -> bool:
    """Do the loops serve for this convolution?"""
    if type(conv) is not nn.Conv2d or conv.padding == "same" or not passes.serve(x):
        return False
    (k, wide), (stride, across), (pad, beside) = conv.kernel_size, conv.stride, conv.padding
    c = conv.in_channels
    return (conv.groups == c == conv.out_channels and conv.bias is None
            and k == wide <= WIDEST and stride == across and pad == beside
            and int(pad) <= 1 and conv.dilation == (1, 1)
            and conv.padding_mode == "zeros" and conv.weight.dtype == torch.float32
            and min(x.shape[2:]) + 2 * pad >= k)


def convolved(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """What the convolution gives for x, float32 or bfloat16 [B, C, H, W], in the same type."""
    out: Tensor = _Depthwise.apply(x, conv.weight, conv.stride[0], conv.padding[0])
    return out


class _Depthwise(torch.autograd.Function):
    """x, weight, stride, padding to the convolution."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int, pad: int) -> Tensor:
        (n, c, h, w), k = x.shape, weight.shape[-1]
        oh, ow = ((side + 2 * pad - k) // stride + 1 for side in (h, w))
        ctx.same = stride == 1 and 2 * pad == k - 1
        ctx.shape = torch.tensor([n, h, w, c, k, stride, pad, oh, ow])
        flat = weight.detach()[:, 0].permute(1, 2, 0).contiguous()
        out = torch.empty((n, c, oh, ow), dtype=x.dtype, memory_format=torch.channels_last)
        passes.run("convolve", x, flat, out, ctx.shape)
        ctx.save_for_backward(x, flat)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, flat = ctx.saved_tensors
        grad = grad.contiguous(memory_format=torch.channels_last)
        total = torch.zeros(flat.shape, dtype=torch.float64)
        passes.run("by_weights", x, grad, torch.empty_like(flat), total, ctx.shape)
        out = torch.empty_like(x)
        if ctx.same:
            # The convolution with the kernel turned round, of a map of the same size.
            passes.run("convolve", grad, flat.flip(0, 1).contiguous(), out, ctx.shape)
        else:
            passes.run("by_input", grad, flat, out, ctx.shape)
        return out, total.float().permute(2, 0, 1)[:, None], None, None
