# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Rewrites that move Transpose and Reshape: each keeps the function, and does its work."""

import numpy as np
import pytest

from efm3.convert.graph import layout
from tests.convert.graph.small import Draw, kept, ops

BACK = (0, 3, 1, 2)


def twice(d):
    return d.op("Transpose", d.to_last(d.x), perm=(0, 2, 3, 1))


def there_and_back(d):
    return d.op("Transpose", d.to_last(d.x), perm=BACK)


def ones(d):
    return d.to_last(d.conv(d.x, kernel=6))


def reshapes(d):
    return d.b.reshape(d.b.reshape(d.x, (2, -1), "a"), (2, 4, 36), "b")


def each(d):
    y = d.op("PRelu", d.to_last(d.x), d.const(4))
    y = d.op("Where", d.op("Greater", y, d.value(0.0)), y, d.op("Mul", y, d.const(1, 6, 1)))
    return d.op("Transpose", d.op("Add", d.op("Abs", y), d.to_last(d.x)), perm=BACK)


def padded(d):
    y = d.op("Pad", d.to_last(d.x), pads=[(0, 0), (1, 2), (3, 0), (0, 0)], value=1.5,
             mode="constant")
    return d.op("Transpose", y, perm=BACK)


def part(d):
    y = d.op("Slice", d.to_last(d.x), axis=3, start=3, stop=None, step=-1)
    return d.op("Transpose", d.op("Gather", y, d.value([2, 0]), axis=3), perm=BACK)


def joined(d):
    y = d.op("Concat", d.to_last(d.x), d.to_last(d.op("Neg", d.x)), axis=3)
    return d.op("Transpose", y, perm=BACK)


def reduced(d):
    y = d.op("ReduceSum", d.to_last(d.x), axes=(1, 2), keepdims=True)
    return d.op("Transpose", y, perm=BACK)


def reduced_away(d):
    return d.op("ReduceMax", d.op("Transpose", d.x, perm=(0, 3, 2, 1)), axes=(2,), keepdims=False)


def mean_of_one(d):
    return d.op("ReduceMean", d.conv(d.x, kernel=6), axes=(2, 3), keepdims=False)


def each_flat(d):
    y = d.b.reshape(d.conv(d.x, kernel=6), (2, 4), "flat")
    other = d.b.reshape(d.op("Neg", d.conv(d.x, kernel=6)), (2, 4), "flat")
    return d.op("Add", d.op("PRelu", d.op("Mul", y, d.const(1, 4)), d.const(4)), other)


def norm_flat(d):
    return d.norm(d.b.reshape(d.conv(d.x, kernel=6), (2, 4), "flat"))


def dense_flat(d):
    return d.op("Dense", d.b.reshape(d.conv(d.x, kernel=6), (2, 4), "flat"), d.const(5, 4),
                d.const(5))


def dense_vector(d):
    return d.op("Dense", d.b.reshape(d.op("ReduceMax", d.x, axes=(2, 3), keepdims=False), (2, 4),
                                     "flat"), d.const(5, 4))


def dense_last(d):
    return d.op("Transpose", d.op("Dense", d.to_last(d.x), d.const(5, 4)), perm=BACK)


def slices(d):
    parts = [d.op("Slice", d.x, axis=1, start=i, stop=i + 1, step=1) for i in (3, 1, 0, 2)]
    return d.op("Concat", *parts, axis=1)


CASES = {
    layout.transpose_of_transpose: (twice, ["Transpose"]),
    layout.transpose_of_nothing: (there_and_back, []),
    layout.transpose_of_ones: (ones, ["Conv", "Reshape"]),
    layout.reshape_of_reshape: (reshapes, ["Reshape"]),
    layout.each_of_transpose: (each, ["Abs", "Add", "Greater", "Mul", "PRelu", "Where"]),
    layout.pad_of_transpose: (padded, ["Pad"]),
    layout.part_of_transpose: (part, ["Gather", "Slice"]),
    layout.concat_of_transposes: (joined, ["Concat", "Neg"]),
    layout.reduce_of_transpose: (reduced, ["ReduceSum"]),
    layout.reduce_of_ones: (mean_of_one, ["Conv", "Reshape"]),
    layout.each_of_reshape: (each_flat, ["Add", "Conv", "Conv", "Mul", "Neg", "PRelu", "Reshape"]),
    layout.norm_of_reshape: (norm_flat, ["BatchNorm", "Conv", "Reshape"]),
    layout.dense_of_reshape: (dense_flat, ["Conv", "Conv", "Reshape"]),
    layout.dense_of_transpose: (dense_last, ["Conv"]),
    layout.slices_to_gather: (slices, ["Gather"]),
}


@pytest.mark.parametrize("rule", CASES, ids=lambda r: r.__name__)
@pytest.mark.parametrize("seed", range(3))
def test_a_rewrite_keeps_the_function(rule, seed):
    make, want = CASES[rule]
    d = Draw(seed)
    assert ops(kept(d.graph(make(d)), layout.upright, seed)) == want


def test_channels_apart_in_nhwc_are_a_map_again():
    d = Draw(0)
    y = d.to_last(d.x)
    parts = [d.op("Abs", d.op("Slice", y, axis=3, start=i, stop=i + 1, step=1)) for i in (2, 0)]
    y = d.op("Pad", d.op("Concat", *parts, axis=3), pads=[(0, 0), (1, 0), (0, 1), (0, 0)],
             value=0.0, mode="constant")
    after = kept(d.graph(d.op("Transpose", y, perm=BACK)), layout.upright)
    assert "Transpose" not in ops(after) and "Reshape" not in ops(after)


def test_every_rule_has_its_case():
    assert {r for rules in layout.RULES.values() for r in rules} == set(CASES)


@pytest.mark.parametrize("make", [reduced_away, dense_vector])
def test_other_forms_keep_the_function(make):
    d = Draw(1)
    kept(d.graph(make(d)), layout.upright)


def test_a_picture_in_nhwc_becomes_nchw():
    d = Draw(0, (2, 6, 6, 3))
    x = d.op("Transpose", d.op("Mul", d.x, d.const(3)), perm=BACK)
    after = kept(d.graph(d.to_last(d.conv(x))), layout.upright)
    assert after.input.shape == (2, 3, 6, 6)
    assert ops(after) == ["Conv", "Mul", "Transpose"]


def test_what_does_not_commute_is_left():
    """A constant that widens the map, a map written out beyond the bound, unlike Transposes."""
    d = Draw(0)
    wider = d.op("Add", d.b.reshape(d.x, (2, 4, 36), "r"), d.const(3, 1, 1, 36))
    assert ops(kept(d.graph(wider), layout.upright)) == ["Add", "Reshape"]
    d = Draw(0)
    unlike = d.op("Add", d.to_last(d.x), d.op("Transpose", d.x, perm=(0, 3, 2, 1)))
    assert "Add" in ops(kept(d.graph(unlike), layout.upright))
    d = Draw(0, (2, 4, 200, 200))
    big = d.op("Add", d.b.reshape(d.x, (2, 160000), "r"), d.value(np.arange(160000.0)))
    assert "Reshape" in ops(kept(d.graph(big), layout.upright))
