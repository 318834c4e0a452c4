# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Identities: one number per trait, of mean 0 and variance 1, and each trait's mean and spread.

Lengths are pixels of the aligned 112 × 112 crop, from its middle: x to the right, y down, z out of
the picture. A trait's value is mean + spread × number. Means and spreads were set by hand first and
then measured one by one (docs/drawn.md): a change stays where real photographs are nearer with it.
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
    ("skull_width", 0.991, 0.0482), ("skull_height", 1.11, 0.0962), ("skull_depth", 0.989, 0.0775),
    ("forehead", -0.925, 2.83), ("temples", -0.806, 1.62), ("face_length", 1.13, 0.0692),
    ("jaw_width", 0.0322, 0.0982), ("jaw_taper", 0.0562, 0.0955), ("jaw_corner", 1.97, 2.69),
    ("chin_y", 58.6, 3.2), ("chin_out", 9.41, 3.86), ("chin_width", 11.3, 3.57),
    ("chin_cleft", -0.523, 1.6), ("cheekbone", 2.84, 2.18), ("cheekbone_y", 12.2, 3.01),
    ("cheeks", 1.17, 2.66),
    # eyes
    ("eye_apart", 16.5, 0.866), ("eye_y", -3.95, 1.4), ("eye_width", 11.3, 1.18),
    ("eye_open", 1.81, 1.22), ("eye_tilt", -0.0874, 0.0752), ("eye_crease", 1.75, 1.12),
    ("eye_depth", 3.51, 1.85), ("eye_bulge", 4.92, 1.36), ("iris_size", 3.11, 0.481),
    ("iris_hue", -0.525, 1.62), ("iris_light", 2.19, 1.61), ("eye_bags", 0.637, 0.451),
    # brows
    ("brow_y", -10.8, 1.65), ("brow_thick", 2.07, 0.652), ("brow_length", 7.46, 1.54),
    ("brow_arch", 0.137, 1.17), ("brow_tilt", 0.0077, 0.116), ("brow_dark", 0.742, 0.214),
    ("brow_shift", 0.901, 1.65), ("brow_ridge", 4.14, 1.72),
    # nose
    ("nose_y", 14.3, 1.56), ("nose_root", -5.49, 3.22), ("nose_bridge", 4.1, 2.3),
    ("nose_tip", 11.9, 3.86), ("nose_hump", -1.89, 2.21), ("nose_thin", 3.14, 1.24),
    ("nose_wide", 8.69, 1.56), ("ala_x", 9.69, 1.56), ("ala_out", 4.06, 1.85),
    ("nose_under", 11.8, 1.58), ("nose_bend", 0.179, 1.28),
    # mouth
    ("mouth_y", 30.9, 1.77), ("mouth_width", 14.7, 1.54), ("lip_upper", 1.66, 1.57),
    ("lip_lower", 5.28, 1.8), ("lip_bow", 1.17, 0.803), ("lip_out", 2.08, 1.43),
    ("lip_red", 0.437, 0.318), ("mouth_curve", -1.45, 1.08), ("philtrum", 0.933, 1.05),
    # ears
    ("ear_size", 1.05, 0.192), ("ear_out", 9.73, 4.02), ("ear_y", 8.83, 3.53),
    ("ear_lobe", 0.409, 1.61),
    # skin
    ("skin_tone", 0.598, 0.324), ("skin_hue", 0.538, 1.6), ("blush", 0.525, 0.403),
    ("mottle", 0.679, 0.477), ("freckles", -0.992, 1.28), ("wrinkles", 0.45, 0.678),
    ("shine", 0.231, 0.0947),
    # where in the noise the skin lies
    ("texture_x", 19.4, 96.5), ("texture_y", -1.9, 96.0),
    # hair
    ("hair_tone", 0.289, 0.333), ("hair_red", -0.265, 0.4), ("hair_grey", -0.204, 0.768),
    ("hair_line", -46.2, 3.91), ("hair_curve", 0.00431, 0.0128), ("hair_peak", 2.08, 3.11),
    ("hair_side", 9.88, 12.8), ("hair_long", -0.36, 1.28), ("hair_thick", 7.59, 4.79),
    ("fringe", -0.717, 1.28), ("parting", 0.021, 0.161), ("hair_wave", 0.106, 1.6),
    # beard
    ("beard", -1.06, 1.2), ("beard_top", 25.9, 6.39), ("moustache", -0.00147, 0.84),
    # marks: moles and a scar
    ("mole1_x", -3.33, 25.5), ("mole1_y", 19.9, 22.4), ("mole1_size", 0.6, 1.44),
    ("mole2_x", -0.0183, 32.2), ("mole2_y", 11.9, 32.0), ("mole2_size", 0.29, 1.45),
    ("mole3_x", -4.88, 28.7), ("mole3_y", -11.2, 14.2), ("mole3_size", -0.0826, 1.44),
    ("scar_x", -4.29, 32.0), ("scar_y", 6.88, 38.6), ("scar_slope", -0.0363, 1.61),
    ("scar", -0.459, 1.28),
    # no face is its own mirror image
    ("lean_mouth", 0.0188, 0.0801), ("lean_eyes", 0.114, 0.961), ("lean_brows", 0.617, 1.12),
    # proportions: smooth stretching, knots in rows from above, in each from the middle outwards
    ("stretch_y0", -4.1, 4.68), ("stretch_y1", 0.566, 4.6), ("stretch_y2", 1.4, 4.79),
    ("stretch_y3", 0.281, 3.44), ("stretch_y4", -1.75, 3.48), ("stretch_y5", -0.497, 4.53),
    ("stretch_y6", 1.41, 2.59), ("stretch_y7", 0.949, 2.68), ("stretch_y8", 3.93, 5.12),
    ("stretch_y9", -1.99, 3.77), ("stretch_y10", 1.29, 4.07), ("stretch_y11", -0.743, 4.83),
    ("stretch_y12", 2.66, 4.87), ("stretch_y13", 0.538, 4.8), ("stretch_y14", -0.606, 4.82),
    ("stretch_x1", -2.56, 4.78), ("stretch_x2", 1.82, 4.82), ("stretch_x4", -1.45, 3.54),
    ("stretch_x5", -1.64, 4.04), ("stretch_x7", 0.212, 2.64), ("stretch_x8", 3.23, 3.45),
    ("stretch_x10", 3.09, 2.97), ("stretch_x11", -4.4, 4.85), ("stretch_x13", 1.47, 4.73),
    ("stretch_x14", -3.29, 4.82),
    # glasses, of those who always wear them
    ("glasses", -1.87, 0.99), ("glasses_size", 10.1, 1.0), ("glasses_shape", 0.0358, 0.499),
    ("glasses_hue", -0.762, 1.0), ("glasses_frame", 1.0, 0.597),
    # how much there is of a line or a shadow
    ("lash", 0.723, 0.286), ("crease", 0.451, 0.246), ("eye_skew", -0.0722, 0.339),
    ("eye_low", 0.315, 0.199), ("eye_white", 0.96, 0.0699), ("socket", 0.229, 0.134),
    ("nostril", 0.929, 0.25), ("nostril_size", 1.06, 0.251), ("nose_side", 0.182, 0.15),
    ("lip_line", 0.725, 0.249), ("lip_under", 0.154, 0.121), ("lip_tint", 0.623, 0.0796),
    ("fold", 0.0933, 0.12), ("brow_tone", 0.698, 0.28), ("brow_rough", 0.13, 0.101),
    # hair and beard
    ("goatee", 61.6, 30.0), ("hair_curl", 0.8, 0.599), ("hair_rough", 1.4, 0.879),
    ("hair_soft", 2.07, 0.668), ("hair_coarse", 0.27, 0.101),
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
