# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Identities: one number per trait, of mean 0 and variance 1, and each trait's mean and spread.

Lengths are pixels of the aligned 112 × 112 crop, from its middle: x to the right, y down, z out of
the picture. A trait's value is mean + spread × number.
"""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import Tensor

from efm3.drawn import draws

# Difficulty: the distance between identities. Smaller is harder; 0 makes all identities equal.
SPREAD = 1.0

# name, mean, spread
TRAITS = (
    # skull and jaw
    ("skull_width", 1.0, 0.05), ("skull_height", 1.0, 0.06), ("skull_depth", 1.0, 0.05),
    ("forehead", 0.0, 1.8), ("temples", 1.2, 1.0), ("face_length", 1.0, 0.045),
    ("jaw_width", 0.0, 0.07), ("jaw_taper", 0.12, 0.06), ("jaw_corner", 1.0, 1.5),
    ("chin_y", 53.0, 2.0), ("chin_out", 7.0, 2.4), ("chin_width", 12.0, 2.2),
    ("chin_cleft", -0.5, 1.0), ("cheekbone", 2.5, 1.5), ("cheekbone_y", 10.0, 2.0),
    ("cheeks", 0.5, 2.0),
    # eyes
    ("eye_apart", 17.6, 1.1), ("eye_y", -4.5, 1.3), ("eye_width", 8.3, 0.8),
    ("eye_open", 3.5, 0.7), ("eye_tilt", 0.05, 0.09), ("eye_crease", 2.4, 0.9),
    ("eye_depth", 5.0, 1.5), ("eye_bulge", 3.0, 0.9), ("iris_size", 3.8, 0.3),
    ("iris_hue", 0.0, 1.0), ("iris_light", 0.0, 1.0), ("eye_bags", 0.25, 0.3),
    # brows
    ("brow_y", -10.5, 1.4), ("brow_thick", 1.7, 0.5), ("brow_length", 10.5, 1.2),
    ("brow_arch", 2.0, 1.2), ("brow_tilt", 0.0, 0.09), ("brow_dark", 0.7, 0.16),
    ("brow_shift", 1.0, 1.3), ("brow_ridge", 3.0, 1.3),
    # nose
    ("nose_y", 15.7, 1.6), ("nose_root", -6.0, 2.0), ("nose_bridge", 5.0, 1.5),
    ("nose_tip", 15.0, 2.6), ("nose_hump", 0.5, 1.4), ("nose_thin", 5.6, 0.8),
    ("nose_wide", 8.2, 1.0), ("ala_x", 7.2, 1.0), ("ala_out", 5.0, 1.2), ("nose_under", 8.0, 1.0),
    ("nose_bend", 0.0, 0.8),
    # mouth
    ("mouth_y", 36.5, 1.5), ("mouth_width", 14.4, 1.5), ("lip_upper", 3.9, 1.0),
    ("lip_lower", 5.4, 1.1), ("lip_bow", 1.0, 0.5), ("lip_out", 2.5, 0.9),
    ("lip_red", 0.6, 0.2), ("mouth_curve", 0.0, 0.7), ("philtrum", 0.8, 0.5),
    # ears
    ("ear_size", 1.0, 0.12), ("ear_out", 8.0, 2.5), ("ear_y", 7.0, 2.2), ("ear_lobe", 0.0, 1.0),
    # skin
    ("skin_tone", 0.42, 0.27), ("skin_hue", 0.0, 1.0), ("blush", 0.3, 0.25),
    ("mottle", 0.5, 0.3), ("freckles", -0.6, 0.8), ("wrinkles", 0.0, 0.5), ("shine", 0.12, 0.06),
    ("texture_x", 0.0, 60.0), ("texture_y", 0.0, 60.0),
    # hair
    ("hair_tone", 0.3, 0.26), ("hair_red", 0.2, 0.25), ("hair_grey", -0.5, 0.6),
    ("hair_line", -40.0, 6.5), ("hair_curve", 0.010, 0.009), ("hair_peak", 0.0, 2.0),
    ("hair_side", 8.0, 8.0), ("hair_long", -0.3, 1.0), ("hair_thick", 5.0, 3.0),
    ("fringe", -0.8, 1.0), ("parting", 0.0, 0.1), ("hair_wave", 0.0, 1.0),
    # beard
    ("beard", -0.6, 0.8), ("beard_top", 26.0, 4.0), ("moustache", -0.5, 0.7),
    # marks: moles and a scar
    ("mole1_x", 0.0, 16.0), ("mole1_y", 22.0, 14.0), ("mole1_size", 0.6, 0.9),
    ("mole2_x", 0.0, 20.0), ("mole2_y", 5.0, 20.0), ("mole2_size", 0.2, 0.9),
    ("mole3_x", 0.0, 18.0), ("mole3_y", -20.0, 12.0), ("mole3_size", 0.0, 0.9),
    ("scar_x", 0.0, 20.0), ("scar_y", 10.0, 24.0), ("scar_slope", 0.0, 1.0),
    ("scar", -0.8, 0.8),
    # no face is its own mirror image
    ("lean_mouth", 0.0, 0.05), ("lean_eyes", 0.0, 0.6), ("lean_brows", 0.0, 0.7),
)
DIM = len(TRAITS)


def identities(seed: int, first: int, count: int, spread: float = SPREAD) -> Tensor:
    """The vectors of identities first … first + count - 1: float32 [count, DIM].

    Identity k of a seed depends on (seed, k) alone, bit for bit on every machine.
    """
    if count < 0:
        raise ValueError(f"count must not be negative, found {count}")
    numbers = first + torch.arange(count, dtype=torch.int64).numpy()
    vector = draws.normal(draws.key(seed, 1, numbers), DIM)
    return torch.from_numpy(vector) * spread


def traits(identity: Tensor) -> SimpleNamespace:
    """Each trait's value as a column [N, 1], by name."""
    if identity.dim() != 2 or identity.shape[1] != DIM:
        raise ValueError(f"identity must be [N, {DIM}], found {list(identity.shape)}")
    mean = torch.tensor([t[1] for t in TRAITS], dtype=torch.float32, device=identity.device)
    spread = torch.tensor([t[2] for t in TRAITS], dtype=torch.float32, device=identity.device)
    value = identity * spread + mean
    return SimpleNamespace(**{t[0]: value[:, k:k + 1] for k, t in enumerate(TRAITS)})
