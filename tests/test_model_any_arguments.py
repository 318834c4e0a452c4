# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Whatever `Arch`, `save` and `dumps` are given: one refusal with a place, or a valid file."""

import datetime
import decimal
import enum
import fractions
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import efm3
from efm3 import Arch, Stage, mirror
from efm3 import format as fmt
from efm3.conformance import sample
from efm3.conformance.cases import corpus
from efm3.network import file_size, tensor_layout

TENSORS = dict(efm3.load(sample.base()).tensors)
DIGEST = efm3.load(sample.sealed()).mirror["meta"]["sha256"]
OWN = [k for k, _ in fmt.MIRROR_KEYS]
FIELDS = list(Arch.__dataclass_fields__)


class Colour(enum.IntEnum):
    RED = 7


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


CYCLE = []
CYCLE.append(CYCLE)
ODD = (None, True, False, 0, 1, 7, -1, 2**64, 10**19, 10**20, 10**400, -0.0, 0.0, 1.0,
       7.0, 1e-320, 1e308, float("nan"), float("inf"), -float("inf"), "", "7", "x", "a\0", "\ud800",
       "\udc00\ud800", "\U0001f600", "x" * 70, b"7", 1j, {1}, frozenset(), object(), Colour.RED,
       decimal.Decimal(1), fractions.Fraction(1, 3), fractions.Fraction(10**400),
       datetime.date(2026, 1, 1), np.int64(7), np.uint8(7), np.float64(0.5), np.float32(0.36),
       np.bool_(True), np.str_("7"), np.arange(3), np.array(7), [], (), {}, nested(12), nested(13),
       nested(14), nested(15), CYCLE, range(3), Stage(1, 1, 1), int)
odd = st.sampled_from(ODD) | st.text(max_size=5) | st.integers() | st.floats()
keys = st.sampled_from(("a", "b", "", "a\0", "\ud800", "sha256", "picture", "name", 1, "1", None,
                        True, 1.5, (1,), b"a")) | st.text(max_size=3)
anything = st.recursive(odd, lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner)
                        | st.dictionaries(keys, inner, max_size=3), max_leaves=6)
metas = anything | st.dictionaries(keys, odd, max_size=2) | st.fixed_dictionaries({}, optional={
    "sha256": st.sampled_from((DIGEST, DIGEST.upper(), "0" * 64, "beef", None, 3)),
    "picture": st.sampled_from(("upright", "turned-180", "Upright", None, ["upright"])),
    "seed": odd})
extras = st.none() | anything | st.dictionaries(
    st.sampled_from((*OWN, "stem_kernel", "author")) | keys, anything, max_size=2) | st.builds(
    lambda meta, more: more | {"meta": meta}, metas, st.dictionaries(keys, odd, max_size=1))


def same(given, back):
    """Whether JSON gave back what it was given: tuples are arrays, the rest keeps its type."""
    if isinstance(given, (list, tuple)):
        return isinstance(back, list) and len(given) == len(back) and all(map(same, given, back))
    if isinstance(given, dict):
        return isinstance(back, dict) and list(given) == list(back) and all(
            same(v, back[k]) for k, v in given.items())
    return given == back and isinstance(given, type(back)) and (
        isinstance(given, bool) == isinstance(back, bool))


def written(codes, make):
    """The bytes that `make` gives, None where it refuses with one of these codes and a place."""
    try:
        data = make()
    except efm3.Efm3Error as e:
        assert e.code in codes and e.path and e.path.isprintable()
        return None
    report = efm3.validate(data, "coherence")
    assert report.ok, report.findings
    return data


def check_extra(extra, align, seal):
    data = written({"W006", "W007", "C005", "M042"}, lambda: efm3.dumps(
        sample.ARCH, TENSORS, mirror_extra=extra, align=align, seal=seal))
    if data is None:
        return False
    back = efm3.load(data)
    assert back.arch == sample.ARCH and all(
        np.array_equal(t, TENSORS[n]) for n, t in back.tensors.items())
    given = dict(extra or {})
    if seal:
        assert back.mirror["meta"].pop("sha256") == DIGEST
        given["meta"] = {k: v for k, v in given.get("meta", {}).items() if k != "sha256"}
    assert same(given, {k: v for k, v in back.mirror.items() if k not in OWN})
    return True


@settings(max_examples=300, deadline=None)
@given(extras, st.booleans(), st.booleans())
@example({"meta": {1: "a"}}, False, False)
@example({"meta": {"a": {True: 1}}}, False, False)
@example({"meta": [{None: 1}]}, False, False)
@example({"meta": {"a": "x" * (1 << 20)}}, True, False)
def test_any_extra_is_refused_or_comes_back(extra, align, seal):
    check_extra(extra, align, seal)


@pytest.mark.parametrize("value,fine", [
    (7, True), (-(10**20) + 1, True), (10**20, False), (-0.0, True), (np.float64(0.5), True),
    (Colour.RED, True), ((1, (2,)), True), ("\U0001f600\x7f", True), ({"a": [{"b": None}]}, True),
    (nested(13), True), (nested(14), False), (nested(2000), False), (CYCLE, False),
    (float("nan"), False), (np.int64(7), False), (np.arange(3), False),
    ("\ud800", False), ("\0", False), ({"\ud800": 1}, False), ({"\0": 1}, False), (b"x", False),
    ({1: 2}, False), ([({None: 2},)], False), ({(1,): 2}, False), ({1}, False), (object(), False)])
def test_what_a_key_of_meta_may_be(value, fine):
    assert check_extra({"meta": {"a": value}}, False, False) == fine
    assert check_extra({"meta": {"a": value}}, True, True) == fine


def test_the_right_digest_may_be_given():
    assert efm3.dumps(sample.ARCH, TENSORS, mirror_extra={"meta": {"sha256": DIGEST}},
                      align=True) == sample.sealed()


archs = st.dictionaries(st.sampled_from(FIELDS), odd | st.lists(odd, max_size=2) | st.lists(
    st.builds(Stage, odd, odd, odd), max_size=2) | st.sampled_from(range(1, 17)), max_size=2)


def check_arch(change):
    try:
        arch = replace(sample.ARCH, **change)
    except efm3.Efm3Error as e:
        assert e.code[0] in "HMW" and e.path.startswith("arch.")
        return None
    assert type(arch.width_mult) is float and isinstance(arch.name, str)
    assert all(type(getattr(arch, k)) is int for k in FIELDS[2:] if k != "stages")
    assert all(type(n) is int for s in arch.stages for n in vars(s).values())
    if file_size(arch, 0) < 1 << 20:
        tensors = {n: np.broadcast_to(np.float32(0.5), s) for n, s in tensor_layout(arch)}
        data = written({"W007"}, lambda: efm3.dumps(arch, tensors))
        assert data is None or efm3.load(data).arch == arch
    return arch


@settings(max_examples=300, deadline=None)
@given(archs)
@example({"name": "x" * 70, "width_mult": 2**64})
def test_any_arch_is_refused_or_written(change):
    check_arch(change)


def test_an_integer_that_python_does_not_print():
    assert not check_extra({"meta": {"a": 10**5000}}, False, False)
    for key, code in (("stem_channels", "H006"), ("width_mult", "M026"), ("name", "W014")):
        with pytest.raises(efm3.Efm3Error, match=code):
            replace(sample.ARCH, **{key: 10**5000})


def test_numbers_of_numpy_are_numbers():
    stages = [Stage(np.uint8(2), 1, 2), *sample.ARCH.stages[1:]]
    arch = replace(sample.ARCH, width_mult=np.float32(0.5), stem_channels=np.int64(8),
                   gdc_kernel=np.array(7), stages=stages)
    assert arch == replace(sample.ARCH, width_mult=0.5)
    assert check_arch({"width_mult": fractions.Fraction(1, 4)}).width_mult == 0.25
    assert check_arch({"width_mult": 2**53 + 1}).width_mult == 2.0**53
    assert check_arch({"stem_channels": Colour.RED}) == replace(sample.ARCH, stem_channels=7)


@pytest.mark.parametrize("width", [0, -0.0, 0.0])
def test_a_width_that_nobody_stated_is_not_written(width):
    arch = replace(sample.ARCH, width_mult=width)
    with pytest.raises(efm3.Efm3Error, match=r"W007 json\.width_mult.*M026"):
        efm3.dumps(arch, TENSORS)


@pytest.mark.parametrize("width,code", [
    ("x", "W014"), (float("nan"), "M026"), (float("inf"), "M026"), (1e308, "H006")])
def test_scaled_refuses_as_the_arch_does(width, code):
    with pytest.raises(efm3.Efm3Error) as e:
        Arch.scaled("x", width)
    assert e.value.code == code


BROKEN = [c for c in corpus() if c.folder == "invalid" and c.status == "OK"
          and not c.valid("coherence")]


def test_what_was_read_at_level_structure_is_not_written_on_with_its_errors():
    refused = 0
    for case in BROKEN:
        model = efm3.load(case.data(), level="structure")
        data = written({"W007", "M042"}, lambda m=model: b"".join(m.parts(finite=False)))
        refused += data is None
    assert refused == len(BROKEN) > 40


def test_a_text_that_looks_damaged_is_judged_like_any_other():
    """Nine replacement characters: in a file that is not whole they say that a transfer as text
    damaged it, and what is being written is not whole yet."""
    text = json.dumps(mirror.values(sample.ARCH) | {"meta": {"picture": "no", "a": "\ufffd" * 9}},
                      ensure_ascii=False).encode()
    model = efm3.load(sample.text(text)(sample.base()), level="structure")
    assert written({"W007"}, lambda: b"".join(model.parts())) is None


def test_what_is_no_array():
    class Broken:
        def __array__(self, *_, **__):
            raise RuntimeError("it has a gradient\x1b")

    with pytest.raises(efm3.Efm3Error, match=r"W004 stem\.bn\.b.*it has a gradient\\x1b"):
        efm3.dumps(sample.ARCH, TENSORS | {"stem.bn.b": Broken()})


@pytest.mark.parametrize("dtype", ["<f4", ">f4"])
def test_bits_of_any_value_are_kept(dtype):
    bits = np.array([0x80000000, 1, 0x80000001, 0x007fffff, 0x7f800001, 0xff800001, 0x7fc12345,
                     0xffffffff], np.uint32)
    values = bits.astype(np.dtype("u4").newbyteorder(dtype[0])).view(dtype)
    data = efm3.dumps(sample.ARCH, TENSORS | {"stem.bn.b": values}, finite=False)
    assert np.array_equal(efm3.load(data, "structure").tensors["stem.bn.b"].view(np.uint32), bits)
