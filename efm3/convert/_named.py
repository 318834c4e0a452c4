# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A file of named tensors to a Network: by our own names, or as a state_dict of any naming."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from efm3.arch import Arch
from efm3.convert import _meta, _state_dict, _units
from efm3.convert._base import Network
from efm3.convert._original import KEYS
from efm3.convert.bin import same_shape
from efm3.findings import refuse
from efm3.model import Model
from efm3.network import tensor_layout

TEXT_KEYS = (_meta.ARCH_KEY, _meta.MIRROR_KEY)
STEM = "stem.conv.w"


def network_of(found: Mapping[str, Any], texts: Mapping[str, Any], arch: Arch | None,
               path: str) -> Network:
    """The network of these tensors; `texts` has EFM3's own metadata where there are any."""
    tensors = {k: v for k, v in found.items() if k not in TEXT_KEYS}
    if not tensors:
        refuse("X015", f"{path} holds no tensors", path)
    assumed: list[str] = []
    for key, value in tensors.items():
        tensors[key], note = single(key, value)
        assumed += note
    model = _meta.model_of(tensors, texts)
    if model is not None:
        _whole(model)
        same_shape(model, arch, path)
        return Network(model)
    if STEM in tensors:
        tensors = {_theirs(k): v for k, v in tensors.items()}
    units, known, more = _state_dict.units_of(tensors, arch)
    return Network(Model(known, _units.tensors(known, units)), assumed + more)


def single(key: str, value: Any) -> tuple[Any, list[str]]:
    """The tensor as float32 and, where that rounds its values, a note."""
    if key.endswith(_state_dict.COUNTER) or value.dtype == np.float32:
        return value, []
    if value.dtype.kind != "f":
        refuse("X006", f"{key} holds {value.dtype}, not floating point numbers", key, value.dtype,
               "float32")
    with np.errstate(all="ignore"):
        out = value.astype(np.float32)
        same = bool(((out == value) | np.isnan(value)).all())
    return out, [] if same else [f"{key} was rounded from {value.dtype} to float32"]


def _theirs(key: str) -> str:
    layer, _, rest = key.rpartition(".")
    for ours, name in KEYS.items():
        if key.endswith(f".{ours}"):
            return key.removesuffix(ours) + name
    return f"{layer}.{rest}"


def _whole(model: Model) -> None:
    layout = dict(tensor_layout(model.arch))
    for key in [*layout, *model.tensors]:
        if key not in model.tensors or key not in layout:
            word = "missing" if key in layout else "of no layer"
            refuse("X015", f"{key} is {word}", key)
        have = tuple(model.tensors[key].shape)
        if have != layout[key]:
            refuse("X006", f"{key} has shape {list(have)}, the arch's layout {list(layout[key])}",
                   key, list(have), list(layout[key]))
