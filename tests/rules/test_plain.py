# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The value rules with numpy and without it: the same findings of any file."""

import json
import struct
import sys
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from efm3 import rules
from efm3.conformance import sample
from efm3.conformance.cases import corpus
from efm3.network import tensor_layout
from efm3.rules import _stats as s
from efm3.rules._context import Context
from efm3.rules._plain import OPEN, SURE, PlainStats, PlainValues, _array, single, table_of
from efm3.rules._quick import QuickStats, QuickValues
from efm3.scan import scan
from tests.strategies import FINITE, OTHERS, damaged, files

LIMITS = (1e4, 1e8, 4.0, 1.0, 8192.0, 2.0 ** -126)
KINDS = (s.NAN, s.INFINITE, s.NOT_FINITE, s.SUBNORMAL, s.ZERO, s.NEGATIVE, s.ONE,
         s.between(1e-12, 1e9), *(f(x) for f in (s.over, s.beyond) for x in LIMITS))
EDGES = sorted({max(w + d, 0) for k in KINDS for w in (k.low, k.high) for d in (-1, 0, 1)}
               | {*FINITE, *OTHERS})
words = st.lists(st.sampled_from([w & s.MAGNITUDE | sign for w in EDGES for sign in (0, 1 << 31)])
                 | st.integers(0, 0xFFFFFFFF), min_size=1, max_size=40)


def same(data):
    """The codes of what both find, which is the same text; other rules have one way alone."""
    scanned, out = scan(data), []
    if not scanned.complete:
        return set()
    for table in (QuickStats, PlainStats):
        with patch("efm3.rules._context.backend", lambda table=table: table):
            out.append(json.dumps([f.to_json() for f in rules.run(scanned, select=("V",))]))
    assert out[0] == out[1]
    return {f["code"] for f in json.loads(out[1])}


def test_every_case_of_the_kit():
    met = {code for case in corpus() if case.kind == "reader" for code in same(case.data())}
    assert met == {f"V{n:03}" for n in range(1, 16)}


@given(files(), st.data())
@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
def test_any_file_and_its_damage(data, more):
    """Small networks, aligned or not, with special values; then damaged anywhere."""
    same(data)
    same(more.draw(damaged(st.just(data))))


def test_values_are_little_endian_on_any_machine():
    """Where the machine's order is the other one than is said, what is given is turned round."""
    data = struct.pack("<3I", 1, 0x3F800000, 0xFF7FFFFE)
    assert _array("I", data).tolist() == [1, 0x3F800000, 0xFF7FFFFE]
    other = {"little": "big", "big": "little"}[sys.byteorder]
    with patch("sys.byteorder", other):
        assert _array("I", data).tolist() == list(struct.unpack(">3I", data))


def reference(word, kind):
    """`Kind.has` by what the value is."""
    value = np.array([word], np.uint32).view(np.float32)[0]
    tiny = np.finfo(np.float32).tiny
    return {s.NAN: np.isnan, s.INFINITE: np.isinf, s.NOT_FINITE: lambda v: not np.isfinite(v),
            s.SUBNORMAL: lambda v: 0 < abs(v) < tiny, s.ZERO: lambda v: v == 0,
            s.NEGATIVE: lambda v: v < 0, s.ONE: lambda v: v == 1, s.over(4): lambda v: v > 4,
            s.beyond(1e4): lambda v: abs(v) > np.float32(1e4),
            s.between(1e-12, 1e9): lambda v: np.float32(1e-12) < v < np.float32(1e9),
            }[kind](value)


@pytest.mark.parametrize("kind", [*KINDS[:8], s.over(4), s.beyond(1e4)])
def test_a_kind_is_what_it_says(kind):
    for word in EDGES:
        for signed in (word & s.MAGNITUDE, word | 1 << 31):
            assert kind.has(signed) == reference(signed, kind), hex(signed)


@pytest.mark.parametrize("kind", [
    *KINDS, s.Kind(0x41FFFFFF, 0x43000000), s.Kind(0x41000000, 0x42FFFFFF, 1)])
def test_a_highest_byte_that_decides_does(kind):
    for top, mark in enumerate(table_of(kind)):
        # A kind is one range: where it neither begins nor ends all are alike.
        edges = (w & 0xFFFFFF for edge in (kind.low, kind.high) for w in (edge - 1, edge, edge + 1))
        ends = {kind.has(top << 24 | rest) for rest in (0, *edges, 0xFFFFFF)}
        assert mark == (OPEN if len(ends) > 1 else SURE if ends == {True} else 0)


@given(words, st.sampled_from(KINDS))
def test_counts_and_places(values, kind):
    data = struct.pack(f"<{len(values)}I", *values)
    quick, plain = QuickValues(np.array(values, np.uint32)), PlainValues(data)
    at = [i for i, w in enumerate(values) if kind.has(w)]
    assert quick.hits(kind) == plain.hits(kind) == (len(at), at[0] if at else -1)
    assert quick.swapped().hits(kind) == plain.swapped().hits(kind)
    assert quick.first() == plain.first() == values[0]
    assert s.all_are(plain, kind) == s.all_are(quick, kind) == (len(at) == len(values))


def with_words(at, *values):
    """The sample's table with these words from one place on in each convolution and BatchNorm."""
    table = []
    for name, shape in tensor_layout(sample.ARCH):
        data = bytearray(sample.values(name, int(np.prod(shape))))
        for i, w in enumerate(values):
            if 4 * (at + i) < len(data):
                data[4 * (at + i):4 * (at + i) + 4] = struct.pack("<I", w)
        table.append((name, bytes(data)))
    return sample.build(table=table)


@pytest.mark.parametrize("word", EDGES)
def test_a_word_in_every_tensor(word):
    """Size fields, which look like subnormals, are none; shares, counts and places are the same."""
    for data in (with_words(0, word), with_words(3, word, word | 1 << 31),
                 with_words(2, *[word] * 99)):
        scanned = scan(data)
        quick, plain = QuickStats(scanned), PlainStats(scanned)
        for kind in (s.NOT_FINITE, s.SUBNORMAL, s.beyond(1e4))[:3 if plain.finite else 1]:
            assert quick.any(kind) == plain.any(kind)
        assert quick.zero_channels == {
            i: c for i, c in plain.zero_channels.items() if c}
        if plain.finite and not s.has(plain.vectors["bn.var"], s.NEGATIVE):
            assert quick.scaled(1e4) == plain.scaled(1e4)
        same(data)


@pytest.mark.parametrize("table", [QuickStats, PlainStats])
def test_a_value_by_its_place(table):
    """Each value of each tensor, in the order of the file and in the other one."""
    stats = table(scan(sample.base()))
    for t in stats.tensors():
        values = sample.values(t.name, t.size // 4)
        for order in "<>":
            want = np.frombuffer(values, f"{order}f4").astype(float)
            have = [stats.number(t, i, order) for i in range(t.size // 4)]
            assert np.array_equal(have, want, equal_nan=True)


def test_channels_of_one_weight():
    """Where a convolution takes one channel, each weight is a channel, the last one too."""
    arch = replace(sample.ARCH, block_channels=1)
    table = []
    for name, shape in tensor_layout(arch):
        values = np.ones(shape, "<f4")
        if name == "stage3.block0.expand.conv.w":
            values[-1] = 0
        table.append((name, values.tobytes()))
    number = [n for n, _ in table].index("stage3.block0.expand.conv.w")
    for stats in (QuickStats, PlainStats):
        found = stats(scan(sample.build(arch, table=table))).zero_channels
        last = dict(tensor_layout(arch))["stage3.block0.expand.conv.w"][0] - 1
        assert found == {number: [last]} and last > 0


def test_a_healthy_sample_has_nothing_that_is_looked_for():
    plain = PlainStats(scan(sample.base()))
    assert plain.finite and not plain.any(s.SUBNORMAL) and plain.scaled(1e4) == (0, -1)
    assert not plain.zero_channels


@pytest.mark.parametrize("value", [1e4, 10000.0004, 10000.000488, 10000.00049, 1e300, 1e-50])
def test_rounding_is_numpy_s(value):
    with np.errstate(over="ignore"):
        assert single(value) == float(np.float32(value))


def test_numpy_is_asked_first(monkeypatch):
    from efm3.rules._context import backend

    assert Context(scan(sample.base())).stats.__class__ is QuickStats
    backend.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "efm3.rules._quick", None)
    assert Context(scan(sample.base())).stats.__class__ is PlainStats
    backend.cache_clear()


def test_a_place_is_its_tensors_and_one_outside_is_refused():
    stats = PlainStats(scan(sample.base()))
    variances = [t for t in stats.tensors() if t.name.endswith("bn.var")]
    places = [(t, i) for t in variances for i in range(t.size // 4)]
    assert len(places) == len(stats.vectors["bn.var"])
    assert [stats.place("bn.var", i) for i in range(len(places))] == places
    with pytest.raises(IndexError):
        stats.place("bn.var", len(stats.vectors["bn.var"]))
