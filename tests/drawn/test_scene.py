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
from tests.drawn.shots import plain

NEEDS = ("torch",)

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def faces():
    return synth.Faces(11, 0, 6, 4)


@pytest.fixture(scope="module")
def pictures(faces):
    return faces.batch(range(len(faces)))[0]


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
    ("gaze_x", 0.05), ("blink", 0.1), ("shift_x", 2), ("balance_r", 2), ("focal", 1),
    ("fill", 2), ("zoom", 1), ("back_rough", 0.3)])
def test_every_nuisance_shows(faces, name, least):
    a, b = (synth.render(faces.vectors, plain(6, **{name: v})).float() for v in (0.01, 0.97))
    assert (a - b).abs().mean() > least


@pytest.mark.parametrize("kind", [0.1, 0.4])
def test_things_stand_behind(faces, kind):
    pictures = [synth.render(faces.vectors, plain(6, back_kind=k, shirt_r=0.9)).float()
                for k in (kind, 0.99)]
    assert (pictures[0] - pictures[1]).abs().mean() > 1


def test_every_trait_shows():
    """Somebody looks different when one number changes, whichever it is."""
    count = synth.DIM
    names = [row[0] for row in synth.TRAITS]
    most = torch.zeros(count)
    for beard, glasses in ((-1.0, 3.0), (1.5, 0.0)):
        base = torch.full((count, count), 0.3)
        for name, value in (("beard", beard), ("glasses", glasses), ("goatee", -1.5), ("scar", 0.8),
                            ("mole2_size", 0.6), ("mole3_size", 0.6), ("freckles", 1.0)):
            base[:, names.index(name)] = value
        n = plain(count, yaw=0.7, zoom=0.0, shift_y=0.0)
        pictures = [synth.render(base + torch.eye(count) * step, n, 64).float()
                    for step in (-1.5, 0.0, 1.5)]
        for other in pictures[::2]:
            most = torch.maximum(most, (pictures[1] - other).abs().amax((1, 2, 3)))
    assert not [name for name, much in zip(names, most, strict=True) if much < 5]


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


def test_wrong_sizes_are_named():
    zeros = torch.zeros
    for who, how, more in ((zeros(2, 3), zeros(2, synth.SIZE), {}),
                           (zeros(2, synth.DIM), zeros(2, 3), {}),
                           (zeros(1, synth.DIM), zeros(2, synth.SIZE), {}),
                           (zeros(2, synth.DIM), zeros(2, synth.SIZE), {"side": 113})):
        with pytest.raises(ValueError, match=r"found|but"):
            synth.render(who, how, **more)
