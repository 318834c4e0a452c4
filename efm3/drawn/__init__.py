# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Head-like pictures drawn from numbers, without any photograph, scan or model of people.

An identity vector describes the person, a nuisance vector the shot; both are hashed from
a seed, so data of any size are the same on every machine. See docs/drawn.md.

PyTorch is imported with the first name that is used, not with the package.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "DIM": "identity", "SPREAD": "identity", "TRAITS": "identity", "identities": "identity",
    "RANGES": "nuisance", "SIZE": "nuisance", "nuisances": "nuisance",
    "SIDE": "scene", "render": "scene", "Faces": "faces", "cache": "faces",
    "Pair": "pairs", "draw_pairs": "pairs",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
