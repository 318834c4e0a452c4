# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""EFM3: read, write, check and show FaceX weight files.

Names and packages (`efm3.reference`, `efm3.convert`) are imported when they are first used, so that
`import efm3` is cheap. This file is above all that it exports: no other module imports it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from efm3.version import __version__ as __version__

if TYPE_CHECKING:
    from efm3 import arch as arch
    from efm3 import bulk as bulk
    from efm3 import codes as codes
    from efm3 import conformance as conformance
    from efm3 import convert as convert
    from efm3 import doctor as doctor
    from efm3 import drawn as drawn
    from efm3 import evaluation as evaluation
    from efm3 import index as index
    from efm3 import mirror as mirror
    from efm3 import photos as photos
    from efm3 import pictures as pictures
    from efm3 import reference as reference
    from efm3 import shipped as shipped
    from efm3 import train as train
    from efm3 import untrained as untrained
    from efm3 import verification as verification
    from efm3.arch import ARCHS as ARCHS
    from efm3.arch import Arch as Arch
    from efm3.arch import Stage as Stage
    from efm3.engine import Engine as Engine
    from efm3.engine import similarity as similarity
    from efm3.fallback import embedder as embedder
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

_HOMES = {
    "ARCHS": "arch", "Arch": "arch", "Stage": "arch",
    "Engine": "engine", "similarity": "engine", "embedder": "fallback",
    "Efm3Error": "findings", "Finding": "findings", "Report": "findings",
    "Model": "model", "load": "model", "save": "model", "dumps": "model",
    "layers": "network", "tensor_layout": "network", "validate": "validator",
}
_ROOMS = ("arch", "bulk", "codes", "conformance", "convert", "doctor", "drawn", "evaluation",
          "index", "mirror", "photos", "pictures", "reference", "shipped", "train", "untrained",
          "verification")

__all__ = ["__version__", *sorted(_HOMES), *_ROOMS]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"efm3.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'efm3' has no attribute {name!r}")
    value = getattr(import_module(f"efm3.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
