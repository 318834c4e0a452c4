# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""BatchNorm and PReLU in C: PyTorch's in value, gradient and running statistics."""

import copy
import shutil
import subprocess

import pytest
import torch
from torch import nn

import efm3
from efm3.train import passes
from efm3.train.model import MobileFaceNet, PReLU

NEEDS = ("torch",)
COMPILER = next(filter(None, map(shutil.which, passes.COMPILERS)), None)
compiled = pytest.mark.skipif(COMPILER is None, reason="no C compiler")
NHWC = torch.channels_last


@pytest.fixture(scope="module")
def made():
    """The loops, compiled once for these tests."""
    kept, passes._built[:] = list(passes._built), []
    done = passes.build()
    own, passes._built[:] = list(passes._built), kept
    return own if done else []


@pytest.fixture
def loops(monkeypatch, made):
    """The loops of this process, for one test, on one thread."""
    monkeypatch.setattr(passes, "_built", [*made])
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield bool(made)
    torch.set_num_threads(threads)


def unit(channels, act):
    g = torch.Generator().manual_seed(channels)
    bn = nn.BatchNorm2d(channels)
    prelu = PReLU(channels) if act else None
    with torch.no_grad():
        for p in (*bn.parameters(), *(prelu.parameters() if prelu else ())):
            p.copy_(torch.randn(channels, generator=g))
        bn.weight += bn.weight.sign()
    return bn, prelu


def results(y, bn, prelu, ours, kind=torch.float32):
    own = y.clone(memory_format=NHWC).requires_grad_()
    slope = prelu.weight if prelu else None
    if ours:
        assert passes.fit(own, bn)
        out = passes.normalised(own, bn, slope)
    else:
        out = prelu(bn(own)) if prelu else bn(own)
    out.backward(torch.linspace(-1, 2, out.numel()).view_as(out).sin().to(kind).to(out.dtype))
    return [out.detach(), own.grad, *(p.grad for m in (bn, prelu) if m for p in m.parameters()),
            bn.running_mean, bn.running_var, bn.num_batches_tracked]


@compiled
@pytest.mark.parametrize("shape", [(3, 40, 7, 7), (2, 24, 56, 56), (1, 8, 13, 5), (9, 16, 1, 1)])
@pytest.mark.parametrize("act", [True, False])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_values_gradients_and_statistics_are_pytorchs_in_double(loops, shape, act, kind):
    y = torch.randn(shape, generator=torch.Generator().manual_seed(1)) + 3
    bn, prelu = unit(shape[1], act)
    exact = [m.double() if m else None for m in (copy.deepcopy(bn), copy.deepcopy(prelu))]
    # At PReLU's kink rounding decides between two gradients: no value lies there.
    with torch.no_grad():
        y = y.to(kind)
        near = copy.deepcopy(exact[0])(y.double()).abs() < 1e-3
        y = torch.where(near, y * 1.0625, y)
    want = results(y.double(), *exact, ours=False, kind=kind)
    have = results(y, bn, prelu, ours=True, kind=kind)
    assert len(have) == len(want)
    for h, w in zip(have, want, strict=True):
        assert h.shape == w.shape
        near = 1e-4 if h.dtype == torch.float32 else 2 ** -8
        assert (h - w).abs().max() <= near * max(1, float(w.abs().max()))


@compiled
def test_the_variance_about_a_mean_of_a_thousand_deviations(loops):
    # What sums of squares about zero would lose: 1e6 + 1 has no digits left for the 1.
    bn, _ = unit(8, False)
    y = torch.randn(64, 8, 32, 32, generator=torch.Generator().manual_seed(3)) + 1000
    y = y.contiguous(memory_format=NHWC)
    passes.normalised(y, bn, None)
    exact = 0.9 + 0.1 * y.double().var((0, 2, 3))
    assert (bn.running_var - exact).abs().max() < 1e-5


@compiled
def test_a_network_is_the_same_function_and_gives_the_same_bytes_again(loops):
    torch.manual_seed(5)
    net = MobileFaceNet(efm3.ARCHS["nano"]).to(memory_format=NHWC)
    # No kinks, at which rounding decides between two gradients; the test above has them.
    for module in net.modules():
        if isinstance(module, nn.PReLU):
            nn.init.ones_(module.weight)
    x = torch.randn(4, 3, 112, 112, generator=torch.Generator().manual_seed(2)).contiguous(
        memory_format=NHWC)
    exact, again = copy.deepcopy(net).double(), copy.deepcopy(net)
    want, have, other = exact(x.double()), net(x), again(x)
    assert (have - want).abs().max() < 1e-4 * want.abs().max()
    for out in (want, have, other):
        out.square().sum().backward()
    for (name, p), q, r in zip(net.named_parameters(), exact.parameters(), again.parameters(),
                               strict=True):
        assert torch.equal(p.grad, r.grad), name
        # Before a BatchNorm a bias of another one has a gradient of 0: only rounding is left.
        assert (p.grad - q.grad).norm() <= 1e-3 * q.grad.norm() + 1e-3, name


@compiled
def test_they_serve_only_where_they_were_made_for(loops, monkeypatch):
    bn, _ = unit(8, False)
    y = torch.randn(2, 8, 6, 6).contiguous(memory_format=NHWC)
    assert passes.fit(y, bn)
    assert not passes.fit(y.contiguous(), bn)
    assert not passes.fit(y.double(), bn)
    assert not passes.fit(y[:1, :, :1, :1], bn)
    assert not passes.fit(y, copy.deepcopy(bn).eval())
    assert not passes.fit(torch.randn(2, 5, 6, 6).contiguous(memory_format=NHWC),
                          nn.BatchNorm2d(5))
    assert not passes.fit(y.half(), bn)
    with torch.no_grad():
        assert not passes.fit(y, bn)
    torch.set_num_threads(2)
    assert not passes.fit(y, bn)
    torch.set_num_threads(1)
    monkeypatch.setattr(passes, "_built", [])
    assert not passes.fit(y, bn)


@compiled
def test_bfloat16_is_rounded_to_the_nearest_and_not_a_number_stays_none(loops):
    bn, _ = unit(8, False)
    y = torch.randn(64, 8, 16, 16, generator=torch.Generator().manual_seed(4)).bfloat16()
    y = y.contiguous(memory_format=NHWC)
    own = passes.normalised(y, bn, None)
    want = passes.normalised(y.float(), bn, None).bfloat16()
    assert own.dtype == torch.bfloat16 and torch.equal(own, want)
    y[0, 3, 0, 0] = torch.nan
    assert passes.normalised(y, bn, None)[:, 3].isnan().all()


@compiled
@pytest.mark.parametrize("source", passes.SOURCES, ids=lambda path: path.name)
def test_the_source_compiles_without_a_warning(tmp_path, source):
    subprocess.run([COMPILER, "-std=c99", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-c",
                    source, "-o", tmp_path / "made.o"], check=True)


@pytest.mark.parametrize("fault", ["none", "fails"])
def test_without_a_compiler_there_are_no_loops(monkeypatch, fault):
    monkeypatch.setattr(passes, "_built", [])
    monkeypatch.setattr(passes.shutil, "which",
                        lambda name: None if fault == "none" else "/bin/false")
    assert not passes.build()
