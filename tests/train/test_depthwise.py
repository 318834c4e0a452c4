# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Depthwise convolutions in C: PyTorch's in value and gradient."""

import copy
import shutil

import pytest
import torch
from torch import nn

import efm3
from efm3.train import depthwise, passes
from efm3.train.model import MobileFaceNet

NEEDS = ("torch",)
compiled = pytest.mark.skipif(not any(map(shutil.which, passes.COMPILERS)),
                              reason="no C compiler")
NHWC = torch.channels_last


@pytest.fixture(scope="module")
def compiled_loops():
    """The loops, compiled once for these tests."""
    kept, passes._built[:] = list(passes._built), []
    done = passes.build()
    own, passes._built[:] = list(passes._built), kept
    return own if done else []


@pytest.fixture
def loops(monkeypatch, compiled_loops):
    """The loops of this process, for one test, on one thread."""
    monkeypatch.setattr(passes, "_built", [*compiled_loops])
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield bool(compiled_loops)
    torch.set_num_threads(threads)


def made(c, k, stride, pad):
    torch.manual_seed(k)
    return nn.Conv2d(c, c, k, stride, pad, groups=c, bias=False)


def picture(n, c, h, w, kind):
    x = torch.randn(n, c, h, w, generator=torch.Generator().manual_seed(h))
    return x.to(kind).contiguous(memory_format=NHWC)


# Batch, channels, height, width, kernel, stride, padding: the networks' own, and their edges.
SHAPES = [(3, 24, 56, 56, 3, 1, 1), (3, 24, 56, 56, 3, 2, 1), (2, 16, 13, 9, 3, 1, 1),
          (2, 16, 9, 13, 3, 2, 1), (2, 8, 1, 1, 3, 1, 1), (2, 8, 1, 3, 3, 2, 1),
          (2, 8, 2, 2, 3, 2, 1), (2, 8, 9, 9, 3, 3, 1), (2, 8, 9, 9, 3, 1, 0),
          (4, 40, 7, 7, 7, 1, 0), (2, 8, 9, 8, 7, 1, 0), (2, 8, 6, 6, 5, 2, 1)]


@compiled
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_values_and_gradients_are_pytorchs_in_double(loops, shape, kind):
    *size, k, stride, pad = shape
    x, conv = picture(*size, kind).requires_grad_(), made(size[1], k, stride, pad)
    assert depthwise.fit(x, conv)
    have = depthwise.convolved(x, conv)
    exact, wide = copy.deepcopy(conv).double(), x.detach().double().requires_grad_()
    want = exact(wide)
    grad = torch.randn(want.shape, generator=torch.Generator().manual_seed(2)).to(kind)
    have.backward(grad)
    want.backward(grad.double())
    # The sums are float32's; what is given back is rounded to its type once.
    rounded = 1e-6 if kind == torch.float32 else 2 ** -8
    for one, two, near in ((have, want, rounded), (x.grad, wide.grad, rounded),
                           (conv.weight.grad, exact.weight.grad, 1e-6)):
        assert one.shape == two.shape
        assert (one - two).abs().max() <= near * two.abs().max()
    assert have.dtype == x.grad.dtype == kind and conv.weight.grad.dtype == torch.float32


@compiled
def test_the_sums_of_a_large_batch_lose_nothing(loops):
    # In float32 a sum of 100,352 squares of about 1 ends 1e-3 off.
    conv = made(8, 3, 1, 1)
    x = picture(32, 8, 56, 56, torch.float32) + 1
    depthwise.convolved(x.contiguous(memory_format=NHWC), conv).sum().backward()
    exact = copy.deepcopy(conv).double()
    exact.weight.grad = None
    exact(x.double()).sum().backward()
    assert (conv.weight.grad / exact.weight.grad - 1).abs().max() < 2e-6


@compiled
def test_not_a_number_is_passed_on(loops):
    x, conv = picture(1, 8, 6, 6, torch.bfloat16), made(8, 3, 1, 1)
    x[0, 2, 0, 0] = torch.nan
    out = depthwise.convolved(x, conv)
    assert out[0, 2, :2, :2].isnan().all() and out.isnan().sum() == 4


@compiled
def test_they_serve_only_where_they_were_made_for(loops):
    x = picture(1, 8, 6, 6, torch.float32)
    assert depthwise.fit(x, made(8, 3, 1, 1))
    other = [made(8, 9, 1, 0), made(8, 3, 1, 2), made(8, 7, 1, 0), nn.Conv2d(8, 8, 3),
             nn.Conv2d(8, 16, 3, groups=8), nn.Conv2d(8, 8, 3, groups=8),
             nn.Conv2d(8, 8, 3, groups=8, bias=False, dilation=2), made(8, 3, 1, 1).double(),
             nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False, padding_mode="reflect"),
             nn.Conv2d(8, 8, 3, padding="same", groups=8, bias=False),
             nn.Conv2d(8, 8, (3, 1), groups=8, bias=False), nn.Linear(8, 8)]
    assert not any(depthwise.fit(x, conv) for conv in other)
    assert not depthwise.fit(x.contiguous(), made(8, 3, 1, 1))
    assert not depthwise.fit(picture(1, 5, 6, 6, torch.float32), made(5, 3, 1, 1))
    with torch.no_grad():
        assert not depthwise.fit(x, made(8, 3, 1, 1))


@compiled
def test_under_autocast_a_network_learns_what_it_does_in_float32(loops):
    torch.manual_seed(5)
    net = MobileFaceNet(efm3.ARCHS["nano"]).to(memory_format=NHWC)
    x = picture(16, 3, 112, 112, torch.float32)
    wanted = torch.randn(16, 256)
    found = []
    for half in (False, True):
        own = copy.deepcopy(net)
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            out = own(x)
        (out.float() * wanted).mean().backward()
        assert out.dtype == (torch.bfloat16 if half else torch.float32)
        found.append(torch.cat([p.grad.flatten() for p in own.parameters() if p.ndim > 1]))
    assert torch.nn.functional.cosine_similarity(*found, dim=0) > 0.95
