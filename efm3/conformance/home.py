# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Where the spec and its cases are, and the one error of a case that cannot be made."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent

HOME = next((p for p in (_PACKAGE / "spec", _PACKAGE.parent / "spec") if p.is_dir()),
            _PACKAGE / "spec")
"""The folder of the spec: beside the package in a checkout, inside it where it is installed."""


class RecipeError(ValueError):
    """A recipe that cannot be followed: an unknown op, place, tensor or argument."""
