# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Which images a batch holds."""

import pytest

from efm3.train.sampler import Batches, mix


@pytest.fixture
def shuffles():
    """The order of an epoch is PyTorch's."""
    pytest.importorskip("torch", reason="torch not installed (make test-extras runs this)")


def test_an_epoch_takes_each_image_once_and_each_epoch_another_order(shuffles):
    b = Batches(23, 5, seed=1)
    b.start(0)
    first = [i for batch in b for i in batch]
    b.start(1)
    second = [i for batch in b for i in batch]
    assert len(first) == len(set(first)) == 20 and b.steps == 4 and len(b) == 4
    assert first != second
    assert first != [i for batch in Batches(23, 5, seed=2) for i in batch]


def test_the_middle_of_an_epoch_is_its_rest(shuffles):
    b = Batches(23, 5, seed=1)
    whole = list(b)
    b.start(0, 2)
    assert list(b) == whole[2:] and len(b) == 2


def test_ranks_share_an_epoch_without_overlap(shuffles):
    ranks = [list(Batches(24, 4, 1, r, 3)) for r in range(3)]
    seen = [i for r in ranks for batch in r for i in batch]
    assert sorted(seen) == list(range(24)) and {len(r) for r in ranks} == {2}
    one = list(Batches(24, 12, 1))
    assert [a + b + c for a, b, c in zip(*ranks, strict=True)] == one


def test_too_few_images_are_refused():
    with pytest.raises(ValueError, match="3 images fill no step of 4"):
        Batches(3, 2, 1, 0, 2)
    assert Batches(4, 2, 1, 0, 2).steps == 1


def test_the_steps_of_an_epoch():
    """Images that fill no step wait: 47 for three ranks of 5 are three steps."""
    b = Batches(47, 5, seed=1, rank=2, world=3)
    assert b.steps == len(b) == 3 and (b.epoch, b.first) == (0, 0)
    b.start(4, 2)
    assert b.steps == 3 and len(b) == 1 and (b.epoch, b.first) == (4, 2)
    b.start(5)
    assert len(b) == 3 and (b.epoch, b.first) == (5, 0)


def test_mix_is_fixed_and_spreads():
    assert mix(1, 2) != mix(2, 1) and mix(0) != mix(0, 0)
    assert len({mix(1, i) for i in range(1000)}) == 1000
    assert all(0 <= mix(i) < 2**63 for i in range(100))
    assert mix(1, 2, 3) == 3851293329796251419
