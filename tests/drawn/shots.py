# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Shots for tests, by the values of what they vary."""

import torch

from efm3.drawn.nuisance import RANGES, SIZE

PLACE = {row[0]: k for k, row in enumerate(RANGES)}


def plain(count, **values):
    """Shots from the front in a plain light, with nothing in the way."""
    n = torch.full((count, SIZE), 0.5)
    for name in ("blink", "glasses", "mask", "hand", "hat", "colour"):
        n[:, PLACE[name]] = 0.99
    for name in ("blur", "noise", "squeeze", "fill"):
        n[:, PLACE[name]] = 0.0
    n[:, PLACE["coarse"]] = n[:, PLACE["back_kind"]] = 0.99
    for name, value in values.items():
        n[:, PLACE[name]] = torch.as_tensor(value)
    return n
