# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""efm3.Engine below float32: the integers that are specified, and what stays true."""

from pathlib import Path

import numpy as np
import pytest

import efm3
from efm3 import engine as engines
from efm3 import network, reference, untrained
from efm3.conformance import sample
from tests.test_engine import ARCHS, arch_of

ROOT = Path(__file__).resolve().parent.parent
NANO = ROOT / "weights" / "facex_nano.bin"
pytestmark = pytest.mark.skipif(not engines.available(), reason=engines.MISSING)

ISAS = [k for k, ok in engines.isas().items() if ok] if engines.available() else []
LOWER = ("high", "fast")
LEAST = {"high": 0.9999, "fast": 0.999}
ROUNDINGS = 7
"""As engine/tests/check_integers.h counts them; a slope below 1 adds none. bfloat16 has one for
each input channel too, see check_bf16.h."""

FIELDS = {"i8": (255, 127), "i16": (1023, 2047)}


def pictures(count=3):
    return untrained.images(21, count)


def pointwise(layer):
    return layer.kernel == 1 and layer.groups == 1


def folded(model, layer):
    """Weights [out, in] and bias as float32, folded in double."""
    t = {k: model.tensors[f"{layer.name}.{k}"].astype(np.float64).ravel()
         for k in ("bn.w", "bn.b", "bn.mean", "bn.var")}
    fold = t["bn.w"] / np.sqrt(t["bn.var"] + 1e-5)
    w = model.tensors[f"{layer.name}.conv.w"].reshape(layer.out_channels, -1)
    return ((w.astype(np.float64) * fold[:, None]).astype(np.float32),
            (t["bn.b"] - t["bn.mean"] * fold).astype(np.float32))


def levels(x, arithmetic):
    """A map [C, H, W] as integers and each row's scale, from the words of docs/precision.md."""
    lo, hi = np.minimum(x.min((0, 2)), 0), np.maximum(x.max((0, 2)), 0)
    top = np.float32(FIELDS[arithmetic][0])
    width = hi - lo if arithmetic == "i8" else np.maximum(hi, -lo)
    width = np.maximum(width, np.float32(2.0**-96))
    by = top / width
    q = np.rint(x * by[:, None]).astype(np.int64)
    if arithmetic == "i8":
        zero = np.rint(-lo * by).astype(np.int64)[:, None]
        q = np.minimum(q, 255 - zero)
    return q, width / top


def bfloat16(x):
    """float32 to the nearest number with 8 bits, ties to even, as float64."""
    fraction, exponent = np.frexp(x.astype(np.float64))
    y = np.ldexp(np.rint(np.ldexp(fraction, 8)), exponent - 8)
    return np.where(np.abs(x) < 2.0**-126, 0.0, y)


def scale_above(x):
    """The least bfloat16 that is not below x > 0."""
    bits = np.asarray(x, np.float32).view(np.uint32) + np.uint32(0xFFFF)
    return (bits & np.uint32(0xFFFF0000)).view(np.float32).astype(np.float64)


def products(w, x):
    """Of bfloat16, and their magnitude."""
    w, x = bfloat16(w), bfloat16(x)
    return (np.einsum("oc,chw->ohw", w, x, optimize=True),
            np.einsum("oc,chw->ohw", np.abs(w), np.abs(x), optimize=True))


def scaled_sums(w, x, arithmetic):
    """Of integers, and their magnitude."""
    weight = scale_above(np.abs(w).max(axis=1) / np.float32(FIELDS[arithmetic][1]))
    w = np.rint(w.astype(np.float64) * (1 / weight)[:, None]).astype(np.int64)
    q, scale = levels(x, arithmetic)
    sums = np.einsum("oc,chw->ohw", w, q).astype(np.float64)
    y = sums * scale.astype(np.float64)[None, :, None] * weight[:, None, None]
    return y, np.abs(y)


def taps(w):
    """Weights [channels, taps] of 8 bits, the last one's loss carried on, as float64."""
    scale = scale_above(np.abs(w).max(axis=1) / np.float32(127))
    out, lost = np.empty(w.shape), np.zeros(len(w))
    for i, column in enumerate(w.astype(np.float64).T):
        x = column * (1 / scale) + lost
        out[:, i] = np.clip(np.rint(x), -127, 127)
        lost = x - out[:, i]
    return (out * scale[:, None]).astype(np.float32).astype(np.float64)


def expected(model, layer, x, residual, arithmetic):
    """The layer's output in double from its input, and the magnitude of what was added."""
    w, bias = folded(model, layer)
    y, magnitude = products(w, x) if arithmetic == "bf16" else scaled_sums(w, x, arithmetic)
    magnitude = magnitude + np.abs(bias)[:, None, None]
    y += bias[:, None, None]
    if layer.act:
        slope = bfloat16(model.tensors[f"{layer.name}.act.w"].ravel())[:, None, None]
        y = np.where(y > 0, y, slope * y)
    if residual is not None:
        y, magnitude = y + residual, magnitude + np.abs(residual)
    return y, magnitude


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("precision", LOWER)
def test_every_pointwise_layer_is_the_specified_product(isa, precision):
    model = efm3.load(NANO)
    with efm3.Engine(NANO, isa=isa, precision=precision) as e:
        layers, maps = e.layers, list(e.activations(reference.prepare(pictures(1))[0]).values())
    tried = 0
    for i, layer in enumerate(layers):
        if not pointwise(layer):
            assert layer.arithmetic == "f32" or i == 0
            continue
        residual = maps[i - 3] if layer.residual else None
        want, magnitude = expected(model, layer, maps[i - 1], residual, layer.arithmetic)
        roundings = ROUNDINGS + (layer.in_channels if layer.arithmetic == "bf16" else 0)
        assert (np.abs(maps[i] - want) <= roundings * 2.0**-24 * magnitude).all(), layer.name
        tried += 1
    assert tried == sum(map(pointwise, layers)) > 20


@pytest.mark.parametrize("isa", ISAS)
def test_depthwise_weights_of_fast_are_bytes(isa):
    """Sums in float32 of weights that are specified, where pointwise layers have 8 bits."""
    model = efm3.load(NANO)
    with efm3.Engine(NANO, isa=isa, precision="fast") as e:
        layers, maps = e.layers, list(e.activations(reference.prepare(pictures(1))[0]).values())
    narrow = any(x.arithmetic == "i8" for x in layers)
    for i, layer in enumerate(layers):
        if layer.groups == 1 or layer.stride > 1:
            continue
        w, bias = folded(model, layer)
        assert (layer.weight_bytes < 4 * w.size) == narrow
        w = taps(w) if narrow else w.astype(np.float64)
        x = np.pad(maps[i - 1].astype(np.float64), ((0, 0), *[(layer.padding,) * 2] * 2))
        windows = np.lib.stride_tricks.sliding_window_view(x, (layer.kernel,) * 2, axis=(1, 2))
        w = w.reshape(-1, 1, 1, layer.kernel, layer.kernel)
        y = (windows * w).sum(axis=(3, 4)) + bias[:, None, None]
        magnitude = (np.abs(windows) * np.abs(w)).sum(axis=(3, 4)) + np.abs(bias)[:, None, None]
        if layer.act:
            slope = model.tensors[f"{layer.name}.act.w"].ravel()
            slope = (bfloat16(slope) if narrow else slope)[:, None, None]
            y = np.where(y > 0, y, slope * y)
        error = np.abs(maps[i].reshape(y.shape) - y)
        assert (error <= (layer.kernel**2 + 4) * 2.0**-24 * magnitude).all(), layer.name


@pytest.mark.parametrize("arch", efm3.ARCHS)
def test_fast_takes_a_byte_a_parameter_and_15_percent(arch):
    """On every set here that has 8 bits."""
    path = ROOT / "weights" / f"facex_{arch}.bin"
    parameters = network.parameters(efm3.ARCHS[arch])
    for isa in ISAS:
        with efm3.Engine(path, isa=isa, precision="fast") as e:
            if any(x.arithmetic == "i8" for x in e.layers):
                assert e.weight_bytes <= 1.15 * parameters


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("precision", LOWER)
def test_the_cosine_that_is_promised(isa, precision):
    u8 = pictures(6)
    want = efm3.Engine(NANO).embed(u8)
    got = efm3.Engine(NANO, isa=isa, precision=precision).embed(u8)
    assert np.allclose(np.linalg.norm(got, axis=1), 1, atol=1e-6)
    cosines = (got * want).sum(axis=1)
    assert LEAST[precision] <= cosines.min() < 1 - 1e-7


def test_scalar_has_both_numbers_of_bits():
    for precision, arithmetic in (("f32", "f32"), ("high", "i16"), ("fast", "i8")):
        with efm3.Engine(NANO, isa="scalar", precision=precision) as e:
            assert e.precision == precision
            for layer in e.layers:
                want = arithmetic if pointwise(layer) else "f32"
                if layer.name == "stem" and precision != "f32":
                    want = "i16"  # of pixels, see test_engine_stem.py
                assert layer.arithmetic == want, layer.name
            assert sum(x.weight_bytes for x in e.layers) == e.weight_bytes


def test_fewer_bits_take_less_memory():
    sizes = [efm3.Engine(NANO, isa="scalar", precision=p).weight_bytes for p in ("f32", *LOWER)]
    assert sizes[0] > 1.5 * sizes[1] > 1.5 * 1.5 * sizes[2]


@pytest.mark.parametrize("isa", ISAS)
def test_sums_that_would_not_fit_stay_in_float32(isa):
    """16 bits: 1023 * 2047 * 1025 is below 2**31, with 1026 it is not. 8 bits always fit, and
    sums in bfloat16 are float32."""
    arch = arch_of(stem_channels=27, block_channels=7, stages=(efm3.Stage(38, 2, 4),))
    model = efm3.load(sample.build(arch), level="structure")
    deep = {x.name: x for x in efm3.Engine(model, isa=isa, precision="high").layers}
    assert deep["stage1.block0.project"].in_channels == 1026
    assert (deep["stage1.block0.expand"].arithmetic, deep["stage1.block0.project"].arithmetic) in (
        [("bf16", "bf16")] if isa == "avx512bf16" else [("i16", "f32"), ("f32", "f32")])
    fast = efm3.Engine(model, isa="scalar", precision="fast").layers
    assert {x.arithmetic for x in fast if pointwise(x)} == {"i8"}


def test_an_engine_says_what_its_pointwise_layers_run_in():
    """Also where the last layer, or the first, runs in something else."""
    deep = sample.build(arch_of(final_channels=1026))
    with efm3.Engine(deep, isa="scalar", precision="high") as e:
        assert (e.layers[-1].arithmetic, e.arithmetic) == ("f32", "i16")
    with efm3.Engine(sample.build(arch_of(stem_kernel=1)), isa="scalar", precision="fast") as e:
        assert (e.layers[0].kernel, e.layers[0].arithmetic, e.arithmetic) == (1, "i16", "i8")
    assert efm3.Engine(deep, isa="scalar").arithmetic == "f32"


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("arch", ARCHS, ids=range(len(ARCHS)))
def test_any_arch_runs(arch, isa):
    model = efm3.load(sample.build(arch), level="structure")
    x = np.random.default_rng(8).normal(size=(2, 3, 112, 112)).astype(np.float32)
    want = reference.forward(model, x)
    for precision, bound in (("high", 0.002), ("fast", 0.2)):
        got = efm3.Engine(model, isa=isa, precision=precision).embed(x)
        assert np.abs(got - want).max() <= bound, precision


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("precision", LOWER)
def test_a_result_depends_on_its_picture_alone(isa, precision):
    """Alone, in a batch, on threads, and layer by layer: the same bits."""
    u8 = pictures()
    e = efm3.Engine(NANO, isa=isa, precision=precision)
    want = np.stack([e.embed(p) for p in u8])
    assert np.array_equal(e.embed(u8), want)
    assert np.array_equal(e.embed(u8[::-1]), want[::-1])
    floats = reference.prepare(u8)
    assert np.array_equal(e.embed(floats), np.stack([e.embed(x[None])[0] for x in floats]))
    assert np.array_equal(
        efm3.Engine(NANO, isa=isa, precision=precision, threads=3).embed(u8), want)
    raw = e.activations(reference.prepare(u8)[0])["embed_proj"].ravel().astype(np.float64)
    assert np.allclose(raw / np.linalg.norm(raw), want[0], rtol=0, atol=1e-7)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("precision", LOWER)
@pytest.mark.parametrize("value", [np.nan, -np.nan, np.inf, -np.inf])
def test_what_is_not_finite_reaches_the_embedding(isa, precision, value):
    e = efm3.Engine(NANO, isa=isa, precision=precision)
    x = reference.prepare(pictures(1))
    good = e.embed(x)
    for at in ((0, 0), (60, 60), (111, 111)):
        bad = x.copy()
        bad[0, 1][at] = value
        assert np.isnan(e.embed(bad)).all()
    assert np.array_equal(e.embed(x), good)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("precision", LOWER)
@pytest.mark.parametrize("part", ["conv.w", "bn.w", "bn.b", "act.w"])
def test_a_channel_that_is_not_finite_is_nan(isa, precision, part):
    name = "stage1.block0.expand"
    bad, good = (0, 1) if part == "conv.w" else (1, 0)  # the second weight is the first channel's
    for value in (np.nan, np.inf):
        data = sample.weights(f"{name}.{part}", value, at=1)(sample.base())
        with efm3.Engine(data, isa=isa, precision=precision) as e:
            x = reference.prepare(pictures(1))
            a = e.activations(x[0])[name]
            assert not np.isfinite(a[bad]).any() and np.isfinite(a[good]).all()
            assert np.isnan(e.embed(x)).all()


@pytest.mark.parametrize("precision", ["int8", "", None, 1, "F32"])
def test_refused_precisions(precision):
    with pytest.raises(ValueError, match="precision is"):
        efm3.Engine(NANO, precision=precision)


def test_vectors_of_plain_integers_are_not_used_for_other_rows():
    """Where a set gains nothing it keeps to float32, and says so."""
    for isa in ISAS:
        for precision in LOWER:
            kinds = {x.arithmetic for x in
                     efm3.Engine(NANO, isa=isa, precision=precision).layers if pointwise(x)}
            assert len(kinds) == 1
            assert kinds <= {"f32", "i16", "bf16" if precision == "high" else "i8"}
