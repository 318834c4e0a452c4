# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""MobileFaceNets in PyTorch as others publish them: the same network, other module trees.

Widths are small. `make` gives a network in eval mode whose BatchNorms saw some pictures.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from efm3 import reference, untrained

# The tests share the machine; more threads than cores cost far more than they give.
torch.set_num_threads(1)


def conv(cin: int, cout: int, k: int = 1, s: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(cin, cout, k, s, k // 2 if k < 7 else 0, groups=groups, bias=False)


class Add(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.inner(x)


class Named(nn.Module):
    """conv, bn and prelu as three children."""

    def __init__(self, cin: int, cout: int, k: int = 1, s: int = 1, groups: int = 1,
                 act: bool = True) -> None:
        super().__init__()
        self.conv = conv(cin, cout, k, s, groups)
        self.bn = nn.BatchNorm2d(cout)
        self.prelu = nn.PReLU(cout) if act else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.prelu(self.bn(self.conv(x)))


class NamedBlock(nn.Module):
    def __init__(self, cin: int, wide: int, cout: int, s: int = 1, residual: bool = False) -> None:
        super().__init__()
        self.conv = Named(cin, wide)
        self.conv_dw = Named(wide, wide, 3, s, wide)
        self.project = Named(wide, cout, act=False)
        self.residual = residual

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.project(self.conv_dw(self.conv(x)))
        return x + y if self.residual else y


class Chain(nn.Module):
    """Blocks under `model`, as the plain family nests them."""

    def __init__(self, c: int, wide: int, count: int) -> None:
        super().__init__()
        self.model = nn.Sequential(*[NamedBlock(c, wide, c, residual=True) for _ in range(count)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x)


class Plain(nn.Module):
    """conv1, conv2_dw, conv_23, ..., conv_6_dw, linear, bn: a Linear and a BatchNorm1d at the end.

    `view` flattens by x.view(x.size(0), -1).
    """

    def __init__(self, c: int = 8, b: int = 12, f: int = 16, d: int = 10,
                 dw_groups: int | None = None, linear_bias: bool = False) -> None:
        super().__init__()
        self.conv1 = Named(3, c, 3, 2)
        self.conv2_dw = Named(c, c, 3, 1, dw_groups or c)
        self.conv_23 = NamedBlock(c, 2 * c, c, 2)
        self.conv_3 = Chain(c, 2 * c, 4)
        self.conv_34 = NamedBlock(c, 4 * c, b, 2)
        self.conv_4 = Chain(b, 2 * b, 6)
        self.conv_45 = NamedBlock(b, 4 * b, b, 2)
        self.conv_5 = Chain(b, 2 * b, 2)
        self.conv_6_sep = Named(b, f)
        self.conv_6_dw = Named(f, f, 7, 1, f, act=False)
        self.linear = nn.Linear(f, d, bias=linear_bias)
        self.bn = nn.BatchNorm1d(d)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv_3(self.conv_23(self.conv2_dw(self.conv1(x))))
        x = self.conv_5(self.conv_45(self.conv_4(self.conv_34(x))))
        x = self.conv_6_dw(self.conv_6_sep(x))
        x = self.bn(self.linear(x.view(x.size(0), -1)))
        return x / torch.norm(x, 2, 1, keepdim=True)


class Layers(nn.Module):
    """One Sequential called `layers`, whatever is in it."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


def block(cin: int, cout: int, k: int = 1, s: int = 1, groups: int = 1, act: bool = True) -> Layers:
    return Layers(conv(cin, cout, k, s, groups), nn.BatchNorm2d(cout),
                  *([nn.PReLU(cout)] if act else []))


class Wise(Layers):
    def __init__(self, cin: int, wide: int, cout: int, s: int = 1, residual: bool = False) -> None:
        super().__init__(block(cin, wide), block(wide, wide, 3, s, wide),
                         block(wide, cout, act=False))
        self.residual = residual

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.layers(x) if self.residual else self.layers(x)


class Numbered(nn.Module):
    """layers.N..., conv_sep, features.layers; the embedding is not normalised."""

    def __init__(self, c: int = 8, b: int = 12, f: int = 16, d: int = 10,
                 affine: bool = True) -> None:
        super().__init__()

        def chain(ch: int, n: int) -> Layers:
            return Layers(*[Wise(ch, 2 * ch, ch, residual=True) for _ in range(n)])

        self.layers = nn.ModuleList([
            block(3, c, 3, 2), block(c, c, 3, 1, c), Wise(c, 2 * c, c, 2), chain(c, 4),
            Wise(c, 4 * c, b, 2), chain(b, 6), Wise(b, 4 * b, b, 2), chain(b, 2)])
        self.conv_sep = block(b, f)
        self.features = Layers(block(f, f, 7, 1, f, act=False), nn.Flatten(),
                               nn.Linear(f, d, bias=False), nn.BatchNorm1d(d, affine=affine))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for part in self.layers:
            x = part(x)
        return self.features(self.conv_sep(x))


class Flat(nn.Module):
    """One flat Sequential, residuals aside: features.0 is a convolution, features.1 its norm."""

    def __init__(self, c: int = 8, b: int = 12, f: int = 16, d: int = 10) -> None:
        super().__init__()

        def inner(cin: int, wide: int, cout: int, s: int = 1) -> nn.Sequential:
            return nn.Sequential(conv(cin, wide), nn.BatchNorm2d(wide), nn.PReLU(wide),
                                 conv(wide, wide, 3, s, wide), nn.BatchNorm2d(wide),
                                 nn.PReLU(), conv(wide, cout), nn.BatchNorm2d(cout))

        parts = [conv(3, c, 3, 2), nn.BatchNorm2d(c), nn.PReLU(c),
                 conv(c, c, 3, 1, c), nn.BatchNorm2d(c), nn.PReLU(c), inner(c, 2 * c, c, 2)]
        parts += [Add(inner(c, 2 * c, c)) for _ in range(4)] + [inner(c, 4 * c, b, 2)]
        parts += [Add(inner(b, 2 * b, b)) for _ in range(6)] + [inner(b, 4 * b, b, 2)]
        parts += [Add(inner(b, 2 * b, b)) for _ in range(2)]
        parts += [conv(b, f), nn.BatchNorm2d(f), nn.PReLU(f), conv(f, f, 7, 1, f),
                  nn.BatchNorm2d(f), conv(f, d), nn.BatchNorm2d(d), nn.Flatten()]
        self.features = nn.Sequential(*parts)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.normalize(self.features(x))


FAMILIES = {"plain": Plain, "numbered": Numbered, "flat": Flat}


def make(family: str | type[nn.Module], seed: int = 5, **shape: Any) -> nn.Module:
    """A network of the family with weights and statistics of its own, in eval mode."""
    torch.manual_seed(seed)
    net = (FAMILIES[family] if isinstance(family, str) else family)(**shape)
    for m in net.modules():
        if isinstance(m, nn.PReLU):
            nn.init.uniform_(m.weight, 0.1, 0.4)
        if isinstance(m, nn.modules.batchnorm._BatchNorm):
            m.momentum = None
            if m.affine:
                nn.init.uniform_(m.weight, 0.7, 1.3)
                nn.init.uniform_(m.bias, -0.2, 0.2)
    net.train()
    with torch.no_grad():
        net(torch.from_numpy(reference.prepare(untrained.images(seed, 8))))
    return net.eval()


def embeddings(net: nn.Module, x: NDArray[np.floating]) -> NDArray[np.float64]:
    """The network's embeddings in float64, of unit length."""
    with torch.no_grad():
        y = net.double()(torch.from_numpy(x).double())
    net.float()
    out: NDArray[np.float64] = nn.functional.normalize(y).numpy()
    return out
