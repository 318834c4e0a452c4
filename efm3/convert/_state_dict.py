# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Tensors by key, as a PyTorch module's state_dict has them, to units; and back.

A tensor's role follows from its rank and from its neighbours, never from a layer's name:
only PyTorch's own `weight`, `bias`, `running_mean`, ... are used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from efm3.arch import Arch
from efm3.arrays import Array
from efm3.convert._original import BN_KEYS, KEYS, modules
from efm3.convert._units import Unit, match
from efm3.findings import Efm3Error, refuse
from efm3.network import layers

COUNTER = "num_batches_tracked"
HEAD = "head"
"""First component of the keys of a training head, which is no part of the network."""


class _Module:
    """The tensors of one module: a convolution, a BatchNorm or a PReLU."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.own: dict[str, Array] = {}

    @property
    def parent(self) -> str:
        return self.path.rpartition(".")[0]

    @property
    def kind(self) -> str:
        w = self.own.get("weight")
        if w is not None and w.ndim in (2, 4) and set(self.own) <= {"weight", "bias"}:
            return "conv"
        if "running_mean" in self.own or "running_var" in self.own:
            return "bn"
        if w is not None and w.ndim == 1 and set(self.own) == {"weight"}:
            return "act"
        return ""


def units_of(tensors: Mapping[str, Array], arch: Arch | None = None
             ) -> tuple[list[Unit], Arch, list[str]]:
    """The units in order of execution, their arch, and what had to be assumed.

    The order is that of the keys, which is PyTorch's order of module creation. Where that
    order gives no network (a file with sorted keys), blocks are taken in the order of their
    names, numbers by value, and this is an assumption. Raises Efm3Error.
    """
    units = _bundle(_modules(tensors))
    try:
        found, assumed = match(units, arch)
    except Efm3Error as first:
        again = _by_role(units)
        if again is None:
            raise
        try:
            found, assumed = match(again, arch)
        except Efm3Error:
            raise first from None
        units = again
        assumed.append("the keys are not in the network's order: blocks were taken in the "
                       "order of their names")
    _whole(units)
    return units, found, assumed


def _whole(units: list[Unit]) -> None:
    """All convolutions have a BatchNorm or none has; the last one may have a bias instead."""
    last = units[-1]
    free = [last] if last.bias is not None else []
    if any(u.bn is not None for u in units):
        for u in units:
            if u.bn is None and not any(u is f for f in free):
                refuse("X009", f"{u.place} has no BatchNorm, others have", u.place)


def _modules(tensors: Mapping[str, Array]) -> list[_Module]:
    out: dict[str, _Module] = {}
    for key, value in tensors.items():
        path, _, name = key.removeprefix("module.").rpartition(".")
        if name == COUNTER or path.split(".")[0] == HEAD:
            continue
        out.setdefault(path, _Module(path)).own[name] = value
    for m in out.values():
        if not m.kind:
            what = ", ".join(f"{k} {list(v.shape)}" for k, v in m.own.items())
            refuse("X015", f"{m.path or 'the file'} has {what}: no convolution, linear layer, "
                           "BatchNorm with statistics or PReLU", m.path)
    return list(out.values())


def _bundle(modules: list[_Module]) -> list[Unit]:
    """Each convolution with the BatchNorm and the PReLU that belong to it."""
    convs: dict[str, list[_Module]] = {}
    for m in modules:
        if m.kind == "conv":
            convs.setdefault(m.parent, []).append(m)
    owned: dict[str, list[_Module]] = {m.path: [] for m in modules if m.kind == "conv"}
    before: _Module | None = None
    last: dict[str, _Module] = {}
    for m in modules:
        if m.kind == "conv":
            before = last[m.parent] = m
            continue
        siblings = convs.get(m.parent, [])
        owner = siblings[0] if len(siblings) == 1 else last.get(m.parent, before)
        if owner is None:
            refuse("X008", f"{m.path} comes before the first convolution", m.path)
        owned[owner.path].append(m)
    return [_unit(m, owned[m.path]) for m in modules if m.kind == "conv"]


def _unit(conv: _Module, rest: list[_Module]) -> Unit:
    weight = conv.own["weight"]
    if weight.ndim == 2:
        weight = weight[:, :, None, None]
    unit = Unit(conv.path, weight, conv.own.get("bias"))
    out = len(weight)
    for m in rest:
        if m.kind == "bn":
            if unit.bn is not None:
                refuse("X008", f"{m.path} is a second BatchNorm after {conv.path}", m.path)
            unit.bn = dict(_bn(m, out))
        elif unit.slope is not None:
            refuse("X008", f"{m.path} is a second PReLU after {conv.path}", m.path)
        else:
            slope = m.own["weight"]
            unit.slope = np.full(out, slope[0]) if len(slope) == 1 else slope
            _channels(f"{m.path}.weight", unit.slope, out)
    if unit.bias is not None:
        _channels(f"{conv.path}.bias", unit.bias, out)
    return unit


def _bn(m: _Module, out: int) -> Iterator[tuple[str, Array]]:
    affine = "weight" in m.own or "bias" in m.own
    for name, key in BN_KEYS.items():
        value = m.own.get(key)
        if value is None and (affine or name in ("bn.mean", "bn.var")):
            refuse("X015", f"{m.path}.{key} is missing: the BatchNorm is incomplete",
                   f"{m.path}.{key}")
        if value is None:
            value = np.full(out, name == "bn.w", np.float32)
        _channels(f"{m.path}.{key}", value, out)
        yield name, value
    extra = set(m.own) - set(BN_KEYS.values())
    if extra:
        refuse("X015", f"{m.path}.{min(extra)} belongs to no layer", f"{m.path}.{min(extra)}")


def _channels(key: str, value: Array, out: int) -> None:
    if value.shape != (out,):
        refuse("X006", f"{key} has shape {list(value.shape)} beside a convolution of {out} "
                       "channels", key, list(value.shape), [out])


def _natural(unit: Unit) -> list[tuple[bool, int, str]]:
    parts = unit.place.split(".")
    return [(not p.isdecimal(), int(p) if p.isdecimal() else 0, p) for p in parts if len(p) < 20]


def _role(u: Unit) -> str:
    part, k = u.weight.shape[1], u.weight.shape[2]
    if part == 1 and len(u.weight) > 1 and k > 1:
        return "dw" if u.slope is not None else "gdc"
    return "stem" if part == 3 and k > 1 else "wide" if u.slope is not None else "narrow"


BLOCK = ("wide", "dw", "narrow")


def _by_role(units: list[Unit]) -> list[Unit] | None:
    """The units in the network's order by what they are and how their modules nest, or None."""
    rest = sorted(units, key=_natural)
    blocks: list[list[Unit]] = []
    deepest = max((u.place.count(".") for u in units), default=0)
    for depth in range(deepest, 0, -1):
        groups: dict[tuple[str, ...], list[Unit]] = {}
        for u in rest:
            groups.setdefault(tuple(u.place.split(".")[:depth]), []).append(u)
        for group in groups.values():
            if sorted(map(_role, group)) == sorted(BLOCK):
                blocks.append(sorted(group, key=lambda u: BLOCK.index(_role(u))))
                rest = [u for u in rest if all(u is not g for g in group)]
    blocks.sort(key=lambda b: _natural(b[0]))
    kept = {role: [u for u in rest if _role(u) == role]
            for role in ("stem", "dw", "wide", "gdc", "narrow")}
    if any(len(v) != 1 for v in kept.values()):
        return None
    head, tail = (kept["stem"], kept["dw"]), (kept["wide"], kept["gdc"], kept["narrow"])
    return [*(v[0] for v in head), *(u for b in blocks for u in b), *(v[0] for v in tail)]


def original(arch: Arch, tensors: Mapping[str, Array]) -> Iterator[tuple[str, Array | None]]:
    """EFM3's tensors under the original project's keys, in its order; None is a step counter."""
    names = modules(arch)
    for layer in layers(arch):
        name = names[layer.name]
        for ours in ("conv.w", *BN_KEYS):
            yield f"{name}.{KEYS[ours]}", tensors[f"{layer.name}.{ours}"]
        yield f"{name}.bn.{COUNTER}", None
        if layer.act:
            yield f"{name}.{KEYS['act.w']}", tensors[f"{layer.name}.act.w"]
