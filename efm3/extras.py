# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Optional libraries, and the one hint on how to install them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from efm3.findings import refuse

TITLES = {"PIL": "Pillow", "torch": "PyTorch", "onnxruntime": "ONNX Runtime",
          "matplotlib": "matplotlib", "ai_edge_litert": "LiteRT",
          "pillow_heif": "pillow-heif, for HEIC pictures",
          "pillow_jxl": "pillow-jxl-plugin, for JPEG XL pictures"}
"""Display names of modules."""


def hint(extra: str) -> str:
    """How to install an extra. The package is on no index, so its name alone does not work."""
    return (f"install the extra `{extra}`: pip install '.[{extra}]' in a checkout, "
            f"pip install 'PATH/TO/efm3-VERSION.whl[{extra}]' from a wheel")


def need(module: str, extra: str) -> Any:
    """The module, imported now. Raises Efm3Error X002 where it is not installed."""
    library = module.partition(".")[0]
    try:
        import_module(library)
        return import_module(module)
    except ImportError as e:
        refuse("X002", f"this needs {TITLES.get(library, library)}; {hint(extra)} [{e}]", library)
