# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The corners of the schedules of learning rate and margin."""


import pytest

from efm3.train.config import Config
from efm3.train.schedule import in_steps, margin, rate, total


def test_rate_rises_then_falls():
    rates = [rate(s, 100, 10, 2.0) for s in range(100)]
    assert rates[0] == 0.2 and rates[9] == 2.0 and rates[10] == 2.0
    assert rates[:10] == sorted(rates[:10]) and rates[10:] == sorted(rates[10:], reverse=True)
    # A hundredth of the peak is left at the end, and half of the rest is gone in the middle.
    assert rate(55, 100, 10, 2.0) == pytest.approx(2.0 * 0.505)
    assert rate(100, 100, 10, 2.0) == pytest.approx(0.02)
    assert rate(25, 100, 0, 1.0) == pytest.approx(0.01 + 0.99 * (2 + 2 ** 0.5) / 4)


def test_rate_stays_where_it_ended():
    assert rate(130, 100, 10, 2.0) == rate(1000, 100, 10, 2.0) == pytest.approx(0.02)


def test_rate_without_warm_up_and_with_nothing_else():
    assert rate(0, 5, 0, 1.0) == 1.0
    assert rate(4, 5, 5, 1.0) == rate(5, 5, 5, 1.0) == 1.0
    assert rate(4, 5, 4, 1.0) == 1.0 and rate(5, 5, 4, 1.0) == pytest.approx(0.01)


def test_lengths_in_steps():
    assert total(Config(epochs=3), 40) == 120 and total(Config(epochs=3, steps=7), 40) == 7
    assert (in_steps(0.3, 7), in_steps(1.0, 7), in_steps(2.5, 7), in_steps(0.0, 7)) == (2, 7, 18, 0)


def test_margin_grows():
    assert [margin(s, 4, 0.5) for s in (0, 1, 4, 9)] == [0.0, 0.125, 0.5, 0.5]
    assert margin(0, 0, 0.5) == 0.5
