# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Differences between two files: what is named, counted and measured."""

import json
import math

import numpy as np
import pytest

from efm3.conformance import sample as s
from efm3.conformance.examples import EXAMPLES, example
from efm3.diffing import diff
from efm3.scan import scan

BASE = s.base()


def compare(a, b):
    found = diff(scan(a), scan(b))
    json.dumps(found, allow_nan=False)
    assert found["identical"] == (a == b)
    return found


def tensor(a, b, name="stem.conv.w"):
    return next(t for t in compare(a, b)["tensors"] if t["name"] == name)


def test_a_file_is_identical_to_itself():
    found = compare(BASE, BASE)
    assert found["identical"] and not found["elsewhere"]
    assert not found["header"] and not found["mirror"]
    assert {t["state"] for t in found["tensors"]} == {"identical"}


def test_header_and_mirror_are_named():
    other = s.with_mirror(lambda m: m | {"meta": {"source": "x"}, "name": "other"})(
        s.field("arch.stem_stride", 1)(BASE))
    found = compare(BASE, other)
    assert ("arch.stem_stride", 2, 1) in [tuple(c.values()) for c in found["header"]]
    assert [tuple(c.values()) for c in found["mirror"]] == [
        ("json.name", "sample", "other"), ("json.meta.source", None, "x")]


def test_one_step_is_one_ulp():
    low = s.weights("stem.conv.w", 1.0, -1.0, 5.0)(BASE)
    high = s.weights("stem.conv.w", np.nextafter(np.float32(1), np.float32(2)), -1.0, 5.0)(BASE)
    t = tensor(low, high)
    assert (t["state"], t["differing"], t["max_ulp"]) == ("different", 1, 1)
    assert t["max_abs"] == 2.0 ** -23
    assert t["cosine"] == pytest.approx(1)


def test_ulp_counts_across_zero():
    tiny = np.float32(1e-45)
    t = tensor(s.weights("stem.conv.w", -tiny)(BASE), s.weights("stem.conv.w", tiny)(BASE))
    assert t["max_ulp"] == 2
    t = tensor(s.weights("stem.conv.w", -0.0)(BASE), s.weights("stem.conv.w", 0.0)(BASE))
    assert (t["differing"], t["max_ulp"], t["max_abs"]) == (1, 0, 0.0)


def test_opposite_weights_have_cosine_minus_one():
    flip = s.payload("stem.conv.w", lambda d: (-np.frombuffer(d, "<f4")).tobytes())
    assert tensor(BASE, flip(BASE), "dw_stem.conv.w")["cosine"] == pytest.approx(-1)


def test_nan_is_counted_and_kept_out_of_the_measures():
    t = tensor(BASE, s.weights("stem.conv.w", math.nan, math.inf)(BASE))
    assert (t["differing"], t["non_finite"]) == (2, 2)
    assert t["max_abs"] == 0.0 and t["cosine"] == pytest.approx(1)
    nan = s.fill("stem.conv.w", math.nan)(BASE)
    assert tensor(nan, nan)["state"] == "identical"
    assert tensor(BASE, nan, "dw_stem.conv.w")["cosine"] is None


def test_other_arch_other_shapes():
    wide = s.build(s.Arch("w", 1.0, 16, 8, 16, 8, 7, (*s.ARCH.stages[:2],
                                                     s.Stage(2, 2, 2))))
    states = {t["name"]: t["state"] for t in compare(BASE, wide)["tensors"]}
    assert states["stem.conv.w"] == "other shape"
    assert states["stage3.block1.dw.act.w"] == "only in b"
    assert states["embed_proj.bn.w"] == "identical"


def test_a_cut_tensor_is_incomplete():
    assert tensor(BASE, BASE[:-3], "embed_proj.bn.var")["state"] == "incomplete"


def test_bytes_that_nothing_names_are_spoken_of():
    assert compare(BASE, BASE + b"x")["elsewhere"]
    spaced = s.text(lambda t: t.replace(b"{", b"{ ", 1))(BASE)
    found = compare(BASE, spaced)
    assert [c["path"] for c in found["header"]] in ([], ["json_len"])
    assert found["elsewhere"] == (not found["header"])


@pytest.mark.parametrize("code", list(EXAMPLES))
def test_any_bytes_can_be_compared(code):
    data = example(code)[1]
    compare(BASE, data)
    compare(data, BASE)
    compare(data, data[:len(data) // 2])
