# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Augmentation: what each step does to a batch, and that the generator alone decides."""


import io
from dataclasses import replace

import numpy as np
import pytest
import torch

from efm3.train.augment import Recipe, augment

NEEDS = ("torch",)

NONE = Recipe.none()


def gen(seed=1):
    return torch.Generator().manual_seed(seed)


def pictures(n=8, side=112):
    """Smooth random pictures."""
    small = torch.rand(n, 3, 7, 7, generator=gen(5)) * 255
    big = torch.nn.functional.interpolate(small, (side, side), mode="bicubic")
    return big.clamp(0, 255).round().to(torch.uint8)


def pixels(batch):
    """Back to 0..255."""
    return batch * 128 + 127.5


def test_none_is_the_engines_scale():
    batch = pictures()
    out = augment(batch, gen(), NONE)
    assert out.dtype == torch.float32 and out.is_contiguous()
    assert torch.equal(out, (batch.float() - 127.5) / 128)


@pytest.mark.parametrize("recipe", [Recipe(), Recipe.strong()], ids=["light", "strong"])
def test_the_generator_alone_decides(recipe):
    batch = pictures(40)
    state = gen()
    first = augment(batch, state, recipe)
    again = augment(batch, state, recipe)
    torch.manual_seed(99)
    state = gen()
    assert torch.equal(first, augment(batch, state, recipe))
    assert torch.equal(again, augment(batch, state, recipe))
    assert not torch.equal(first, again)
    assert first.abs().max() < 127.5 / 128 + 1e-6


def test_a_recipe_takes_as_many_draws_as_any_other():
    one, other = gen(), gen()
    augment(pictures(), one, Recipe())
    third = gen()
    augment(pictures(), other, NONE)
    augment(pictures(), third, Recipe.strong())
    assert torch.equal(one.get_state(), other.get_state())
    assert torch.equal(one.get_state(), third.get_state())


def test_flip():
    batch = pictures(64)
    out = pixels(augment(batch, gen(), replace(NONE, flip=0.5)))
    mirrored = [torch.equal(o, b.flip(-1).float()) for o, b in zip(out, batch, strict=True)]
    same = [torch.equal(o, b.float()) for o, b in zip(out, batch, strict=True)]
    assert all(a != b for a, b in zip(mirrored, same, strict=True))
    assert 16 < sum(mirrored) < 48
    assert not torch.equal(augment(batch, gen(), replace(NONE, flip=1.0)),
                           augment(batch, gen(), NONE))


def only_colour(**kw):
    base = dict(colour=1.0, brightness=0, contrast=0, saturation=0, gains=0, hue=0)
    return replace(NONE, **{**base, **kw})


def test_colour_steps():
    batch = pictures(32)
    grey = batch[:, :1].expand(-1, 3, -1, -1).contiguous()
    want = batch.float()

    same = pixels(augment(batch, gen(), only_colour()))
    assert (same - want).abs().max() < 1e-2
    # Brightness is one factor for a picture.
    half = (batch // 2).to(torch.uint8)
    out = pixels(augment(half, gen(), only_colour(brightness=0.3)))
    factor = (out / half.clamp(min=1)).flatten(1).median(1).values
    assert torch.allclose(out, half * factor[:, None, None, None], atol=0.1)
    assert 0.69 < factor.min() < 0.85 and 1.15 < factor.max() < 1.31
    # Contrast keeps the mean, saturation and hue keep grey pictures, and luma (saturation).
    middle = (batch // 2 + 64).to(torch.uint8)
    out = pixels(augment(middle, gen(), only_colour(contrast=0.4)))
    luma = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    mean = ((out - middle) * luma).sum(1).mean((1, 2))
    assert mean.abs().max() < 0.05 and (out.flatten(1).std(1) / middle.float().flatten(1).std(1)
                                        ).max() > 1.2
    for recipe in (only_colour(saturation=0.5), only_colour(hue=0.1)):
        assert (pixels(augment(grey, gen(), recipe)) - grey.float()).abs().max() < 0.01
        assert (pixels(augment(batch, gen(), recipe)) - want).abs().max() > 10
    out = pixels(augment(middle, gen(), only_colour(saturation=0.4)))
    assert ((out - middle) * luma).sum(1).abs().max() < 0.05
    out = pixels(augment(batch, gen(), replace(NONE, grey=1.0)))
    assert (out[:, :1] - out).abs().max() < 0.01
    # Gains leave each channel in proportion.
    out = pixels(augment(half, gen(), only_colour(gains=0.2)))
    factor = out.flatten(2).sum(2) / half.float().flatten(2).sum(2)
    assert 0.79 < factor.min() < factor.max() < 1.21 and factor.std(1).max() > 0.05


def test_hue_turns():
    red = torch.zeros(1, 3, 16, 16, dtype=torch.uint8)
    red[:, 0] = 90
    for seed in range(30):
        out = pixels(augment(red, gen(seed), only_colour(hue=0.5)))[0, :, 0, 0]
        # Around the grey axis: neither the sum of channels nor the length changes, unless cut.
        if out.min() > 0.5:
            assert abs(float(out.sum()) - 90) < 0.1
            assert abs(float((out ** 2).sum().sqrt()) - 90) < 0.1


def test_blur_is_a_gaussian():
    batch = torch.zeros(1, 3, 112, 112, dtype=torch.uint8)
    batch[:, :, 56, 40] = 255
    out = pixels(augment(batch, gen(), replace(NONE, blur=1.0, blur_sigma=(1.5, 1.5))))[0, 0]
    at = torch.arange(112.0)
    line = torch.exp(-((at - 56) ** 2) / 4.5), torch.exp(-((at - 40) ** 2) / 4.5)
    want = 255 * (line[0] / line[0].sum())[:, None] * (line[1] / line[1].sum())
    assert (out - want).abs().max() < 1e-3
    flat = torch.full((2, 3, 112, 112), 77, dtype=torch.uint8)
    out = pixels(augment(flat, gen(), replace(NONE, blur=1.0)))
    assert (out - 77).abs().max() < 1e-3


def test_both_axes_have_their_own_sigma():
    batch = torch.zeros(6, 3, 112, 112, dtype=torch.uint8)
    batch[:, :, 56, 56] = 255
    out = pixels(augment(batch, gen(), replace(NONE, blur=1.0, blur_sigma=(0.4, 3.0))))[:, 0]
    at = torch.arange(112.0) - 56
    down = (out.sum(2) * at ** 2).sum(1) / 255
    across = (out.sum(1) * at ** 2).sum(1) / 255
    assert (down - across).abs().max() > 1


@pytest.mark.parametrize("quality", [15, 50, 90])
def test_jpeg_is_what_libjpeg_leaves(quality):
    image = pytest.importorskip("PIL.Image", reason="Pillow is an extra")
    noise = torch.randint(-20, 20, (8, 3, 112, 112), generator=gen())
    colour = (pictures().int() + noise).clamp(0, 255).to(torch.uint8)
    recipe = replace(NONE, jpeg=1.0, jpeg_quality=(quality, quality))
    # libjpeg rounds the chroma before it is halved and after; luma has no such steps.
    for batch, most in ((colour[:, :1].expand(-1, 3, -1, -1).contiguous(), 0.5), (colour, 1.5)):
        out = pixels(augment(batch, gen(), recipe))
        error, change = [], []
        for have, before in zip(out, batch, strict=True):
            raw = before.permute(1, 2, 0).numpy()
            buffer = io.BytesIO()
            image.fromarray(raw).save(buffer, "JPEG", quality=quality, subsampling=2)
            theirs = np.asarray(image.open(buffer)).astype(float)
            error.append(np.abs(have.permute(1, 2, 0).numpy() - theirs).mean())
            change.append(np.abs(raw - theirs).mean())
        assert np.mean(error) < min(most, 0.5 * np.mean(change))


def test_cutout():
    batch = pictures(64)
    out = pixels(augment(batch, gen(), replace(NONE, cutout=1.0, cutout_area=(0.1, 0.2))))
    colours = set()
    for have, before in zip(out, batch, strict=True):
        changed = (have != before).any(0)
        rows, columns = (torch.nonzero(changed.any(axis)).flatten() for axis in (1, 0))
        top, left = int(rows[0]), int(columns[0])
        box = have[:, top:int(rows[-1]) + 1, left:int(columns[-1]) + 1]
        assert 0.08 < box[0].numel() / 112 ** 2 < 0.22
        assert (box == box[:, :1, :1]).all()
        colours.add(tuple(box[:, 0, 0].tolist()))
    assert len(colours) > 60


def test_parts_of_the_batch():
    batch = pictures(200)
    for name in ("blur", "jpeg", "cutout", "colour", "grey", "warp", "exposure", "low", "noise"):
        out = augment(batch, gen(3), replace(NONE, **{name: 0.3}))
        touched = (out != augment(batch, gen(3), NONE)).flatten(1).any(1).float().mean()
        assert 0.2 < touched < 0.4, name


def test_small_sides_and_empty_batches():
    for recipe in (Recipe(), Recipe.strong()):
        for side in (16, 48):
            assert augment(pictures(9, side), gen(), recipe).shape == (9, 3, side, side)
        assert augment(pictures(3)[:0], gen(), recipe).shape == (0, 3, 112, 112)


def test_a_picture_is_changed_by_its_own_draws_alone():
    """However many others are in its batch, and in whatever chunk it is."""
    recipe = Recipe.strong()
    whole = augment(pictures(80), gen(), recipe)
    other = pictures(80)
    other[:40] = other[:40].flip(0)
    assert torch.equal(augment(other, gen(), recipe)[40:], whole[40:])


@pytest.mark.parametrize("batch", [torch.zeros(1, 3, 112, 112), torch.zeros(3, 112, 112),
                                   torch.zeros(1, 1, 112, 112, dtype=torch.uint8),
                                   torch.zeros(1, 3, 100, 112, dtype=torch.uint8)])
def test_other_batches_are_refused(batch):
    with pytest.raises(ValueError, match="multiples of 16"):
        augment(batch, gen(), NONE)


@pytest.mark.parametrize("kw", [{"flip": 1.5}, {"blur": -0.1}, {"blur_sigma": (2.0, 1.0)},
                                {"jpeg_quality": (0, 50)}, {"cutout_area": (0.1,)},
                                {"flip": float("nan")}, {"warp_turn": 181.0},
                                {"noise_sigma": (-1.0, 1.0)}])
def test_recipes_are_checked(kw):
    with pytest.raises(ValueError, match="Recipe"):
        Recipe(**kw)
