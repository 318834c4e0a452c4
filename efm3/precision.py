# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The engine's precisions: their names, and what each promises."""

from __future__ import annotations

PRECISIONS = ("f32", "high", "fast")
"""Of the pointwise layers, in the order of the C header: float32, 16 bits, 8 bits."""

LEAST = {"high": 0.9999, "fast": 0.999}
"""Least cosine to the float64 reference over pictures of faces, for trained weights."""
