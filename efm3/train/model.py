# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The network as a PyTorch module, built from `efm3.network.layers`, in the original's naming."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from efm3 import format as fmt
from efm3.arch import Arch
from efm3.convert._original import KEYS, modules
from efm3.network import Layer, layers, tensor_layout
from efm3.train import depthwise, passes

MOMENTUM = 0.1

CHUNK = 1 << 18
"""Values per block that stay in a core's cache for several passes: 1 MiB."""


class _PReLU(torch.autograd.Function):
    """PReLU with its own backward: PyTorch's is, on a CPU, a scalar loop.

    Images are taken a few at a time, so that the second to fifth pass read from the cache.
    """

    @staticmethod
    def forward(x: Tensor, slope: Tensor) -> Tensor:
        return torch.prelu(x, slope)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        x, slope = ctx.saved_tensors
        wide = slope.view(1, -1, 1, 1)
        out, slopes = torch.empty_like(x), torch.zeros_like(slope)
        step = max(1, CHUNK // max(1, x[0].numel()))
        for g, own, to in zip(grad.split(step), x.split(step), out.split(step), strict=True):
            torch.ops.aten.threshold_backward.grad_input(g, own, 0, grad_input=to)
            below = g - to
            to.addcmul_(below, wide)
            slopes += below.mul_(own).sum((0, 2, 3))
        return out, slopes


class PReLU(nn.PReLU):
    """`nn.PReLU` with one slope per channel: same results, faster in training on a CPU."""

    def forward(self, x: Tensor) -> Tensor:
        if x.is_cuda or not torch.is_grad_enabled() or torch.compiler.is_compiling():
            return super().forward(x)
        return _PReLU.apply(x, self.weight)


class Unit(nn.Module):
    """A convolution, its BatchNorm and, where the layer has one, its PReLU."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.conv = nn.Conv2d(layer.in_channels, layer.out_channels, layer.kernel, layer.stride,
                              layer.padding, groups=layer.groups, bias=False)
        self.bn = nn.BatchNorm2d(layer.out_channels, eps=fmt.BN_EPS, momentum=MOMENTUM)
        self.act = PReLU(layer.out_channels) if layer.act else None
        nn.init.kaiming_normal_(self.conv.weight, a=0.25 if layer.act else 1.0)

    def forward(self, x: Tensor) -> Tensor:
        x = depthwise.convolved(x, self.conv) if depthwise.fit(x, self.conv) else self.conv(x)
        if passes.fit(x, self.bn):
            return passes.normalised(x, self.bn, None if self.act is None else self.act.weight)
        x = self.bn(x)
        return x if self.act is None else self.act(x)


class Block(nn.Module):
    """expand, dw, project; the input is added where the layers say so."""

    def __init__(self, expand: Layer, dw: Layer, project: Layer) -> None:
        super().__init__()
        self.expand, self.dw, self.project = Unit(expand), Unit(dw), Unit(project)
        self.residual = bool(project.residual)

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.dw(self.expand(x)))
        return x + y if self.residual else y


class MobileFaceNet(nn.Module):
    """Images [N, 3, 112, 112], (pixel - 127.5) / 128, to embeddings [N, D].

    The embeddings are not divided by their length: the heads need it, `embed` does it.
    """

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.arch = arch
        stem, dw_stem, *nested, final_conv, gdconv, embed_proj = layers(arch)
        self.stem, self.dw_stem = Unit(stem), Unit(dw_stem)
        self.stages = nn.ModuleList(Block(*nested[i:i + 3]) for i in range(0, len(nested), 3))
        self.final_conv, self.gdconv = Unit(final_conv), Unit(gdconv)
        self.embed_proj = Unit(embed_proj)

    def forward(self, x: Tensor) -> Tensor:
        x = self.dw_stem(self.stem(x))
        for block in self.stages:
            x = block(x)
        return self.embed_proj(self.gdconv(self.final_conv(x))).flatten(1)

    def embed(self, x: Tensor) -> Tensor:
        """Embeddings of length 1, float32 [N, D]."""
        return functional.normalize(self(x).float())


def tensors(model: MobileFaceNet) -> OrderedDict[str, Any]:
    """The tensors that `efm3.save` takes: float32 numpy arrays by name, copies."""
    state = model.state_dict()
    out: OrderedDict[str, Any] = OrderedDict()
    names = modules(model.arch)
    for name, _ in tensor_layout(model.arch):
        layer, part, end = name.rsplit(".", 2)
        value = state[f"{names[layer]}.{KEYS[f'{part}.{end}']}"].detach().cpu().float()
        out[name] = np.array(value.contiguous().numpy(), np.float32)
    return out
