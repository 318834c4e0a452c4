# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Figures of float32 values: with numpy and without the same, to the last bit."""

import math
import struct
import sys
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from efm3 import floats
from efm3.floats import BINS, Difference, Statistics, difference, statistics, total
from tests.strategies import FINITE, OTHERS

words = st.lists(st.sampled_from((*FINITE, *OTHERS)) | st.integers(0, 0xFFFFFFFF), max_size=150)


def raw(values):
    return memoryview(struct.pack(f"<{len(values)}I", *values))


def both(function, *args):
    """What the two give, which must be the same to the sign of a zero."""
    quick = function(*args)
    with patch("efm3.floats.library", lambda: None):
        plain = function(*args)
    assert repr(tuple(quick)) == repr(tuple(plain))
    return plain


@given(words, st.integers(0, 3))
def test_statistics_of_any_values(values, rest):
    data = memoryview(bytes(raw(values)) + bytes(rest))
    found = both(statistics, data)
    with np.errstate(invalid="ignore"):  # a signalling NaN
        exact = np.frombuffer(data, "<f4", len(values)).astype(np.float64)
    good = exact[np.isfinite(exact)]
    assert (found.nan, found.inf) == (np.isnan(exact).sum(), np.isinf(exact).sum())
    assert sum(found.histogram) == len(good)
    if len(good):
        assert (found.min, found.max) == (good.min(), good.max())
        assert math.isclose(found.mean, math.fsum(good) / len(good),
                            abs_tol=1e-12 * abs(good).max())
        assert len(found.histogram) == BINS


@given(words, st.data())
def test_difference_of_any_values(values, more):
    other = [more.draw(st.sampled_from((w, w ^ 1, w ^ 1 << 31, 0))) if i < 20 else w
             for i, w in enumerate(values)]
    found = both(difference, raw(values), raw(other))
    assert found.differing == sum(a != b for a, b in zip(values, other, strict=True))


@pytest.mark.parametrize("count", [1, 7, 8, 9, 127, 128, 129, 136, 137, 1000, 8192, 8193, 20001])
def test_a_sum_has_numpy_s_order(count):
    rng = np.random.default_rng(count)
    for _ in range(3):
        values = rng.standard_normal(count) * 10.0 ** rng.integers(-6, 6, count)
        assert total(values.tolist()) == float(np.add.reduce(values))


def test_a_long_tensor():
    rng = np.random.default_rng(1)
    a = rng.standard_normal(5000).astype("<f4")
    b = a + rng.standard_normal(5000).astype("<f4") * 1e-3
    both(statistics, memoryview(a.tobytes()))
    found = both(difference, memoryview(a.tobytes()), memoryview(b.astype("<f4").tobytes()))
    assert 0.99 < found.cosine < 1 and found.max_ulp > 1000


def test_nothing_finite_has_no_figures():
    assert both(statistics, raw([0x7f800000, 0xffc00000])) == Statistics(1, 1)
    assert both(statistics, raw([])) == Statistics(0, 0)
    assert both(difference, raw([0x7f800000, 0]), raw([0, 0x7f800000])) == Difference(2, 2)


def test_zeros_have_no_direction():
    assert both(difference, raw([0, 0]), raw([1 << 31, 0])) == Difference(1, 0, 0.0, 0, None)


def test_of_two_zeros_the_least_is_the_plain_one():
    assert repr(both(statistics, raw([1 << 31, 0])).min) == "0.0"
    assert repr(both(statistics, raw([1 << 31])).max) == "0.0"


def of(*values):
    return memoryview(struct.pack(f"<{len(values)}f", *values))


def test_a_histogram_is_what_it_counts():
    """Sixteen bins from the least to the greatest, which is in the last one."""
    found = both(statistics, of(*range(-8, 9), 4.5))
    assert list(found.histogram) == [1] * 12 + [2, 1, 1, 2]
    assert both(statistics, of(3, 3)).histogram == [2] + [0] * 15


@pytest.mark.parametrize("a,b,cosine", [
    ((3e-20, 4e-20), (4e-20, 3e-20), 0.96), ((1, 1, 1), (1, 1, 1), 1), ((1, 0), (0, 1), 0),
    ((1, 1, 1), (-1, -1, -1), -1)])
def test_a_cosine_is_one_at_most(a, b, cosine):
    """Also where the length of (1, 1, 1), squared, is a bit less than three."""
    found = both(difference, of(*a), of(*b)).cosine
    assert found == cosine if cosine in (-1, 0, 1) else math.isclose(found, cosine, rel_tol=1e-6)


def test_without_numpy_it_is_not_asked_for(monkeypatch):
    monkeypatch.setitem(sys.modules, "numpy", None)
    with patch("efm3.floats.library", lambda: None):
        assert statistics(of(1, 2)).mean == 1.5
        assert difference(of(1, 2), of(1, 4)).max_abs == 2


def test_no_numpy_is_none(monkeypatch):
    floats.library.cache_clear()
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "numpy", None)
        assert floats.library() is None
    floats.library.cache_clear()
    assert floats.library() is np
