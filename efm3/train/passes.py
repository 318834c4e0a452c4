# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""BatchNorm and PReLU in four passes over memory instead of twelve: for one thread of a CPU.

Most of a step of a small network waits for memory. PyTorch reads and writes a layer's values
again for each operation; here the statistics are one pass, the map with PReLU a second, the
gradients' sums a third and the gradient a fourth, and what lies between is computed again
instead of stored. In bfloat16 there is half of that memory. `passes.c` has the loops, which the
machine's own compiler makes when a run begins; without a compiler, or on a GPU, or with several
threads, PyTorch's operations serve.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

SOURCES = tuple(Path(__file__).with_name(n) for n in ("passes.c", "depthwise.c"))
FLAGS = ("-O3", "-march=native", "-fno-trapping-math", "-fno-math-errno", "-shared", "-fPIC")
LANES = 8
"""Channels that the loops take at a time."""
COMPILERS = ("cc", "gcc", "clang")
_built: list[ctypes.CDLL] = []


def build() -> bool:
    """Compile the loops for this machine, once a process; False where that is not possible."""
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if _built or compiler is None:
        return bool(_built)
    try:
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "passes.so"
            subprocess.run([compiler, *FLAGS, "-o", target, *SOURCES], check=True,
                           capture_output=True, timeout=60)
            _built.append(ctypes.CDLL(str(target)))
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def serve(y: Tensor) -> bool:
    """Are the loops there, and are these values of a training pass that they are made for?"""
    return (bool(_built) and torch.is_grad_enabled() and not torch.compiler.is_compiling()
            and torch.get_num_threads() == 1 and y.device.type == "cpu"
            and y.dtype in (torch.float32, torch.bfloat16) and y.shape[1] % LANES == 0
            and y.is_contiguous(memory_format=torch.channels_last))


def fit(y: Tensor, bn: nn.Module) -> bool:
    """Do they serve for what this BatchNorm gets?"""
    return (serve(y) and type(bn) is nn.BatchNorm2d and bn.training
            and bn.weight.dtype == torch.float32 and y.numel() > y.shape[1])


def normalised(y: Tensor, bn: nn.BatchNorm2d, slope: Tensor | None) -> Tensor:
    """BatchNorm, then PReLU where there is a slope; moves the running statistics."""
    out, mean, variance = _Passes.apply(y, bn.weight, bn.bias, slope, bn.eps)
    count = y.numel() // y.shape[1]
    with torch.no_grad():
        bn.num_batches_tracked += 1
        bn.running_mean.lerp_(mean, bn.momentum)
        bn.running_var.lerp_(variance * (count / (count - 1)), bn.momentum)
    return out


def run(name: str, *arguments: Tensor | int) -> None:
    """A loop for the type of the first argument, on memory that begins with each."""
    first = arguments[0]
    if isinstance(first, Tensor) and first.dtype == torch.bfloat16:
        name += "_bf16"
    getattr(_built[0], name)(*(ctypes.c_size_t(a) if isinstance(a, int)
                               else ctypes.c_void_p(a.data_ptr()) for a in arguments))


class _Passes(torch.autograd.Function):
    """y, weight, bias, slope to PReLU(BatchNorm(y)), and the batch's mean and variance."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, weight: Tensor, bias: Tensor,
                slope: Tensor | None, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        c = y.shape[1]
        rows = y.numel() // c
        # About the first pixel: what is squared is then of the size of the deviation.
        shift = y[0, :, 0, 0].float()
        total = torch.zeros(2, c, dtype=torch.float64)
        run("statistics", y, rows, c, shift, weight.new_empty(2, c), total)
        moved, square = total / rows
        mean = (shift + moved).float()
        variance = (square - moved * moved).clamp_(min=0)
        inverse = torch.rsqrt(variance + eps).float()
        variance = variance.float()
        bent = torch.ones_like(weight) if slope is None else slope
        out = torch.empty_like(y)
        run("enter", y, rows, c, mean, weight * inverse, bias, bent, out)
        ctx.save_for_backward(y, weight, bias, bent, mean, inverse)
        ctx.plain = slope is None
        ctx.mark_non_differentiable(mean, variance)
        return out, mean, variance

    @staticmethod
    def backward(ctx: Any, grad: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        y, weight, bias, slope, mean, inverse = ctx.saved_tensors
        c = y.shape[1]
        rows = y.numel() // c
        grad = grad.contiguous(memory_format=torch.channels_last)
        scale = weight * inverse
        total = torch.zeros(3, c, dtype=torch.float64)
        run("sums", y, grad, rows, c, mean, scale, bias, slope,
            weight.new_empty(3, c), total)
        by_slope, by_bias, by_scale = total.float()
        level = -scale * by_bias / rows
        tilt = -scale * inverse.square() * by_scale / rows
        out = torch.empty_like(y)
        run("leave", y, grad, rows, c, mean, scale, bias, slope, level, tilt, out)
        return out, by_scale * inverse, by_bias, None if ctx.plain else by_slope, None
