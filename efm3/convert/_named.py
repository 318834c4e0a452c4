# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A file of named tensors to a Source: by our own names, or as a state_dict of any naming."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from efm3.arrays import Array
from efm3.convert import _meta, _state_dict
from efm3.convert._base import Source, Wanted
from efm3.convert._original import KEYS
from efm3.convert.bin import same_shape
from efm3.findings import refuse
from efm3.model import Model
from efm3.network import tensor_layout

TEXT_KEYS = (_meta.ARCH_KEY, _meta.MIRROR_KEY)
STEM = "stem.conv.w"
Shapes = Mapping[str, tuple[int, ...]]


def source_of(shapes: Shapes, load: Callable[[str], Array], texts: Mapping[str, Any],
              wanted: Wanted, path: str, size: int) -> Source:
    """The network of these tensors, in a file of `size` bytes; `load` gives a tensor's values.

    `texts` has EFM3's own metadata where there are any. Raises Efm3Error.
    """
    keys = {k: k for k in shapes if k not in TEXT_KEYS}
    if not keys:
        refuse("X015", f"{path} holds no tensors", path)
    if wanted.key is not None:
        keys = below(keys, wanted.key, path)
    if _meta.ARCH_KEY in texts:
        if wanted.key is not None and STEM not in keys:
            refuse("X018", f"{path} has no EFM3 network under {wanted.key}: there is no {STEM} in "
                           "it; leave --key out", wanted.key)
        model = _meta.model_of({k: _single(k, load(v)) for k, v in keys.items()}, texts)
        assert model is not None
        _whole(model)
        same_shape(model, wanted.arch, path)
        return Source(model=model)
    own = STEM in keys
    if own:
        keys = {_theirs(k): v for k, v in keys.items()}
    return _state_dict.source_of({k: shapes[v] for k, v in keys.items()},
                                 lambda k: load(keys[k]), size, wanted, {}, own=own)


def below(keys: Mapping[str, Any], prefix: str, path: str) -> dict[str, Any]:
    """The keys that begin with a prefix and a dot, without these. Raises X018."""
    start = f"{prefix}."
    found = {k[len(start):]: v for k, v in keys.items() if k.startswith(start)}
    if not found:
        first = sorted({k.partition(".")[0] for k in keys})
        shown = ", ".join(first[:8]) + (f" and {len(first) - 8} more" if len(first) > 8 else "")
        refuse("X018", f"{path} has nothing under {prefix}; at the top it has {shown}", prefix)
    return found


def _single(key: str, value: Array) -> Array:
    """A tensor of an EFM3 file as float32. Raises X006."""
    if value.dtype.kind != "f":
        refuse("X006", f"{key} holds {value.dtype}, not floating point numbers", key, value.dtype,
               "float32")
    with np.errstate(all="ignore"):
        return value.astype(np.float32, copy=False)


def _theirs(key: str) -> str:
    for ours, name in KEYS.items():
        if key.endswith(f".{ours}"):
            return key.removesuffix(ours) + name
    return key


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
