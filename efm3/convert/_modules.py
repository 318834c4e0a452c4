# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Tensors by key, as a PyTorch module's state_dict has them, to layers in order of execution.

A tensor's role follows from its rank and from its neighbours, never from a layer's name: only
PyTorch's own `weight`, `bias`, `running_mean`, ... are used, and Gluon's words for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from efm3 import format as fmt
from efm3.convert import _siblings
from efm3.convert._original import BN_KEYS
from efm3.convert._units import LEAST
from efm3.findings import refuse

Shape = tuple[int, ...]

COUNTER = "num_batches_tracked"
WORDS = {"gamma": "weight", "beta": "bias", "alpha": "weight"}
"""Other names of BatchNorm's and PReLU's parameters."""
MOST_PARTS, MOST_LAYERS, MOST_MODULES = 24, 2_000, 6_000
"""Names within names, convolutions, and modules: the largest legal network has 773 and 2,060."""


@dataclass(eq=False)
class Module:
    """The tensors of one module: their shapes, and their keys in the file, by PyTorch's names."""

    path: str
    own: dict[str, Shape] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)

    @property
    def parent(self) -> str:
        """The module around it."""
        return self.path.rpartition(".")[0]

    @property
    def kind(self) -> str:
        """conv (or a linear layer), bn, act, or "" for another."""
        w = self.own.get("weight")
        if w is not None and len(w) in (2, 4) and set(self.own) <= {"weight", "bias"}:
            return "conv"
        if "running_mean" in self.own or "running_var" in self.own:
            return "bn"
        if w is not None and len(w) == 1 and set(self.own) == {"weight"}:
            return "act"
        return ""


@dataclass(eq=False)
class Layer:
    """A convolution or linear layer, and the BatchNorms and PReLUs that belong to it, in order."""

    conv: Module
    after: list[Module] = field(default_factory=list)

    @property
    def weight(self) -> Shape:
        """[out, in/groups, k, k]; a linear layer is a convolution of 1×1."""
        w = self.conv.own["weight"]
        return w if len(w) == 4 else (*w, 1, 1)

    @property
    def linear(self) -> bool:
        """True for a linear layer that no BatchNorm and no PReLU follows: as heads are."""
        return len(self.conv.own["weight"]) == 2 and not self.after

    @property
    def act(self) -> bool:
        """True where a PReLU belongs to it."""
        return any(m.kind == "act" for m in self.after)


GROUPED = "with each BatchNorm and PReLU after the convolution of its name"
Bundle = tuple[list[Module], list[Layer]]
"""BatchNorms before the first convolution, and the layers."""
Rank = list[tuple[int, str, int]]


def modules_of(shapes: Mapping[str, Shape]) -> list[Module]:
    """The modules of these keys, in their order. Raises X015 for absurd names."""
    out: dict[str, Module] = {}
    for key, shape in shapes.items():
        if key.count(".") > MOST_PARTS:
            refuse("X015", f"{key[:60]}... has {key.count('.') + 1:,} names within names", key)
        path, _, name = key.rpartition(".")
        if name == COUNTER:
            continue
        module = out.setdefault(path, Module(path))
        name = WORDS.get(name, name)
        module.own[name], module.keys[name] = shape, key
    if len(out) > MOST_MODULES or sum(m.kind == "conv" for m in out.values()) > MOST_LAYERS:
        refuse("X008", f"it has {len(out):,} modules, far more than EFM3's largest network",
               found=len(out))
    return list(out.values())


def ordered(modules: list[Module]) -> tuple[list[Module], list[Layer], str]:
    """The BatchNorms before the first convolution, the layers in the network's order, and how
    that order was found, "" where it is the keys'.

    The order is that of the keys, which is PyTorch's order of module creation. Where the keys are
    sorted as text (a safetensors file: 10 before 2), numbers are taken by their value. Where
    that gives no network, blocks are recognised by what is in them, and taken in the order of
    their names. Where nothing fits, the first of these orders, so that the matcher says what is
    wrong with it.
    """
    rank = _ranks(modules)
    by_number = sorted(modules, key=lambda m: rank[m.path])
    keys = [k for m in modules for k in m.keys.values()]
    as_text = all(a < b for a, b in pairwise(keys))
    numbered = _by_name(bundled(by_number))
    plain = [] if as_text and modules != by_number else [bundled(modules)]
    if as_text:
        plain = [_by_name(p) for p in plain]
    said = "the keys are not in the network's order: taken "
    numbers = said + "in the order of their numbers"
    tries: list[tuple[Bundle | None, str]] = [
        *((p, said + "in the order of their names" if as_text and _named(modules)
           else said + GROUPED if apart(modules, p[1]) else "") for p in plain),
        (numbered, numbers),
        *((_by_role(b, rank), said + "block by block in the order of their names")
          for b in (numbered, *plain))]
    for found, how in tries:
        if found is not None and fits(network(found[1])[0]):
            return *found, how
    return (*plain[0], "") if plain else (*numbered, numbers)


def _named(modules: list[Module]) -> bool:
    """True where some layers beside one another have names, not numbers."""
    inside: dict[str, set[str]] = {}
    for m in modules:
        parent, part = "", m.path
        while m.kind == "conv" and part:
            first, _, part = part.partition(".")
            inside.setdefault(parent, set()).add("" if first.isdecimal() else first)
            parent += f".{first}"
    return any(len(names) > 1 for names in inside.values())


def _ranks(modules: Iterable[Module]) -> dict[str, Rank]:
    """What to sort each path by: names of numbers by their value.

    `block10` comes after `block2` where the blocks are numbered without a gap; `conv_23` and
    `conv_3` are names of other kinds.
    """
    paths = [[(part, *_number(part)) for part in m.path.split(".")] for m in modules]
    seen: dict[tuple[str, ...], set[int]] = {}
    for parts in paths:
        for i, (_, name, number) in enumerate(parts):
            if name and number is not None:
                seen.setdefault((*(p for p, _, _ in parts[:i]), name), set()).add(number)
    dense = {k for k, n in seen.items() if max(n) - min(n) == len(n) - 1}

    def rank(parts: list[tuple[str, str, int | None]], i: int) -> tuple[int, str, int]:
        part, name, number = parts[i]
        if number is None:
            return 1, part, 0
        if not name:
            return 0, "", number
        whole = (*(p for p, _, _ in parts[:i]), name) in dense
        return (1, name, number) if whole else (1, part, 0)
    return {".".join(p for p, _, _ in parts): [rank(parts, i) for i in range(len(parts))]
            for parts in paths}


def _number(part: str) -> tuple[str, int | None]:
    """A name, and the number at its end."""
    name = part.rstrip("0123456789")
    digits = part[len(name):]
    return (name, int(digits)) if 0 < len(digits) < 16 else (part, None)


def bundled(modules: list[Module]) -> Bundle:
    """Each convolution with what belongs to it; and BatchNorms before the first one."""
    layers = {m.path: Layer(m) for m in modules if m.kind == "conv"}
    named = _owners(modules)
    front: list[Module] = []
    before: Module | None = None
    last: dict[str, Module] = {}
    for m in modules:
        if m.kind == "conv":
            before = last[m.parent] = m
        elif m.kind:
            owner = named.get(m.path, last.get(m.parent, before))
            (front if owner is None else layers[owner.path].after).append(m)
    for layer in apart(modules, layers.values()):
        _norm_first(layer)
    return front, list(layers.values())


def apart(modules: list[Module], layers: Iterable[Layer]) -> list[Layer]:
    """The layers whose BatchNorm and PReLU do not stand directly behind the convolution."""
    place = {m.path: i for i, m in enumerate(modules)}
    return [u for u in layers if [place[m.path] - place[u.conv.path] for m in u.after]
            != [*range(1, len(u.after) + 1)]]


def _norm_first(layer: Layer) -> None:
    # Where it is not seen: as in every network that is known. Numbers are an order themselves.
    if not all(m.path.rpartition(".")[2].isdecimal() for m in layer.after):
        layer.after.sort(key=lambda m: m.kind != "bn")


def _owners(modules: list[Module]) -> dict[str, Module]:
    """The convolution of each BatchNorm and PReLU whose name, beside it, says which, by path: the
    only one beside it, or the one of the same number or the same words."""
    inside: dict[str, dict[str, list[Module]]] = {}
    for m in modules:
        inside.setdefault(m.parent, {}).setdefault(m.kind, []).append(m)
    out: dict[str, Module] = {}
    for own in inside.values():
        convs = own.get("conv", [])
        for others in (own.get("bn", []), own.get("act", [])):
            if len(convs) == 1:
                out |= {m.path: convs[0] for m in others}
                continue
            names = [[m.path.rpartition(".")[2] for m in some] for some in (convs, others)]
            found = _siblings.owners(*names) or []
            pairs = [(m, convs[at]) for m, at in zip(others, found, strict=False)]
            # A pair of other channels: then the names mean something else.
            if all(m.own.get(n) in (None, (1,), conv.own["weight"][:1])
                   for m, conv in pairs for n in ("weight", "running_mean")):
                out |= {m.path: conv for m, conv in pairs}
    return out


def _by_name(found: Bundle) -> Bundle:
    """The same where the keys were sorted: a BatchNorm and a PReLU that have no numbers stand in
    the order of their names."""
    for layer in found[1]:
        _norm_first(layer)
    return found


def network(layers: list[Layer]) -> tuple[list[Layer], list[Layer], int]:
    """The network's layers, its heads, and the embedding's size, 0 where it is not known.

    A head is a linear layer alone, before the first convolution or behind the embedding layer,
    one side of which is the embedding. With both sides of that size, also as a convolution, it may
    as well be a layer: it is among the heads, and not to be dropped.
    """
    start = next((i for i, u in enumerate(layers) if u.weight[1] == fmt.INPUT_CHANNELS), None)
    end = max(depthwise(layers), default=None)
    if start is None or end is None or end < start:
        return layers, [], 0
    tail = layers[end + 1:]
    first = next((u for u in tail if u.weight[1] == layers[end].weight[0]), None)
    if first is None:
        return layers, [], 0
    kept, heads, size = [first], [], first.weight[0]
    for unit in tail:
        if unit is first:
            continue
        if _head(unit, size):
            heads.append(unit)
        else:
            kept.append(unit)
            size = unit.weight[0]
    for unit in layers[:start]:
        if not _head(unit, size):
            return layers, [], 0
        heads.append(unit)
    return layers[start:end + 1] + kept, heads, size


def _head(unit: Layer, size: int) -> bool:
    square = not unit.after and unit.weight == (size, size, 1, 1)
    return square or (unit.linear and size in unit.weight[:2])


def groups_of(layer: Layer, c: int) -> int:
    """Its groups for `c` input channels, 0 where it does not take them."""
    out, part, *_ = layer.weight
    groups = c // part if part and c % part == 0 else 0
    return groups if groups and out % groups == 0 else 0


def depthwise(layers: Sequence[Layer]) -> list[int]:
    """Which layers have one channel a group."""
    found, c = [], fmt.INPUT_CHANNELS
    for i, layer in enumerate(layers):
        out, part, k, _ = layer.weight
        if part == 1 and out == c and (k > 1 or c > 1):
            found.append(i)
        c = out
    return found


def fits(layers: list[Layer]) -> bool:
    """True where each layer takes what the one before puts out, and the depthwise ones, two
    first and then one in three, are at EFM3's places, but for pairs of linear layers."""
    c = fmt.INPUT_CHANNELS
    for layer in layers:
        if not groups_of(layer, c):
            return False
        c = layer.weight[0]
    at = depthwise(layers)
    return (len(layers) >= LEAST and len(at) > 2 and at[0] >= 1 and at[-1] < len(layers) - 1
            and all(b - a > 1 for a, b in pairwise(at)))


def _role(u: Layer) -> str:
    if u.weight[1] == 1 and u.weight[2] > 1:
        return "dw" if u.act else "gdc"
    stem = u.weight[1] == fmt.INPUT_CHANNELS and u.weight[2] > 1
    return "stem" if stem else "wide" if u.act else "narrow"


BLOCK = ("wide", "dw", "narrow")


def _by_role(found: Bundle, rank: Mapping[str, Rank]) -> Bundle | None:
    """The layers in the network's order by what they are and how their modules nest, or None."""
    def key(u: Layer) -> Rank:
        return rank[u.conv.path]
    rest = sorted(found[1], key=key)
    paths = {id(u): u.conv.path.split(".") for u in rest}
    blocks: list[list[Layer]] = []
    for depth in range(max((len(p) for p in paths.values()), default=1) - 1, 0, -1):
        groups: dict[tuple[str, ...], list[Layer]] = {}
        for u in rest:
            groups.setdefault(tuple(paths[id(u)][:depth]), []).append(u)
        taken: set[int] = set()
        for group in groups.values():
            if sorted(map(_role, group)) == sorted(BLOCK):
                blocks.append(sorted(group, key=lambda u: BLOCK.index(_role(u))))
                taken |= {id(u) for u in group}
        rest = [u for u in rest if id(u) not in taken]
    blocks.sort(key=lambda b: key(b[0]))
    kept = {role: [u for u in rest if _role(u) == role]
            for role in ("stem", "dw", "wide", "gdc", "narrow")}
    if any(len(v) != 1 for role, v in kept.items() if role != "narrow"):
        return None
    head, tail = (kept["stem"], kept["dw"]), (kept["wide"], kept["gdc"], kept["narrow"])
    return found[0], [*(u for v in head for u in v), *(u for b in blocks for u in b),
                      *(u for v in tail for u in v)]


def channels(key: str, shape: Shape, out: int) -> None:
    """Refuses a parameter of another shape than its convolution's channels."""
    if shape != (out,):
        refuse("X006", f"{key} has shape {[*shape]} beside a convolution of {out} channels", key,
               [*shape], [out])


def whole(m: Module, out: int) -> None:
    """Refuses a BatchNorm that is not complete, or has more than its tensors."""
    affine = "weight" in m.own or "bias" in m.own
    for name in BN_KEYS.values():
        if name in m.own:
            channels(m.keys[name], m.own[name], out)
        elif affine or name.startswith("running"):
            refuse("X015", f"{m.path}.{name} is missing: the BatchNorm is incomplete",
                   f"{m.path}.{name}")
    extra = set(m.own) - set(BN_KEYS.values())
    if extra:
        refuse("X015", f"{m.keys[min(extra)]} belongs to no layer", m.keys[min(extra)])
