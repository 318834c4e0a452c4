# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""efm3.Engine's stem below float32: the product that is specified, from pixels."""

from pathlib import Path

import numpy as np
import pytest

import efm3
from efm3 import engine as engines
from efm3 import mirror, reference, untrained
from efm3.conformance import sample
from tests.test_engine import arch_of, faces
from tests.test_engine_precision import LOWER, bfloat16, folded, scale_above

ROOT = Path(__file__).resolve().parent.parent
NANO = ROOT / "weights" / "facex_nano.bin"
pytestmark = pytest.mark.skipif(not engines.available(), reason=engines.MISSING)

ISAS = [k for k, ok in engines.isas().items() if ok] if engines.available() else []
INTEGERS = [k for k in ISAS if not k.startswith("neon")]
"""The others have no product of 16 bits: their stem is float32."""

ROUNDINGS = 5
"""As check_integers.h counts them: the sum as float32, its scale, the bias, and two of a slope."""


def drawings():
    """Constant pictures, stripes of both directions, and noise: [7, 112, 112, 3]."""
    flat = [np.full((112, 112, 3), v, np.uint8) for v in (0, 127, 128, 255)]
    stripes = np.zeros((112, 112, 3), np.uint8)
    stripes[::2] = 255
    return np.stack([*flat, stripes, stripes.swapaxes(0, 1), faces(1)[0]])


def windows(x, layer):
    """A picture's [C, 112, 112] values at each tap, [C * k * k, side, side]; 0 outside."""
    k, s, p = layer.kernel, layer.stride, layer.padding
    wide = np.pad(x, ((0, 0), (p, p), (p, p)))
    seen = np.lib.stride_tricks.sliding_window_view(wide, (k, k), (1, 2))[:, ::s, ::s]
    return seen.transpose(0, 3, 4, 1, 2).reshape(-1, *seen.shape[1:3])


def expected(model, layer, picture):
    """The stem's map in float64 from the words of docs/precision.md, with two bounds: that of the
    float32 operations on the sums, and the distance to the stem of unrounded weights."""
    w, bias = folded(model, layer)
    top = min(32767, (2**31 - 1) // (255 * w.shape[1]))
    scale = scale_above(np.abs(w).max(axis=1) / np.float32(top))
    rounded = np.rint(w.astype(np.float64) * (1 / scale)[:, None])
    levels = 2 * picture.transpose(2, 0, 1).astype(np.float64) - 255
    seen = windows(levels, layer)
    y = np.einsum("ot,thw->ohw", rounded, seen, optimize=True)
    assert np.abs(y).max() < 2**31
    y *= scale[:, None, None] / 256
    magnitude = np.abs(y) + np.abs(bias)[:, None, None]
    y += bias[:, None, None]
    given = model.tensors[f"{layer.name}.act.w"].astype(np.float64).ravel()[:, None, None]
    slope = bfloat16(given)
    few = ROUNDINGS * 2.0**-24 * magnitude * (1 + np.abs(slope - 1))
    # Half a step of the integers, and before that the rounding of weights to float32, for each
    # level; then the rounding of the slope.
    step = scale * 0.5 + np.abs(w).max(axis=1) * 2.0**-24
    far = few + np.abs(slope - given) * np.abs(y) + (
        np.maximum(1, np.abs(given)) * step[:, None, None] * np.abs(seen).sum(axis=0) / 256)
    return np.where(y > 0, y, slope * y), few, far


def check(model, isa, precision, pictures):
    with efm3.Engine(model, isa=isa, precision=precision) as e:
        layer = e.layers[0]
        assert (layer.name, layer.arithmetic) == ("stem", "i16")
        for picture in pictures:
            x = reference.prepare(picture[None])
            have = e.activations(x[0])["stem"]
            given = picture[::-1, ::-1] if model.turned else picture
            want, few, far = expected(model, layer, given)
            assert (np.abs(have - want) <= few).all()
            true = reference.activations(model, x)["stem"][0]
            assert (np.abs(have - true) <= far).all()


@pytest.mark.parametrize("isa", INTEGERS)
@pytest.mark.parametrize("precision", LOWER)
def test_the_stem_is_the_specified_product(isa, precision):
    """To the last pixel of the border, of pictures that say where it is."""
    check(efm3.load(NANO), isa, precision, drawings())


@pytest.mark.parametrize("isa", INTEGERS)
@pytest.mark.parametrize("kernel", range(1, 16, 2))
def test_any_stem(isa, kernel):
    for stride in range(1, 5):
        arch = arch_of(stem_kernel=kernel, stem_stride=stride, stem_channels=3 + 7 * stride,
                       stages=(efm3.Stage(1, 1, 4),))
        model = efm3.load(sample.build(arch), level="structure")
        if stride == 2:
            model.mirror = mirror.as_turned(model.mirror)
        check(model, isa, "fast", drawings()[-2:])


@pytest.mark.parametrize("isa", INTEGERS)
@pytest.mark.parametrize("kernel", [3, 15])
def test_the_largest_sums(isa, kernel):
    """White and black where all weights are the largest: just below 2**31."""
    model = efm3.load(sample.build(arch_of(stem_kernel=kernel)), level="structure")
    w = np.full_like(model.tensors["stem.conv.w"], 0.25)
    w[1::2] *= -1
    model = efm3.Model(model.arch, {**model.tensors, "stem.conv.w": w})
    check(model, isa, "high", drawings()[[0, 3]])


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("precision", LOWER)
def test_floats_that_are_no_pixels(isa, precision):
    """Their stem is that of f32; those that are pixels differ by what rounding does to levels."""
    x = reference.prepare(faces(1))
    off = x.copy()
    off[0, 2, 111, 111] += np.float32(1e-6)
    f32, lower = efm3.Engine(NANO), efm3.Engine(NANO, isa=isa, precision=precision)
    plain = efm3.Engine(NANO, isa=isa)
    assert np.array_equal(lower.activations(off[0])["stem"], plain.activations(off[0])["stem"])
    same = np.array_equal(lower.activations(x[0])["stem"], plain.activations(x[0])["stem"])
    assert same == (isa not in INTEGERS) == (lower.layers[0].arithmetic == "f32")
    assert plain.layers[0].arithmetic == f32.layers[0].arithmetic == "f32"
    u8 = untrained.images(5, 4)
    a, b = lower.embed(u8), lower.embed(reference.prepare(u8))
    assert (a * b).sum(axis=1).min() >= 0.9995


@pytest.mark.parametrize("isa", INTEGERS)
@pytest.mark.parametrize("kernel,stride", [(1, 4), (15, 1), (5, 3), (3, 2)])
def test_a_turned_picture_gives_the_same_bits(isa, kernel, stride):
    model = efm3.load(sample.build(arch_of(stem_kernel=kernel, stem_stride=stride)),
                      level="structure")
    model.mirror = mirror.as_turned(model.mirror)
    u8 = faces(2)
    for precision in LOWER:
        want = efm3.Engine(model, isa=isa, precision=precision, as_given=True).embed(
            u8[:, ::-1, ::-1])
        assert np.array_equal(
            efm3.Engine(model, isa=isa, precision=precision).embed(u8), want)


@pytest.mark.parametrize("isa", INTEGERS)
def test_floats_between_pictures_leave_nothing_behind(isa):
    """Both inputs use the same lines of the scratch memory."""
    e = efm3.Engine(NANO, isa=isa, precision="fast")
    u8 = drawings()
    want = e.embed(u8)
    for picture, row in zip(u8[-3:], want[-3:], strict=True):
        e.embed(np.full((3, 112, 112), np.inf, np.float32))
        assert np.array_equal(e.embed(picture), row)


@pytest.mark.parametrize("isa", INTEGERS)
@pytest.mark.parametrize("part", ["conv.w", "bn.w", "bn.b", "act.w"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_channel_that_is_not_finite_is_nan(isa, part, value):
    bad, good = (0, 1) if part == "conv.w" else (1, 0)  # the second weight is the first channel's
    data = sample.weights(f"stem.{part}", value, at=1)(sample.base())
    with efm3.Engine(data, isa=isa, precision="high") as e:
        a = e.activations(reference.prepare(faces(1))[0])["stem"]
        assert not np.isfinite(a[bad]).any() and np.isfinite(a[good]).all()
        assert np.isnan(e.embed(faces(1))).all()


def test_both_packings_are_counted():
    f32, fast = (efm3.Engine(NANO, isa="scalar", precision=p).layers[0] for p in ("f32", "fast"))
    # 24 channels: 27 weights of two bytes and eight bytes more.
    assert fast.weight_bytes - f32.weight_bytes == -(-24 * (27 * 2 + 8) // 64) * 64
