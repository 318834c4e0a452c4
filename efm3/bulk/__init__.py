# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Many pictures to a table of embeddings (docs/bulk.md)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from efm3.bulk.row import COLUMNS, FORMAT, Job, Row

if TYPE_CHECKING:
    from efm3.bulk.inputs import Inputs
    from efm3.bulk.run import embed

__all__ = ["COLUMNS", "FORMAT", "Inputs", "Job", "Row", "embed"]

_HOMES = {"Inputs": "inputs", "embed": "run"}


def __getattr__(name: str) -> Any:
    """What takes numpy, the engine and more is imported when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'efm3.bulk' has no attribute {name!r}")
    return getattr(import_module(f"efm3.bulk.{_HOMES[name]}"), name)
