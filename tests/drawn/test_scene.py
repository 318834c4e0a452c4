# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Pictures: the same on any threads, batch and vector unit, aligned, and hard to tell apart."""


import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from efm3 import drawn as synth
from efm3.drawn import photo, shape
from efm3.drawn.camera import AIM, Camera
from efm3.drawn.identity import traits
from efm3.drawn.nuisance import RANGES, shot

NEEDS = ("torch",)

ROOT = Path(__file__).resolve().parents[2]
PLACE = {row[0]: k for k, row in enumerate(RANGES)}


def plain(count, **values):
    """Shots from the front in a plain light, with nothing in the way."""
    n = torch.full((count, synth.SIZE), 0.5)
    for name in ("blink", "glasses", "mask", "hand", "hat", "colour"):
        n[:, PLACE[name]] = 0.99
    for name in ("blur", "noise", "squeeze"):
        n[:, PLACE[name]] = 0.0
    for name, value in values.items():
        n[:, PLACE[name]] = torch.as_tensor(value)
    return n


@pytest.fixture(scope="module")
def faces():
    return synth.Faces(11, 0, 6, 4)


@pytest.fixture(scope="module")
def pictures(faces):
    return faces.batch(range(len(faces)))[0]


def test_form(faces, pictures):
    assert pictures.shape == (24, 3, 112, 112) and pictures.dtype == torch.uint8
    labels = faces.batch([0, 5, 23])[1]
    assert labels.tolist() == [0, 1, 5] and labels.dtype == torch.int64
    assert (len(faces), faces.classes) == (24, 6)
    picture, label = faces[5]
    assert label == 1 and torch.equal(picture, pictures[5])
    with pytest.raises(IndexError):
        faces.batch([24])
    with pytest.raises(IndexError):
        faces.batch([-1])


@pytest.mark.parametrize("size", [1, 5, 17])
def test_a_batch_may_be_split_anywhere(faces, pictures, size):
    parts = [faces.batch(range(at, min(at + size, 24)))[0] for at in range(0, 24, size)]
    assert torch.equal(torch.cat(parts), pictures)


def test_order_and_first_do_not_matter(faces, pictures):
    assert torch.equal(faces.batch([20, 3, 3])[0], pictures[[20, 3, 3]])
    assert torch.equal(synth.Faces(11, 4, 2, 4).batch(range(8))[0], pictures[16:])


def test_threads_do_not_matter(faces, pictures, threads):
    for count in (1, 2, 3):
        threads(count)
        assert torch.equal(faces.batch(range(24))[0], pictures)


def test_the_vector_unit_does_not_matter(pictures, tmp_path):
    code = ("import sys, torch; from efm3 import drawn as synth;"
            "torch.save(synth.Faces(11, 0, 6, 4).batch(range(24))[0], sys.argv[1]);"
            "print(torch.backends.cpu.get_cpu_capability())")
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "p"], cwd=ROOT, text=True,
                          capture_output=True, check=True,
                          env={**os.environ, "ATEN_CPU_CAPABILITY": "default"})
    assert done.stdout.strip() == "DEFAULT"
    assert torch.equal(torch.load(tmp_path / "p"), pictures)


def test_pictures_are_those_of_before():
    """Kept from the machine on which the generator was written; FORMAT counts the changes."""
    kept = torch.from_numpy(np.load(Path(__file__).parent / "kept.npz")["pictures"])
    drawn = synth.render(synth.identities(3, 0, 4), synth.nuisances(3, range(4), [0] * 4), 64)
    assert (drawn.int() - kept.int()).abs().max() <= 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no second device to compare with")
def test_a_gpu_draws_the_same(pictures):
    other = synth.Faces(11, 0, 6, 4, device="cuda").batch(range(24))[0].cpu()
    assert (other.int() - pictures.int()).abs().max() <= 1


def test_a_front_view_is_aligned():
    i, n = traits(torch.zeros(1, synth.DIM)), shot(plain(1))
    marks = shape.build(i, n)[2]
    camera = Camera(n, marks, 112)
    x, y = camera.pixels(*camera.plane(camera.rotate(marks)))
    far = ((x - torch.tensor([[p[0] for p in AIM]])) ** 2
           + (y - torch.tensor([[p[1] for p in AIM]])) ** 2).sqrt()
    assert far.max() < 1.5
    picture = synth.render(torch.zeros(1, synth.DIM), plain(1))[0].float().mean(0)
    # The dark pupils lie where the eyes should.
    for column in (38, 73):
        around = picture[44:60, column - 8:column + 9]
        row, off = divmod(int(around.argmin()), 17)
        assert abs(44 + row - 52) <= 3 and abs(off - 8) <= 4


@pytest.mark.parametrize("turn", [0.0, 1.0])
def test_any_pose_stays_near_the_aim(turn):
    count = 16
    i = traits(synth.identities(2, 0, count))
    n = shot(plain(count, yaw=turn, pitch=torch.linspace(0, 1, count)))
    marks = shape.build(i, n)[2]
    camera = Camera(n, marks, 112)
    x, y = camera.pixels(*camera.plane(camera.rotate(marks)))
    assert abs(float(x.mean()) - sum(p[0] for p in AIM) / 5) < 0.7
    assert abs(float(y.mean()) - sum(p[1] for p in AIM) / 5) < 0.7


def test_upright_is_the_inverse_of_pixels():
    n = shot(synth.nuisances(4, range(8), 0))
    marks = shape.build(traits(synth.identities(4, 0, 8)), n)[2]
    for side in (112, 64):
        camera = Camera(n, marks, side)
        px, py = camera.pixels(*camera.upright())
        gx, gy = camera.grid()
        assert (px - gx).abs().max() < 1e-3 and (py - gy).abs().max() < 1e-3


def test_towards_is_the_inverse_of_rest():
    i = traits(synth.identities(4, 0, 8))
    x, y = torch.tensor([[-17.0, 0.0, 14.0]]), torch.tensor([[-5.0, 16.0, 36.0]])
    rx, ry, _ = shape._rest(i, shape._towards(i, x, y))
    assert (rx - x).abs().max() < 1e-3 and (ry - y).abs().max() < 1e-3


def test_smaller_pictures_show_the_same(faces):
    small = synth.render(faces.vectors, plain(6), side=56).float().reshape(6, -1)
    large = synth.render(faces.vectors, plain(6)).float()
    large = torch.nn.functional.avg_pool2d(large, 2).reshape(6, -1)
    far = torch.cdist(small, large)
    own = far.diagonal()
    assert (far.argmin(1) == torch.arange(6)).all()
    assert (own * 2 < (far + torch.eye(6) * 1e9).amin(1)).all()


@pytest.mark.parametrize("name,least", [
    ("yaw", 8), ("smile", 0.3), ("light_x", 4), ("exposure", 4), ("back_r", 2), ("glasses", 1),
    ("mask", 4), ("hand", 2), ("hat", 3), ("blur", 0.8), ("noise", 1.5), ("squeeze", 1),
    ("gaze_x", 0.05), ("blink", 0.1), ("shift_x", 2), ("balance_b", 2), ("focal", 1)])
def test_every_nuisance_shows(faces, name, least):
    a, b = (synth.render(faces.vectors, plain(6, **{name: v})).float() for v in (0.01, 0.97))
    assert (a - b).abs().mean() > least


def test_every_trait_shows():
    """Somebody looks different when one number changes, whichever it is."""
    count = synth.DIM
    names = [row[0] for row in synth.TRAITS]
    most = torch.zeros(count)
    for beard in (-1.0, 1.5):
        base = torch.full((count, count), 0.3)
        for name in ("beard", "scar", "mole2_size", "mole3_size", "freckles"):
            base[:, names.index(name)] = {"beard": beard, "scar": 1.8}.get(name, 1.0)
        n = plain(count, yaw=0.7)
        pictures = [synth.render(v, n, 64).float() for v in (base, base + torch.eye(count) * 1.5)]
        most = torch.maximum(most, (pictures[0] - pictures[1]).abs().amax((1, 2, 3)))
    assert not [name for name, much in zip(names, most, strict=True) if much < 6]


def test_people_are_hard_to_tell_apart_by_pixels():
    """The nearest other picture is seldom one of the same identity, but in plain shots it is."""
    faces = synth.Faces(21, 0, 24, 4)

    def hits(pictures):
        flat = pictures.float().reshape(96, -1)
        far = torch.cdist(flat, flat) + torch.eye(96) * 1e9
        return (far.argmin(1) // 4 == torch.arange(96) // 4).float().mean()
    assert hits(faces.batch(range(96))[0]) < 0.3
    turned = plain(96, yaw=torch.tensor([0.4, 0.47, 0.53, 0.6]).repeat(24))
    assert hits(synth.render(faces.vectors.repeat_interleave(4, 0), turned)) > 0.9


def test_compression_is_a_cosine_transform():
    x = torch.rand(8, 50)
    k, j = np.meshgrid(np.arange(8), np.arange(8), indexing="ij")
    matrix = np.cos(np.pi * k * (2 * j + 1) / 16) * np.where(k == 0, 8 ** -0.5, 0.5)
    got = torch.stack(photo._dct(list(x)))
    assert (got - torch.from_numpy(matrix).float() @ x).abs().max() < 1e-5
    assert (torch.stack(photo._idct(list(got))) - x).abs().max() < 1e-5


def test_compression_loses_more_when_coarser(pictures):
    clean = pictures.float()[:4] / 255
    loss = [(photo.squeeze(clean, torch.full((4, 1), a)) - clean).abs().mean() for a in (0.1, 1.0)]
    assert 0 < loss[0] < loss[1] < 0.1
