# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Learning rate and margin as pure functions of the step: no state to store, and no PyTorch."""

from __future__ import annotations

import math

from efm3.train.config import Config

FLOOR = 0.01
"""Where the cosine ends, as a fraction of the peak."""


def total(config: Config, per_epoch: int) -> int:
    """Steps of a run: those asked for, else its epochs of `per_epoch` steps each."""
    return config.steps or config.epochs * per_epoch


def in_steps(epochs: float, per_epoch: int) -> int:
    """A length in epochs, such as the warm-up's, as whole steps."""
    return round(epochs * per_epoch)


def rate(step: int, steps: int, warmup: int, peak: float) -> float:
    """The learning rate of step 0..steps-1: linear up to `peak`, then half a cosine down."""
    if step < warmup:
        return peak * (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    return peak * (FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


def margin(step: int, ramp: int, full: float) -> float:
    """The margin of a step: 0 at first, linear up to `full` over `ramp` steps."""
    return full if step >= ramp else full * step / ramp
