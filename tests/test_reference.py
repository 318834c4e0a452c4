# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The numpy network equals the original's embeddings and a plain loop."""

import numpy as np
import pytest

import efm3
from efm3 import mirror, reference
from efm3.conformance import sample, weights
from efm3.conformance._misplaced import PADS
from efm3.conformance._twist import steps
from efm3.network import Layer, layers


@pytest.mark.parametrize("dtype,bound", [(np.float64, 1e-9), (np.float32, 2e-6)])
def test_embeddings_equal_the_originals(vector, dtype, bound):
    want = np.load(vector.with_suffix(".npz"))
    have = reference.forward(efm3.load(vector), want["x"], dtype)
    assert have.dtype == dtype
    assert np.abs(have - want["embedding"]).max() <= bound


def loop(layer, w, x):
    """The convolution's definition, one output at a time."""
    n, side, k = len(x), layer.out_side, layer.kernel
    out = np.zeros((n, layer.out_channels, side, side))
    per = layer.in_channels // layer.groups
    for b, o, y, z, c, i, j in np.ndindex(n, layer.out_channels, side, side, per, k, k):
        u = y * layer.stride - layer.padding + i
        v = z * layer.stride - layer.padding + j
        group = o * layer.groups // layer.out_channels
        if 0 <= u < layer.in_side and 0 <= v < layer.in_side:
            out[b, o, y, z] += w[o, c, i, j] * x[b, group * per + c, u, v]
    return out


@pytest.mark.parametrize("kind,cin,cout,kernel,stride,groups,side", [
    ("conv", 3, 4, 3, 2, 1, 8), ("conv", 3, 2, 5, 3, 1, 9), ("conv", 3, 2, 1, 2, 1, 5),
    ("depthwise", 3, 3, 3, 1, 3, 5), ("depthwise", 3, 3, 3, 2, 3, 7),
    ("depthwise", 2, 2, 3, 4, 2, 6), ("pointwise", 4, 3, 1, 1, 1, 4), ("gdconv", 3, 3, 4, 1, 3, 4),
    ("gdconv", 3, 3, 1, 1, 3, 1),
])
def test_convolutions_equal_their_definition(kind, cin, cout, kernel, stride, groups, side):
    rng = np.random.default_rng(1)
    pad = 0 if kind in ("gdconv", "pointwise") else kernel // 2
    out = (side + 2 * pad - kernel) // stride + 1
    layer = Layer("l", kind, cin, cout, kernel, stride, pad, groups, False, "", side, out)
    w = rng.normal(size=layer.weight_shape)
    x = rng.normal(size=(2, cin, side, side))
    have = reference.convolve(layer, w, x)
    assert np.allclose(have, loop(layer, w, x), rtol=0, atol=1e-12)


def test_activations_have_every_layers_shape():
    model = efm3.load(sample.base())
    x = np.random.default_rng(2).normal(size=(2, 3, 112, 112))
    got = reference.activations(model, x)
    assert list(got) == [layer.name for layer in layers(model.arch)]
    for layer in layers(model.arch):
        assert got[layer.name].shape == (2, layer.out_channels, layer.out_side, layer.out_side)
    out = got["embed_proj"][:, :, 0, 0]
    want = out / np.linalg.norm(out, axis=1, keepdims=True)
    assert np.allclose(reference.forward(model, x), want, rtol=1e-14)


def test_residual_is_added():
    model = efm3.load(sample.base())
    x = np.random.default_rng(3).normal(size=(1, 3, 112, 112))
    got = reference.activations(model, x)
    adding = [layer for layer in layers(model.arch) if layer.residual]
    assert [layer.name for layer in adding] == ["stage2.block1.project"]
    before = got["stage2.block0.project"]
    alone = reference.apply(adding[0], model.tensors, got["stage2.block1.dw"])
    assert np.array_equal(got["stage2.block1.project"], alone + before)


def test_images_of_a_batch_do_not_touch_each_other():
    model = efm3.load(sample.base())
    x = np.random.default_rng(4).normal(size=(3, 3, 112, 112))
    whole = reference.forward(model, x)
    assert np.allclose(whole[1:2], reference.forward(model, x[1:2]), rtol=0, atol=1e-14)
    assert reference.forward(model, x[:0]).shape == (0, 8)


def test_zero_vector_and_nan():
    zero = sample.fill("embed_proj.bn.w", 0.0)(sample.fill("embed_proj.bn.b", 0.0)(sample.base()))
    model = efm3.load(zero, level="structure")
    assert not reference.forward(model, np.zeros((1, 3, 112, 112))).any()
    x = np.zeros((1, 3, 112, 112))
    x[0, 0, 50, 50] = np.nan
    assert np.isnan(reference.forward(efm3.load(sample.base()), x)).all()


def test_prepare():
    image = np.arange(112 * 112 * 3, dtype=np.uint32).astype(np.uint8).reshape(112, 112, 3)
    x = reference.prepare(image)
    assert x.shape == (1, 3, 112, 112) and x.dtype == np.float32
    assert x[0, 2, 5, 7] == (float(image[5, 7, 2]) - 127.5) / 128
    assert reference.prepare(np.stack([image] * 2)).shape == (2, 3, 112, 112)


@pytest.mark.parametrize("bad", [
    np.zeros((1, 3, 112, 111)), np.zeros((3, 112, 112)), np.zeros((1, 3, 112, 112), int)])
def test_refused_inputs(bad):
    with pytest.raises(ValueError, match="input is"):
        reference.forward(efm3.load(sample.base()), bad)
    with pytest.raises(ValueError, match="images are"):
        reference.prepare(np.zeros((112, 112, 3)))
    with pytest.raises(ValueError, match="dtype"):
        reference.forward(efm3.load(sample.base()), np.zeros((1, 3, 112, 112)), np.float16)


def test_turned_twice_is_the_picture():
    pixels = np.arange(2 * 112 * 112 * 3, dtype=np.uint32).astype(np.uint8).reshape(2, 112, 112, 3)
    once = reference.turn(pixels)
    assert (once[0, 0, 0] == pixels[0, 111, 111]).all()
    assert (once[1, 111, 2] == pixels[1, 0, 109]).all()
    assert np.array_equal(reference.turn(once), pixels)
    assert np.array_equal(reference.turn(reference.prepare(pixels)), reference.prepare(once))
    for bad in (pixels[:, :111], pixels.astype(np.float32), pixels.astype(np.int64), pixels[0, 0]):
        with pytest.raises(ValueError, match="images are"):
            reference.turn(bad)


def test_a_turned_model_takes_upright_pictures():
    model = efm3.load(sample.with_mirror(mirror.as_turned)(weights.file(sample.ARCH, 3)))
    x = np.random.default_rng(5).normal(size=(2, 3, 112, 112))
    own = reference.forward(model, x)
    assert np.abs(own - reference.forward(model, x, as_given=True)).max() > 1e-3
    assert np.array_equal(own, reference.forward(model, reference.turn(x), as_given=True))
    layer = reference.activations(model, x)["stem"]
    assert np.array_equal(layer, reference.activations(model, reference.turn(x),
                                                       as_given=True)["stem"])
    model.mirror["meta"]["picture"] = "sideways"
    assert reference.forward(model, x, as_given=True).shape == own.shape
    with pytest.raises(efm3.Efm3Error, match="M043"):
        reference.forward(model, x)


def test_turned_kernels_and_picture_are_tensorflows_padding():
    """SAME pads (0, 1) at stride 2 on an even side, and as much on every side at stride 1."""
    same = efm3.load(weights.file(sample.ARCH, 3))
    turned = efm3.load(sample.with_mirror(mirror.as_turned)(weights.file(sample.ARCH, 3)))
    turned.tensors = {k: np.ascontiguousarray(v[..., ::-1, ::-1]) if v.ndim == 4 else v
                      for k, v in same.tensors.items()}
    x = np.random.default_rng(6).normal(size=(1, 3, 112, 112))
    twist = PADS["padding is SAME as TensorFlow has it: the lesser half on the left and the top"]
    want = dict(steps(twist, same, x[0]))[""]
    assert np.abs(reference.forward(turned, x)[0] - want).max() < 1e-12
    assert np.abs(reference.forward(same, x)[0] - want).max() > 1e-3
