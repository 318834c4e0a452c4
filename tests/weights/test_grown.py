# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A wider network begins where a narrower one ended."""

import pytest

NEEDS = ("torch",)


def network(size, seed):
    import torch

    from efm3.arch import ARCHS
    from efm3.train.model import MobileFaceNet

    torch.manual_seed(seed)
    made = MobileFaceNet(ARCHS[size])
    with torch.no_grad():
        for name, value in made.state_dict().items():
            if name.endswith(("bn.weight", "running_var")):
                value.uniform_(0.5, 1.5)
            elif name.endswith(("bn.bias", "running_mean", "act.weight")):
                value.uniform_(-0.3, 0.3)
    return made.eval()


@pytest.mark.parametrize("one, two", [("nano", "tiny"), ("tiny", "standard"), ("standard", "xs")])
@pytest.mark.parametrize("training", [False, True])
def test_the_wider_network_computes_the_same(one, two, training):
    import torch

    from tools.weights.grown import places, widened

    narrow, wide = network(one, 1), network(two, 2)
    widened(narrow, wide, 3)
    x = torch.randn(4, 3, 112, 112, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        a, b = narrow.train(training)(x), wide.train(training)(x)
    copies = places(b.shape[1], a.shape[1])
    assert torch.allclose(a[:, copies], b, rtol=1e-3, atol=1e-3 * float(a.std()))


def test_copies_of_a_channel_do_not_stay_copies():
    import torch

    from tools.weights.grown import units, widened

    narrow, wide = network("nano", 1), network("tiny", 2)
    widened(narrow, wide, 3)
    wide.train()(torch.randn(4, 3, 112, 112)).square().mean(0)[:256].sum().backward()
    for unit, small in zip(units(wide)[:-1], units(narrow), strict=False):
        n = len(small.conv.weight)
        grad = unit.conv.weight.grad
        same = [torch.allclose(grad[j], grad[j - n], rtol=1e-2) for j in range(n, len(grad))]
        assert not any(same)


def test_what_cannot_be_grown_is_refused():
    import efm3
    from efm3.train.model import MobileFaceNet
    from tools.weights.grown import widened

    with pytest.raises(ValueError, match="32 channels cannot become 24"):
        widened(network("tiny", 1), network("nano", 1), 1)
    other = MobileFaceNet(efm3.ARCHS["tiny"].__class__(**{
        **vars(efm3.ARCHS["tiny"]), "stem_kernel": 5}))
    with pytest.raises(ValueError, match="more than their channels"):
        widened(network("nano", 1), other, 1)


def test_a_run_begins_with_a_finished_one(tmp_path):
    import torch

    from efm3.drawn.faces import Faces
    from efm3.train import checkpoint, parallel, state
    from efm3.train.config import Config
    from efm3.train.loop import Trainer
    from tools.weights.grown import begin
    from tools.weights.resident import Resident

    world = parallel.join("cpu")

    def trainer(size, first=0):
        source = Resident(Faces(1, first, 4, 3), torch.device("cpu"), lambda text: None)
        (folder := tmp_path / size).mkdir(exist_ok=True)
        return Trainer(Config(out=str(folder), arch=size, steps=1, batch=4, ema=0.9), source, world)
    narrow = trainer("nano")
    narrow.save()
    wide = trainer("tiny")
    begin(wide, tmp_path / "nano" / "last.pt")
    again = trainer("tiny")
    state.restore(again, checkpoint.load(tmp_path / "tiny" / "last.pt"))
    x = torch.randn(4, 3, 112, 112)
    labels = torch.tensor([0, 1, 2, 3])
    with torch.no_grad():
        losses = [float(t.head(t.model.eval()(x), labels)[0]) for t in (narrow, again)]
    assert again.step == 0 and losses[0] == pytest.approx(losses[1], rel=1e-3)
    with pytest.raises(ValueError, match="other pictures"):
        begin(trainer("tiny", 10), tmp_path / "nano" / "last.pt")
