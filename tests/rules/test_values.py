# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Where a rule on values says that something is, what it says, and from which value on."""

import math

import numpy as np
import pytest

import efm3
from efm3.conformance import sample
from efm3.network import tensor_layout
from efm3.scan import scan

LAYOUT = dict(tensor_layout(sample.ARCH))


def written(change):
    """The sample file; `change` is given its tensors as arrays by name."""
    tensors = {n: np.frombuffer(sample.values(n, math.prod(s)), "<f4").reshape(s).copy()
               for n, s in LAYOUT.items()}
    change(tensors)
    return sample.build(table=[(n, v.tobytes()) for n, v in tensors.items()])


def findings(code, change):
    """The findings of a rule: offset in its tensor, length, path, message, found, expected."""
    data = written(change)
    starts = {t.name: t.data_offset for t in scan(data).tensors}
    return [(f.offset - starts[f.path.partition("[")[0]], f.length, f.path, f.message, f.found,
             f.expected) for f in efm3.validate(data, select=[code]).findings]


def setting(name, place, value):
    def change(tensors):
        tensors[name][place] = value
    return change


def test_a_value_and_its_place():
    def change(tensors):
        tensors["stem.conv.w"][1, 2, 0, 1] = tensors["stem.conv.w"][3, 0, 0, 0] = np.nan
    assert findings("V002", change) == [
        (4 * (27 + 18 + 1), 4, "stem.conv.w[1,2,0,1]", "stem.conv.w: 2 of 216 values are NaN",
         "nan", "a finite number")]


@pytest.mark.parametrize("count,more", [(20, ""), (21, " (21 tensors in all)")])
def test_twenty_tensors_are_shown(count, more):
    def change(tensors):
        for name in list(tensors)[:count]:
            tensors[name].reshape(-1)[0] = np.inf
    found = findings("V003", change)
    assert len(found) == 20 and len(LAYOUT) > 21
    assert all(f[3].endswith(f"values are infinite{more}") for f in found)


def test_swapped_bytes_are_shown_at_the_first_variance():
    def change(tensors):
        tensors["stem.bn.var"][:2] = 1.5, 2.5
        for v in tensors.values():
            v.byteswap(inplace=True)
    little = np.frombuffer(np.array([1.5], ">f4").tobytes(), "<f4")[0]
    assert findings("V001", change) == [
        (0, 4, "stem.bn.var[0]", "the weights are big-endian", f"{little:.9g}", "1.5")]


def test_channels_of_zeros():
    def some(tensors):
        tensors["stem.conv.w"][[2, 5, 6, 7]] = 0

    def every(tensors):
        tensors["stem.conv.w"][:] = tensors["dw_stem.bn.w"][:] = 0
    assert findings("V007", some) == [
        (2 * 108, 108, "stem.conv.w[2]", "stem.conv.w: 4 of 8 channels are all zero", "0",
         "some weight")]
    assert findings("V008", some) == findings("V007", every) == []
    assert findings("V008", every) == [
        (0, 864, "stem.conv.w", "stem.conv.w: all values are zero", "0", "some weight"),
        (0, 32, "dw_stem.bn.w", "dw_stem.bn.w: all values are zero", "0", "some weight")]


def test_layers_that_do_nothing():
    def change(tensors):
        for name, values in tensors.items():
            if ".bn." in name:
                values[:] = name.endswith(("bn.w", "bn.var"))
        tensors["dw_stem.act.w"][:] = 1
        tensors["stem.conv.w"][:] = 0.5
    assert findings("V014", change) == [
        (0, 32, "stem.bn.w", "every BatchNorm is the identity", "", "")]
    assert findings("V012", change) == [
        (0, 32, "dw_stem.act.w", "dw_stem.act.w: every slope is 1", "1", "slopes below 1")]
    assert findings("V015", change) == [
        (0, 864, "stem.conv.w", "stem.conv.w: every weight is 0.5", "0.5", "varied weights")]


@pytest.mark.parametrize("code,name,limit", [
    ("V006", "stem.bn.var", 1e8), ("V010", "stem.conv.w", 1e4), ("V010", "stem.bn.b", 1e4),
    ("V010", "stem.bn.mean", 1e4), ("V010", "stem.bn.w", 1e4), ("V011", "stem.act.w", 4)])
def test_a_limit_is_still_allowed(code, name, limit):
    place = (1,) * len(LAYOUT[name])
    above = np.nextafter(np.float32(limit), np.float32(np.inf))
    for sign in (1, -1) if code != "V006" else (1,):
        assert findings(code, setting(name, place, sign * limit)) == []
        ((at, _, path, _, found, _),) = findings(code, setting(name, place, sign * above))
        assert at == 4 * np.ravel_multi_index(place, LAYOUT[name])
        assert path.startswith(name) and found == f"{sign * above:.9g}"


@pytest.mark.parametrize("weight,channels", [(99, 0), (-99, 0), (101, 1), (-101, 1)])
def test_a_channel_that_is_scaled(weight, channels):
    """By a weight over the root of the variance and 1e-5, which is a hundredth here."""
    def change(tensors):
        tensors["stem.bn.w"][3], tensors["stem.bn.var"][3] = weight, 9e-5
    found = findings("V013", change)
    assert len(found) == channels
    assert [f[:4] for f in found] == [
        (12, 4, "stem.bn.var[3]", "1 channels are scaled by more than 1e4")][:channels]
