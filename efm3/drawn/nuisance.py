# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What changes from shot to shot: pose, expression, light, camera, background, things in the way.

A nuisance vector holds one uniform number in [0, 1) per row below; `shot` turns it into the values
that the renderer reads. Angles are in radians, lengths in pixels of the crop.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from efm3.drawn import draws
from efm3.drawn.spec import PLAIN, SETTINGS

DEGREE = 3.141592653589793 / 180
MAX_YAW, MAX_PITCH, MAX_ROLL = 50 * DEGREE, 22 * DEGREE, 25 * DEGREE

# name, low, high: value = low + (high - low) × number
RANGES = (
    ("yaw", -1.0, 1.0), ("pitch", -1.0, 1.0), ("roll", -1.0, 1.0), ("focal", 200.0, 900.0),
    ("shift_x", -3.5, 3.5), ("shift_y", -3.5, 3.5), ("zoom", 0.92, 1.1), ("tilt", -0.09, 0.09),
    ("smile", -0.5, 1.0), ("open", -1.6, 1.0), ("brow_up", -1.5, 2.0), ("squint", 0.7, 1.12),
    ("blink", 0.0, 1.0), ("gaze_x", -2.2, 2.2), ("gaze_y", -0.9, 0.9), ("puff", -1.0, 1.0),
    ("light_x", -1.5, 1.5), ("light_y", -1.3, 0.5), ("key", 0.35, 0.95), ("ambient", 0.28, 0.68),
    ("warm", -0.22, 0.22), ("rim", -0.6, 0.3), ("rim_side", -1.0, 1.0),
    ("fill", -0.4, 0.5), ("fill_x", -2.0, 2.0), ("fill_y", -1.5, 1.0), ("fill_warm", -0.35, 0.35),
    ("exposure", 0.72, 1.3), ("contrast", 0.75, 1.3), ("gamma", -0.35, 0.35),
    ("balance_r", 0.88, 1.12), ("balance_b", 0.85, 1.15), ("colour", 0.0, 1.0),
    ("back_r", 0.05, 0.95), ("back_g", 0.05, 0.95), ("back_b", 0.05, 0.95),
    ("back2_r", 0.05, 0.95), ("back2_g", 0.05, 0.95), ("back2_b", 0.05, 0.95),
    ("back_slope", -1.0, 1.0), ("back_at", -50.0, 50.0), ("back_scale", 0.3, 2.5),
    ("back_x", 0.0, 256.0), ("back_y", 0.0, 256.0), ("back_soft", 2.0, 60.0),
    ("back_rough", 0.0, 0.12), ("back_kind", 0.0, 1.0), ("back_size", 0.2, 1.6),
    ("back_level", -1.0, 1.0),
    ("shirt_r", 0.05, 0.9), ("shirt_g", 0.05, 0.9), ("shirt_b", 0.05, 0.9),
    ("hair_more", -2.0, 2.5), ("hair_fall", -5.0, 5.0), ("hair_x", 0.0, 256.0),
    ("tan", -0.06, 0.06), ("makeup", -1.0, 1.0), ("shave", -0.35, 0.35),
    ("glasses", 0.0, 1.0), ("glasses_size", 8.5, 12.0), ("glasses_dark", 0.0, 1.0),
    ("glasses_shape", 0.0, 1.0), ("mask", 0.0, 1.0), ("mask_top", 4.0, 14.0),
    ("hand", 0.0, 1.0), ("hand_x", -1.0, 1.0), ("hand_y", 0.0, 1.0), ("hand_turn", -0.6, 0.6),
    ("hat", 0.0, 1.0), ("hat_line", -40.0, -26.0),
    ("blur", 0.12, 0.65), ("streak", -1.0, 1.0), ("coarse", 0.0, 1.0),
    ("noise", -0.6, 0.9), ("noise_at", 0.0, 1.0), ("squeeze", -0.8, 1.0),
)
SIZE = len(RANGES)
_NAMES = [row[0] for row in RANGES]

_PARTS: dict[str, dict[str, tuple[float, float]]] = {
    PLAIN: {},
    # Seldom from the front, in hard light, with more in the way.
    "hard": {"yaw": (0.75, 1.25), "pitch": (0.7, 1.3), "key": (0.6, 1.0), "ambient": (0.0, 0.5),
             "glasses": (0.0, 0.5), "mask": (0.0, 0.3), "hand": (0.0, 0.3), "hat": (0.0, 0.3),
             "makeup": (0.5, 1.0), "hair_fall": (0.75, 1.25)},
    # Small pictures, in colours of their own, badly exposed, blurred and pressed together.
    "cameras": {"coarse": (0.0, 0.2), "blur": (0.5, 1.0), "squeeze": (0.6, 1.0),
                "noise": (0.5, 1.0), "colour": (0.0, 0.5), "exposure": (0.75, 1.25),
                "contrast": (0.75, 1.25), "gamma": (0.75, 1.25), "balance_r": (0.75, 1.25),
                "focal": (0.0, 0.3)},
}
"""By setting: which part of its range a number is drawn from, (0, 1) where none is named. What
passes 1 begins at 0 again: (0.75, 1.25) are the two ends."""


def nuisances(seed: int, identity_numbers: ArrayLike, shot_numbers: ArrayLike,
              setting: str = PLAIN) -> Tensor:
    """float32 [N, SIZE] in [0, 1): depends on (seed, identity, shot, setting) alone.

    Raises ValueError for a setting that is none of SETTINGS.
    """
    if setting not in SETTINGS:
        raise ValueError(f"setting is {setting!r}, not one of {', '.join(SETTINGS)}")
    who, shot_number = np.broadcast_arrays(np.asarray(identity_numbers, dtype=np.int64),
                                           np.asarray(shot_numbers, dtype=np.int64))
    out = torch.from_numpy(draws.uniform(draws.key(seed, 2, who.ravel(), shot_number.ravel()),
                                         SIZE))
    for name, (low, high) in _PARTS[setting].items():
        column = out[:, _NAMES.index(name)]
        column.mul_(high - low).add_(low)
        column.sub_((column >= 1.0).float())
    return out


def _thing(n: SimpleNamespace, name: str) -> None:
    """A wall's or a cloth's colour from its three numbers: how light, how warm, how green.

    In photographs nearly all colours lie between warm and cold: green and purple are rare.
    """
    light, warm, green = (getattr(n, f"{name}_{c}") for c in "rgb")
    warm = warm * 0.8 - 0.2
    green = green - 0.5
    green = green * green * green * 0.6
    for c, value in (("r", warm * 0.3 - green * 0.15), ("g", green * 0.35), ("b", warm * -0.6)):
        setattr(n, f"{name}_{c}", (light * (value + 1.0)).clamp(0.0, 1.0))


def shot(nuisance: Tensor) -> SimpleNamespace:
    """Each row's value as a column [N, 1], by name; rare things as 0 or 1."""
    if nuisance.dim() != 2 or nuisance.shape[1] != SIZE:
        raise ValueError(f"nuisance must be [N, {SIZE}], found {list(nuisance.shape)}")
    low = torch.tensor([r[1] for r in RANGES], dtype=torch.float32, device=nuisance.device)
    high = torch.tensor([r[2] for r in RANGES], dtype=torch.float32, device=nuisance.device)
    value = nuisance * (high - low) + low
    n = SimpleNamespace(**{r[0]: value[:, k:k + 1] for k, r in enumerate(RANGES)})
    # More shots near the front than at the ends, but no end is rare.
    n.yaw = n.yaw * (n.yaw.abs() * 0.7 + 0.3) * MAX_YAW
    n.pitch = n.pitch * (n.pitch.abs() * 0.7 + 0.3) * MAX_PITCH
    n.roll = n.roll * (n.roll.abs() * 0.7 + 0.3) * MAX_ROLL
    for name in ("back", "back2", "shirt"):
        _thing(n, name)
    # Light is warm or cold; a camera's own cast is less.
    n.balance_b = 2.2 - n.balance_r * 1.2 + (n.balance_b - 1.0) * 0.3
    for name in ("open", "rim", "fill", "blur", "noise", "squeeze"):
        setattr(n, name, getattr(n, name).clamp(min=0.0))
    n.coarse = (n.coarse < 0.1).float()
    n.blink = (n.blink < 0.05).float()
    n.grey = (n.colour < 0.06).float()
    n.glasses = (n.glasses < 0.16).float()
    n.dark = (n.glasses_dark < 0.2).float()
    n.mask = (n.mask < 0.04).float()
    n.hand = (n.hand < 0.04).float()
    n.hat = (n.hat < 0.08).float()
    return n
