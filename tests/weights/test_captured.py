# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The step that a GPU repeats is the step of training: here its operations on a CPU."""

import pytest

NEEDS = ("torch",)
STEPS = 20


@pytest.fixture
def parts(tmp_path):
    import torch

    from efm3.drawn.faces import Faces
    from efm3.train import parallel
    from efm3.train.config import Config
    from efm3.train.loop import Trainer
    from tools.weights.resident import Pool, Resident

    world = parallel.join("cpu")
    source = Resident(Faces(1, 0, 6, 4), torch.device("cpu"), lambda text: None)

    def trainer(lr=1e-3):
        made = Trainer(Config(out=str(tmp_path), steps=STEPS, batch=4, ema=0.9, margin_warmup=2.0,
                              warmup=0.5, scale=16.0, lr=lr), source, world)
        made.net.train()
        return made
    return trainer, Pool(source, 4, "light", 3)


@pytest.mark.parametrize("lr, steps", [
    # After some more steps two orders of summation are two networks.
    (1e-3, 3),
    # Where nothing is learnt, margins and inputs show, beyond the pool's end too.
    (0.0, STEPS)])
def test_it_learns_what_a_trainer_learns(parts, lr, steps):
    import torch

    from tools.weights.captured import Captured
    from tools.weights.resident import AHEAD, SLOTS

    trainer, pool = parts
    plain, own = trainer(lr), Captured(trainer(lr), pool)
    for begin in range(0, steps, AHEAD):
        pool.fill()
        count = min(AHEAD, steps - begin)
        own.learn(count)
        for step in range(begin, begin + count):
            x = pool.images[step % SLOTS].permute(0, 3, 1, 2)
            plain.learn(x, pool.labels[step % SLOTS], 0.0, 0.0)
    own.settle()
    plain.settle()
    assert own.trainer.step == plain.step == steps
    assert own.trainer.partial["seen"] == plain.partial["seen"] == 4 * steps
    assert own.trainer.partial["right"] == plain.partial["right"]
    assert own.trainer.partial["loss"] == pytest.approx(plain.partial["loss"], rel=1e-5)
    for one, two in ((own.trainer.model, plain.model),
                     (own.trainer.average.network, plain.average.network)):
        for key, value in one.state_dict().items():
            if value.is_floating_point():
                torch.testing.assert_close(value, two.state_dict()[key], rtol=1e-4, atol=1e-6)


def test_a_loss_that_is_no_number_is_told(parts):
    import torch

    from efm3.train.loop import Diverged
    from tools.weights.captured import Captured

    trainer, pool = parts
    own = Captured(trainer(), pool)
    with torch.no_grad():
        own.trainer.head.weight.fill_(float("nan"))
    pool.fill()
    own.learn(1)
    with pytest.raises(Diverged, match="the loss is nan before step 1"):
        own.settle()
