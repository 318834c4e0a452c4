# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The head whose classes are split; beside the plain one it is run in test_parallel."""

import os
import socket

import pytest
import torch
from torch import distributed

from efm3.train.heads import Head
from efm3.train.parallel import World
from efm3.train.sharded import ShardedHead, _CrossEntropy, shares

NEEDS = ("torch",)


def test_shares_are_even_and_complete():
    assert shares(5, 2) == [3, 2] and shares(4, 4) == [1] * 4 and shares(2, 3) == [1, 1, 0]


def test_one_process_has_nothing_to_share():
    with pytest.raises(ValueError, match="start it with torchrun"):
        ShardedHead("arcface", 4, 8, World(0, 1, torch.device("cpu")))


def test_parts_are_those_of_one_head():
    """All processes draw the whole head from one seed and keep their rows."""
    torch.manual_seed(3)
    whole = Head("arcface", 5, 8).weight
    for rank, rows in ((0, slice(0, 3)), (1, slice(3, 5))):
        torch.manual_seed(3)
        head = ShardedHead("arcface", 5, 8, World(rank, 2, torch.device("cpu")))
        assert torch.equal(head.weight, whole[rows]) and torch.equal(head.part(whole), whole[rows])


@pytest.fixture
def alone(monkeypatch):
    """A group of one process, in which every reduction is what it gets."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        monkeypatch.setitem(os.environ, "MASTER_PORT", str(s.getsockname()[1]))
    monkeypatch.setitem(os.environ, "MASTER_ADDR", "127.0.0.1")
    distributed.init_process_group("gloo", rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def test_cross_entropy_over_parts_is_cross_entropy(alone):
    logits = torch.randn(4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    labels = torch.tensor([0, 5, 2, 2])
    one, two = (logits.clone().requires_grad_() for _ in range(2))
    _CrossEntropy.apply(one, labels).backward()
    want = torch.nn.functional.cross_entropy(two, labels)
    want.backward()
    assert torch.allclose(_CrossEntropy.apply(logits, labels), want)
    assert torch.allclose(one.grad, two.grad)
