# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The module's names are the original's, its numbers the reference's."""


from pathlib import Path

import numpy as np
import pytest
import torch

import efm3
from efm3 import reference, untrained
from efm3.convert import read
from efm3.train.model import MobileFaceNet, PReLU, tensors

NEEDS = ("torch",)

NANO = Path(__file__).resolve().parents[1] / "data" / "nano.pt"


@pytest.fixture
def theirs():
    return torch.load(NANO, weights_only=True)


def test_the_keys_are_the_originals(theirs):
    own = MobileFaceNet(efm3.ARCHS["nano"]).state_dict()
    theirs = theirs.get("model", theirs)
    assert list(own) == list(theirs)
    assert all(own[k].shape == v.shape for k, v in theirs.items())


def test_the_originals_checkpoint_loads_strictly_and_computes_the_same(theirs):
    model = MobileFaceNet(efm3.ARCHS["nano"])
    model.load_state_dict(theirs.get("model", theirs), strict=True)
    x = reference.prepare(untrained.images(1, 2))
    with torch.inference_mode():
        have = model.eval().embed(torch.from_numpy(x)).numpy()
    want = reference.forward(read(NANO), x)
    assert np.abs(have - want).max() < 1e-5
    assert np.allclose(np.linalg.norm(have, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("name", efm3.ARCHS)
def test_every_size_has_the_layouts_tensors(name):
    arch = efm3.ARCHS[name]
    model = MobileFaceNet(arch)
    have = {k: v.shape for k, v in tensors(model).items()}
    assert have == dict(efm3.tensor_layout(arch))
    assert sum(p.numel() for p in model.parameters()) == efm3.network.parameters(arch)


def test_our_state_dict_converts_to_the_same_tensors(tmp_path):
    model = MobileFaceNet(efm3.ARCHS["nano"])
    torch.save({"model": model.state_dict(), "head": {"weight": torch.zeros(5, 256)}},
               tmp_path / "c.pt")
    found = read(tmp_path / "c.pt")
    assert all(np.array_equal(found.tensors[k], v) for k, v in tensors(model).items())


def test_prelu_is_pytorchs_in_value_and_gradient():
    g = torch.Generator().manual_seed(1)
    x = torch.randn(3, 5, 7, 7, generator=g, dtype=torch.float64)
    x[0, 0, 0, :3] = torch.tensor([0.0, -0.0, 1.0])
    ours, plain = PReLU(5).double(), torch.nn.PReLU(5).double()
    got = []
    for act in (ours, plain):
        with torch.no_grad():
            act.weight.copy_(torch.tensor([-0.5, 0.0, 0.25, 1.0, 1.5]))
        own = x.clone().requires_grad_()
        y = act(own)
        (y * torch.arange(y.numel()).view_as(y)).sum().backward()
        got.append((y.detach(), own.grad, act.weight.grad))
    assert torch.equal(got[0][0], got[1][0])
    assert torch.equal(got[0][1], got[1][1])
    torch.testing.assert_close(got[0][2], got[1][2], rtol=1e-12, atol=1e-12)
