# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The moving average of a network over its steps, which is often better than its last state."""

from __future__ import annotations

import copy

import torch

from efm3.train.model import MobileFaceNet


def share(step: int, most: float) -> float:
    """How much of the average stays at step 0, 1, ...: less at first, when little is learnt."""
    return min(most, (1 + step) / (10 + step))


class Average:
    """An exponential moving average of a network's parameters and BatchNorm statistics.

    `network` holds it, in eval mode: it can be scored and stored like any other.
    """

    def __init__(self, model: MobileFaceNet, most: float) -> None:
        self.most = most
        self.network = copy.deepcopy(model).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, model: MobileFaceNet, step: int) -> None:
        """Take in the network as it is after `step`, counted from 0."""
        own, new = self.network.state_dict(), model.state_dict()
        floats = [k for k, v in own.items() if v.is_floating_point()]
        torch._foreach_lerp_([own[k] for k in floats], [new[k] for k in floats],
                             1 - share(step, self.most))
        for k, v in own.items():
            if not v.is_floating_point():
                v.copy_(new[k])
