# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The schedule's corners and the sampler's promises."""


import pytest

from efm3.train.sampler import Batches, mix
from efm3.train.schedule import FLOOR, margin, rate

NEEDS = ("torch",)


def test_rate_rises_then_falls():
    rates = [rate(s, 100, 10, 2.0) for s in range(100)]
    assert rates[0] == 0.2 and rates[9] == 2.0 and rates[10] == 2.0
    assert rates[:10] == sorted(rates[:10]) and rates[10:] == sorted(rates[10:], reverse=True)
    assert rate(55, 100, 10, 2.0) == pytest.approx(2.0 * (FLOOR + (1 - FLOOR) / 2))
    assert rate(100, 100, 10, 2.0) == pytest.approx(2.0 * FLOOR)


def test_rate_without_warm_up_and_with_nothing_else():
    assert rate(0, 5, 0, 1.0) == 1.0
    assert rate(4, 5, 5, 1.0) == 1.0


def test_margin_grows():
    assert [margin(s, 4, 0.5) for s in (0, 1, 4, 9)] == [0.0, 0.125, 0.5, 0.5]
    assert margin(0, 0, 0.5) == 0.5


def test_an_epoch_takes_each_image_once_and_each_epoch_another_order():
    b = Batches(23, 5, seed=1)
    b.start(0)
    first = [i for batch in b for i in batch]
    b.start(1)
    second = [i for batch in b for i in batch]
    assert len(first) == len(set(first)) == 20 and b.steps == 4 and len(b) == 4
    assert first != second
    assert first != [i for batch in Batches(23, 5, seed=2) for i in batch]


def test_the_middle_of_an_epoch_is_its_rest():
    b = Batches(23, 5, seed=1)
    whole = list(b)
    b.start(0, 2)
    assert list(b) == whole[2:] and len(b) == 2


def test_ranks_share_an_epoch_without_overlap():
    ranks = [list(Batches(24, 4, 1, r, 3)) for r in range(3)]
    seen = [i for r in ranks for batch in r for i in batch]
    assert sorted(seen) == list(range(24)) and {len(r) for r in ranks} == {2}
    one = list(Batches(24, 12, 1))
    assert [a + b + c for a, b, c in zip(*ranks, strict=True)] == one


def test_too_few_images_are_refused():
    with pytest.raises(ValueError, match="3 images fill no step of 4"):
        Batches(3, 2, 1, 0, 2)


def test_mix_is_fixed_and_spreads():
    assert mix(1, 2) != mix(2, 1) and mix(0) != mix(0, 0)
    assert len({mix(1, i) for i in range(1000)}) == 1000
    assert all(0 <= mix(i) < 2**63 for i in range(100))
    assert mix(1, 2, 3) == 3851293329796251419
