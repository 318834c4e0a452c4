# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Pictures on a device, and the inputs that are made of them."""

import pytest

NEEDS = ("torch",)


@pytest.fixture
def source():
    import torch

    from efm3.drawn.faces import Faces
    from tools.weights.resident import Resident

    said = []
    made = Resident(Faces(1, 0, 6, 4), torch.device("cpu"), said.append)
    assert said[0].startswith("24 pictures drawn, ")
    return made


def test_a_batch_is_the_pictures_of_its_numbers(source):
    import torch

    from efm3.drawn.faces import Faces

    pictures, labels = source.batch([23, 0, 9])
    want, own = Faces(1, 0, 6, 4).batch([23, 0, 9])
    assert torch.equal(pictures, want) and torch.equal(labels, own) and len(source) == 24


def test_a_pool_has_the_batches_of_training_in_their_order(source):
    import torch

    from efm3.train.feed import scale
    from efm3.train.sampler import Batches
    from tools.weights.resident import AHEAD, SLOTS, Pool

    pool = Pool(source, 5, "none", 7)
    order, wanted = Batches(24, 5, 7), []
    for epoch in range(9):
        order.start(epoch)
        wanted += [*order]
    for turn in range(4):
        pool.fill()
        for step in range(turn * AHEAD, (turn + 1) * AHEAD):
            pictures, labels = source.batch(wanted[step])
            assert torch.equal(pool.labels[step % SLOTS], labels)
            assert torch.equal(pool.images[step % SLOTS].permute(0, 3, 1, 2), scale(pictures))
    # What was made a turn before is still there.
    assert torch.equal(pool.labels[2 * AHEAD % SLOTS], source.batch(wanted[2 * AHEAD])[1])
