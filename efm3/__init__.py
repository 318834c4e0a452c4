# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""EFM3: read, write, check and show FaceX weight files.

Names are imported when they are first used, so that `import efm3` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from efm3.arch import ARCHS as ARCHS
    from efm3.arch import Arch as Arch
    from efm3.arch import Stage as Stage
    from efm3.engine import Engine as Engine
    from efm3.engine import similarity as similarity
    from efm3.findings import Efm3Error as Efm3Error
    from efm3.findings import Finding as Finding
    from efm3.findings import Report as Report
    from efm3.model import Model as Model
    from efm3.model import dumps as dumps
    from efm3.model import load as load
    from efm3.model import save as save
    from efm3.network import layers as layers
    from efm3.network import tensor_layout as tensor_layout
    from efm3.validator import validate as validate

from efm3.version import __version__ as __version__

_HOMES = {
    "ARCHS": "arch", "Arch": "arch", "Stage": "arch",
    "Engine": "engine", "similarity": "engine",
    "Efm3Error": "findings", "Finding": "findings", "Report": "findings",
    "Model": "model", "load": "model", "save": "model", "dumps": "model",
    "layers": "network", "tensor_layout": "network", "validate": "validator",
}

__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'efm3' has no attribute {name!r}")
    value = getattr(import_module(f"efm3.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
