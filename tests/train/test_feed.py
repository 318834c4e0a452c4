# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Batches out of sources by index and out of streams."""


import pytest
import torch
from torch.utils.data import IterableDataset

from efm3.train import feed
from efm3.train.sampler import Batches

NEEDS = ("torch",)


class Counted(IterableDataset):
    """Gives `gives` pictures an epoch, whose label is epoch·100 + number."""

    name, classes = "counted", 10 ** 9

    def __init__(self, gives):
        self.gives = gives

    def set_epoch(self, epoch, done, batch):
        self.epoch, self.behind = epoch, done * batch

    def __iter__(self):
        for i in range(self.behind, self.gives):
            yield torch.zeros(3, 112, 112, dtype=torch.uint8), self.epoch * 100 + i


def labels(source, first=0, epoch=2):
    batches = Batches(12, 4, seed=1)
    batches.start(epoch, first)
    return [y.tolist() for _, y in feed.loader(source, batches, 0, False)]


def test_a_stream_gives_an_epoch_and_its_rest():
    whole = labels(Counted(12))
    assert whole == [[200, 201, 202, 203], [204, 205, 206, 207], [208, 209, 210, 211]]
    assert labels(Counted(12), first=2) == whole[2:]


def test_a_stream_that_ends_early_goes_on_in_another_order():
    far = (2 + feed.FAR) * 100
    assert labels(Counted(9))[2] == [far, far + 1, far + 2, far + 3]
    assert len(labels(Counted(50))) == 3


def test_a_stream_without_one_batch_is_refused():
    with pytest.raises(ValueError, match="counted does not give one batch of 4"):
        labels(Counted(3))


def test_scale_is_the_engines():
    x = torch.tensor([0, 127, 128, 255], dtype=torch.uint8)
    assert feed.scale(x, None).tolist() == [-127.5 / 128, -0.5 / 128, 0.5 / 128, 127.5 / 128]


def test_a_steps_random_numbers_hang_on_seed_step_and_rank():
    cpu = torch.device("cpu")

    def draw(*key):
        return torch.rand(3, generator=feed.generator(cpu, *key)).tolist()
    assert draw(1, 2, 3) == draw(1, 2, 3)
    assert len({tuple(draw(*k)) for k in [(1, 2, 3), (1, 3, 2), (2, 2, 3), (1, 2, 4)]}) == 4


def test_a_mixed_up_batch_is_refused():
    x, y = torch.zeros(2, 3, 112, 112, dtype=torch.uint8), torch.tensor([0, 1])
    source = Counted(4)
    feed.check(x, y, source)
    for images, numbers in ((x.float(), y), (x[:1], y), (x[:, :1], y), (x, y - 1)):
        with pytest.raises(ValueError, match="counted"):
            feed.check(images, numbers, source)
