# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Things before a face stand on the pictures that have them, and on no other."""

import pytest
import torch

from efm3 import drawn as synth
from tests.drawn.shots import plain

NEEDS = ("torch",)


# Where a thing is, as a part of the picture's height: rows of 112.
ROWS = {"glasses": slice(40, 64), "mask": slice(70, 100), "hand": slice(0, 112)}


@pytest.mark.parametrize("name", ROWS)
def test_only_the_picture_that_has_it_changes(name):
    faces = synth.identities(2, 0, 3)
    without = synth.render(faces, plain(3))
    with_it = synth.render(faces, plain(3, **{name: torch.tensor([0.99, 0.0, 0.99])}))
    assert torch.equal(without[::2], with_it[::2])
    change = (without[1].int() - with_it[1].int()).abs().amax(0)
    assert (change[ROWS[name]] > 20).sum() > 100
