# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""safetensors: our names, the arch and the mirror in the metadata."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from efm3.arch import Arch
from efm3.convert._base import Network, spooled
from efm3.convert._meta import texts
from efm3.convert._named import network_of
from efm3.extras import need
from efm3.findings import refuse
from efm3.model import Model
from efm3.source import open_regular


def read(path: str, arch: Arch | None) -> Network:
    """The network in a file. Raises Efm3Error, X002 without the library."""
    library = need("safetensors", "safetensors")
    open_regular(path).close()
    found: dict[str, Any] = {}
    try:
        with library.safe_open(path, framework="numpy") as f:
            metadata = f.metadata() or {}
            for key in f.keys():  # noqa: SIM118 (the handle is not a mapping)
                found[key] = f.get_tensor(key)
    except (library.SafetensorError, OSError, ValueError, TypeError, AttributeError) as e:
        refuse("X003", f"{path} is not a safetensors file, or is damaged: {e}", path)
    return network_of(found, metadata, arch, path)


def parts(model: Model, path: str, fold: bool) -> Iterable[bytes]:
    """The file's bytes."""
    numpy = need("safetensors.numpy", "safetensors")
    import numpy as np

    tensors = {k: np.ascontiguousarray(v) for k, v in model.tensors.items()}
    yield from spooled(lambda to: numpy.save_file(tensors, to, metadata=texts(model)))
