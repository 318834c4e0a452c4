# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The corners of the schedules of learning rate and margin."""


import pytest

from efm3.train.schedule import FLOOR, margin, rate


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
