# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The tensors of a writer case, with the faults that it must notice."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from efm3.conformance import weights
from efm3.conformance.cases import Case, writer_arch
from efm3.conformance.home import RecipeError
from efm3.conformance.recipe import arch_of, render
from efm3.model import load
from efm3.network import tensor_layout

Tensors = dict[str, Any]


MOST_VALUES, MOST_TENSORS = 1 << 20, 4500
"""Up to these sizes a forbidden arch gets matching tensors, so that only the arch is wrong."""


def _drop(t: Tensors, f: Mapping[str, Any]) -> None:
    del t[f["tensor"]]


def _add(t: Tensors, f: Mapping[str, Any]) -> None:
    t[f["tensor"]] = np.zeros(f["shape"], np.float32)


def _shape(t: Tensors, f: Mapping[str, Any]) -> None:
    t[f["tensor"]] = np.resize(t[f["tensor"]], f["shape"])


def _dtype(t: Tensors, f: Mapping[str, Any]) -> None:
    # A third is not a float32 value, so the conversion would round.
    t[f["tensor"]] = t[f["tensor"]].astype(f["dtype"]) + 1 / 3


def _as(t: Tensors, f: Mapping[str, Any]) -> None:
    dtype = np.dtype(f["dtype"])
    t[f["tensor"]] = t[f["tensor"]].astype(dtype)
    if "value" in f:  # as text: TOML has no number of every type
        t[f["tensor"]].flat[0] = dtype.type(f["value"])


def _fortran(t: Tensors, f: Mapping[str, Any]) -> None:
    t[f["tensor"]] = np.asfortranarray(t[f["tensor"]])


def _value(t: Tensors, f: Mapping[str, Any]) -> None:
    t[f["tensor"]].flat[f.get("at", 0)] = float(f["value"])


FAULTS: dict[str, Callable[[Tensors, Mapping[str, Any]], None]] = {
    "drop": _drop, "add": _add, "shape": _shape, "dtype": _dtype, "as": _as,
    "fortran": _fortran, "value": _value}
"""Fault to the function that applies it to the tensors."""


def tensors_of(case: Case) -> Tensors:
    """Name to array for a writer case, faults included: of its file where patches made that."""
    if "patch" in case.recipe:
        out: Tensors = dict(load(render(case.recipe), level="structure").tensors)
    else:
        out = _of_arch(case)
    for fault in case.recipe.get("faults", ()):
        if fault.get("op") not in FAULTS:
            raise RecipeError(f"{case.id}: no fault {fault.get('op')!r}")
        FAULTS[fault["op"]](out, fault)
    return out


def _of_arch(case: Case) -> Tensors:
    arch = arch_of(writer_arch(case), unchecked=True)
    try:
        layout = tensor_layout(arch)
        much = (len(layout) > MOST_TENSORS
                or sum(math.prod(shape) for _, shape in layout) > MOST_VALUES)
    except ZeroDivisionError:  # a stride of 0 gives no shapes
        much = True
    if much:
        arch = arch_of(case.recipe.get("arch", {}))
    return {k: v.copy() for k, v in weights.tensors(arch, case.recipe["seed"]).items()}
