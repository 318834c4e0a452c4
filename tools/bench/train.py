# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Ours beside a MobileFaceNet as one writes it by hand: a training step on one CPU core.

    python -m tools.bench train [--arch standard] [--batch 32] [--rounds 7]

Both have the same shape, the same ArcFace loss, AdamW and float32, start from the same seed,
and take turns. `speed` is theirs / ours in seconds: above 1 means that ours is faster.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

import efm3
from efm3.train import memory, passes
from efm3.train.heads import Head
from efm3.train.model import MobileFaceNet

CLASSES = 1000


def conv(cin: int, cout: int, k: int = 1, s: int = 1, p: int = 0, groups: int = 1,
         act: bool = True) -> nn.Sequential:
    """Convolution, BatchNorm, PReLU."""
    layers: list[nn.Module] = [nn.Conv2d(cin, cout, k, s, p, groups=groups, bias=False),
                               nn.BatchNorm2d(cout)]
    return nn.Sequential(*layers, *([nn.PReLU(cout)] if act else []))


class Bottleneck(nn.Module):
    """The peer's block."""

    def __init__(self, cin: int, cout: int, t: int, s: int) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(cin, cin * t), conv(cin * t, cin * t, 3, s, 1, cin * t),
                                  conv(cin * t, cout, act=False))
        self.add = s == 1 and cin == cout

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x) if self.add else self.body(x)


def plain(stem: int, block: int, final: int, dim: int) -> nn.Sequential:
    """The network of the paper, written down layer by layer."""
    rows = [(2, stem, 5, 2), (4, block, 1, 2), (2, block, 6, 1), (4, block, 1, 2), (2, block, 2, 1)]
    body: list[nn.Module] = [conv(3, stem, 3, 2, 1), conv(stem, stem, 3, 1, 1, stem)]
    c = stem
    for t, out, n, s in rows:
        for i in range(n):
            body.append(Bottleneck(c, out, t, s if i == 0 else 1))
            c = out
    return nn.Sequential(*body, conv(c, final), conv(final, final, 7, groups=final, act=False),
                         conv(final, dim, act=False), nn.Flatten())


class PlainArcFace(nn.Module):
    """The peer's head, as in most tutorials."""

    def __init__(self, classes: int, dim: int, s: float = 64.0, m: float = 0.5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(classes, dim) * 0.01)
        self.s, self.cos_m, self.sin_m = s, math.cos(m), math.sin(m)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        cos = functional.linear(functional.normalize(x), functional.normalize(self.weight))
        sin = (1 - cos * cos).clamp(1e-6, 1).sqrt()
        hot = functional.one_hot(y, cos.shape[1]).bool()
        return functional.cross_entropy(
            self.s * torch.where(hot, cos * self.cos_m - sin * self.sin_m, cos), y)


def stepper(net: Any, loss: Callable[[Tensor, Tensor], Tensor], x: Tensor, y: Tensor,
            parameters: list[Tensor], fused: bool) -> Callable[[], None]:
    """One training step as a call."""
    optimizer = torch.optim.AdamW(parameters, lr=1e-3, fused=fused)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss(net(x), y).backward()
        optimizer.step()
    return step


def main() -> None:
    """Run, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arch", choices=list(efm3.ARCHS), default="standard")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--compile", action="store_true", help="ours through torch.compile")
    parser.add_argument("--bf16", action="store_true", help="ours in bfloat16, another arithmetic")
    parser.add_argument("--plain-channels-last", action="store_true",
                        help="the peer with NHWC memory too, which plain code seldom asks for")
    parser.add_argument("--cpu-time", action="store_true",
                        help="processor seconds, for a shared machine")
    parser.add_argument("--json", action="store_true")
    o = parser.parse_args()
    memory.keep()
    torch.set_num_threads(1)
    passes.build()
    torch.manual_seed(0)
    arch = efm3.ARCHS[o.arch]
    x = torch.randn(o.batch, 3, 112, 112)
    y = torch.randint(0, CLASSES, (o.batch,))
    net = MobileFaceNet(arch).to(memory_format=torch.channels_last)
    head = Head("arcface", CLASSES, arch.embedding_dim)
    run: Any = torch.compile(net) if o.compile else net

    def ours(x: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=o.bf16):
            return run(x.contiguous(memory_format=torch.channels_last))
    other = plain(arch.stem_channels, arch.block_channels, arch.final_channels, arch.embedding_dim)
    plain_x = x
    if o.plain_channels_last:
        other.to(memory_format=torch.channels_last)
        plain_x = x.contiguous(memory_format=torch.channels_last)
    other_head = PlainArcFace(CLASSES, arch.embedding_dim)
    assert sum(p.numel() for p in net.parameters()) == sum(p.numel() for p in other.parameters())
    sides = {"ours": stepper(ours, lambda e, y: head(e, y)[0], x, y,
                             [*net.parameters(), *head.parameters()], True),
             "plain": stepper(other, other_head, plain_x, y,
                              [*other.parameters(), *other_head.parameters()], False)}
    clock = time.process_time if o.cpu_time else time.perf_counter
    times: dict[str, list[float]] = {name: [] for name in sides}
    for i in range(o.rounds + 1):
        for name in list(sides)[::1 if i % 2 else -1]:
            start = clock()
            sides[name]()
            times[name].append(clock() - start)
    a, b = (np.array(times[n][1:]) for n in ("ours", "plain"))
    out = {"arch": o.arch, "batch": o.batch, "rounds": o.rounds,
           "ours_images_per_s": round(o.batch / float(np.median(a)), 1),
           "plain_images_per_s": round(o.batch / float(np.median(b)), 1),
           "speed": round(float(np.median(b) / np.median(a)), 3),
           "speed_of_minima": round(float(b.min() / a.min()), 3)}
    print(json.dumps(out) if o.json else
          "\n".join(["training step, one core", *(f"  {k} {v}" for k, v in out.items())]))


if __name__ == "__main__":
    main()
