# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Tensors by key, as a PyTorch module's state_dict has them, to a graph; and back.

The tensors alone do not say strides, padding, additions, BatchNorm's epsilon, or an activation
without parameters. The graph is a chain without them; `Chain.complete` puts in those of an arch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from efm3 import format as fmt
from efm3.arch import Arch
from efm3.arrays import Array
from efm3.convert import _modules, _torch_run
from efm3.convert._base import Runtime, Source, Wanted
from efm3.convert._modules import Layer, Module
from efm3.convert._original import BN_KEYS, KEYS, modules
from efm3.convert._units import LEAST
from efm3.convert.graph import Builder, Graph, Node
from efm3.findings import refuse
from efm3.network import Layer as ArchLayer
from efm3.network import layers

Load = Callable[[str], Array]
"""A tensor's values by its key."""
PADDED = ("padding and residual additions are not in a checkpoint: taken as EFM3's (--arch says "
          "so)")
DEPTHWISE = ("depthwise", "gdconv")


def source_of(shapes: Mapping[str, tuple[int, ...]], load: Load, size: int, wanted: Wanted,
              texts: Mapping[str, str], *, own: bool = False) -> Source:
    """The network of these tensors, in a file of `size` bytes. `load` is called once for each
    tensor of the network.

    `texts` has EFM3's metadata where there are any; `own` says that the names are EFM3's: in
    either case nothing is assumed. Raises Efm3Error.
    """
    found = _modules.modules_of(shapes)
    _one(found)
    front, layers_, how = _modules.ordered([m for m in found if m.kind])
    kept, heads, embedding = _modules.network(layers_)
    assumed = [how] if how else []
    assumed += [_head(m, embedding) for m in
                (*(h.conv for h in heads), *(m for m in found if not m.kind))]
    _squeezes(kept)
    slopes = _slopes(kept, wanted.act)
    values, rounded = _values([*front, *(m for u in kept for m in (u.conv, *u.after))], load)
    assumed += rounded
    if wanted.eps is None and any(m.kind == "bn" for u in kept for m in u.after):
        assumed.append(f"BatchNorm's epsilon is not in a checkpoint: taken as {fmt.BN_EPS:g} "
                       "(--eps)")
    chain = Chain(front, kept, values, slopes, size,
                  fmt.BN_EPS if wanted.eps is None else wanted.eps)
    graph = chain.graph()
    graph.assumed += rounded if own or texts else [
        *assumed, *([] if wanted.arch else [PADDED])]
    return Source(graph, texts=texts, stated=False, complete=chain.complete, own=own)


def _one(found: list[Module]) -> None:
    """Refuses several networks side by side."""
    paths = [m.path.split(".") for m in found if m.kind == "conv"]
    first = paths[0] if paths else []
    shared = next((i for i in range(len(first)) if any(p[:i + 1] != first[:i + 1] for p in paths)),
                  0)
    parts: dict[str, list[Module]] = {}
    for m in found:
        if m.kind == "conv":
            parts.setdefault(".".join(m.path.split(".")[:shared + 1]), []).append(m)
    whole = [name for name, own in parts.items() if len(own) >= LEAST and any(
        len(m.own["weight"]) == 4 and m.own["weight"][1] == fmt.INPUT_CHANNELS for m in own)]
    if len(whole) > 1:
        several(whole, len(whole), "networks")


def several(names: list[str], count: int, what: str) -> NoReturn:
    """Refuses for want of a choice; `names` are the first of them."""
    shown = ", ".join(names[:8]) + (f" and {count - 8} more" if count > 8 else "")
    refuse("X018", f"it holds {count} {what}: {shown}. Choose one with --key", names[0], count, 1)


def _head(m: Module, embedding: int) -> str:
    """What is said of a head that is dropped. Raises X015 for anything else that is no layer."""
    key, shape = max(zip(m.keys.values(), m.own.values(), strict=True), key=lambda kv: len(kv[1]))
    if embedding and (*shape, 1, 1)[:4] == (embedding, embedding, 1, 1):
        refuse("X015", f"{key} {[*shape]} may be one more layer of the network, or a head beside "
                       "it: a checkpoint does not say which. A head: save the network's "
                       "state_dict without it, or choose the network with --key. A layer: convert "
                       "the network as ONNX or TorchScript", key)
    if not embedding or len(shape) not in (2, 3) or embedding not in shape:
        what = ", ".join(f"{k} {[*v]}" for k, v in m.own.items())
        refuse("X015", f"{m.path or 'the file'} has {what}: no convolution, linear layer, "
                       "BatchNorm with statistics or PReLU", m.path or key)
    return f"{key} {[*shape]} is a classification head: dropped"


def _squeezes(kept: list[Layer]) -> None:
    """Refuses a squeeze-and-excitation: fewer channels and as many again, without BatchNorm where
    others have one. Its tensors are those of two linear layers, which are another function."""
    bare = [not any(m.kind == "bn" for m in u.after) for u in kept]
    for i in range(2, len(kept) - 1):
        (out, part, *k), second = kept[i].weight, kept[i + 1].weight
        if bare[i] and bare[i + 1] and not bare[0] and out < part and k == [1, 1] and (
                second == (part, out, 1, 1)):
            place = kept[i].conv.path
            refuse("X008", f"SE block at {place}: EFM3 has no squeeze-and-excitation", place)


def _slopes(kept: list[Layer], act: str | None) -> dict[str, float]:
    """The slope of the activation after each convolution where the caller states one, by its
    path. Raises X009 where it is neither visible nor stated."""
    deep = set(_modules.depthwise(kept))
    places = [u for i, u in enumerate(kept) if i + 1 in deep or (i in deep and i < max(deep))]
    bare = [u for u in places if not u.act]
    if act is None or act == "prelu":
        if len(bare) == len(places) and _modules.fits(kept):
            refuse("X009", f"{kept[0].conv.path} has no PReLU: a checkpoint does not say which "
                           "activation; give --act relu or --act leaky:SLOPE", kept[0].conv.path)
        return {}
    if places and not bare:
        refuse("X009", f"--act {act}, and the network has PReLUs, the first at "
                       f"{places[0].after[-1].path}", places[0].conv.path)
    slope = 0.0 if act == "relu" else float(act.partition(":")[2])
    return {u.conv.path: slope for u in bare}


def _values(found: list[Module], load: Load) -> tuple[dict[str, Array], list[str]]:
    """The tensors' values, and what is said where float32 does not hold them."""
    values: dict[str, Array] = {}
    rounded: list[str] = []
    for key in (k for m in found for k in m.keys.values()):
        value = values[key] = load(key)
        if value.dtype.kind != "f":
            refuse("X006", f"{key} holds {value.dtype}, not floating point numbers", key,
                   value.dtype, "float32")
        with np.errstate(all="ignore"):
            if value.dtype.itemsize > 4 and not np.array_equal(
                    value.astype(np.float32), value, equal_nan=True):
                rounded.append(f"{key} was rounded from {value.dtype} to float32")
    if len(rounded) > 1:
        rounded = [f"{rounded[0]}, and {len(rounded) - 1} more tensors"]
    return values, rounded


@dataclass
class Chain:
    """The layers of a network one after another, and their values by key.

    `slopes` are the activations that have no parameters, by the convolution that they follow.
    """

    front: list[Module]
    layers: list[Layer]
    values: Mapping[str, Array]
    slopes: Mapping[str, float]
    size: int
    eps: float

    def graph(self) -> Graph:
        """The chain, without strides. Raises X006, X009, X015."""
        b, picture, x = self._begun()
        for layer in self.layers:
            x = self._layer(b, x, layer, None, 0)
        return b.graph(picture, x)

    def complete(self, arch: Arch) -> tuple[Graph, Runtime | None]:
        """The same with the strides, padding and additions of `arch`, and what runs it."""
        b, picture, x = self._begun()
        entries: dict[str, Node] = {}
        for layer, own in self._placed(arch):
            entries[layer.name] = x
            open_ = True
            for u in own:
                spatial = open_ and u.weight[2] == layer.kernel
                open_ = open_ and not spatial
                x = self._layer(b, x, u, layer.stride if spatial else 1,
                                layer.padding if spatial else 0)
            if layer.residual:
                x = b.add("Add", x, entries[layer.residual], place=f"{own[-1].conv.path} (add)")
        x = b.reshape(x, (1, -1), "flatten")
        graph = b.graph(picture, x)
        return graph, _torch_run.runtime(graph)

    def _begun(self) -> tuple[Builder, Node, Node]:
        b = Builder(self.size)
        picture = b.input((1, fmt.INPUT_CHANNELS, fmt.INPUT_SIDE, fmt.INPUT_SIDE), "input")
        x = picture
        for m in self.front:
            x = self._norm(b, x, m)
        return b, picture, x

    def _placed(self, arch: Arch) -> Iterator[tuple[ArchLayer, list[Layer]]]:
        """The arch's layers, each with the convolutions that make it: pairs may have been joined.

        Between two depthwise layers the last one is expand or final_conv, those before it are
        project. Raises X011.
        """
        want = list(layers(arch))
        if len(want) == len(self.layers):
            yield from ((w, [u]) for w, u in zip(want, self.layers, strict=True))
            return
        deep = _modules.depthwise(self.layers)
        if len(deep) != sum(w.kind in DEPTHWISE for w in want):
            refuse("X011", f"it has {len(deep)} depthwise convolutions, {arch.name} another number",
                   found=len(deep))
        at = 0
        for i, w in enumerate(want):
            after = want[i + 1] if i + 1 < len(want) else None
            if w.kind in DEPTHWISE:
                end = at + 1
            elif after is None or after.kind in DEPTHWISE:
                end = next((d for d in deep if d > at), len(self.layers))
            else:
                end = next((d for d in deep if d > at), len(self.layers)) - 1
            yield w, self.layers[at:end]
            at = end

    def _layer(self, b: Builder, x: Node, u: Layer, stride: int | None, pad: int) -> Node:
        """A convolution and what follows it."""
        path, out = u.conv.path, u.weight[0]
        c = x.channels or 0
        group = _modules.groups_of(u, c)
        if not group:
            part = u.weight[1]
            refuse("X009", f"{path} takes {part} channels{' a group' if 0 < part < c else ''}, "
                           f"the layer before it puts out {c}", path, part, c)
        inputs = [b.const(self._value(u.conv, "weight").reshape(u.weight), f"{path}.weight")]
        if "bias" in u.conv.own:
            _modules.channels(u.conv.keys["bias"], u.conv.own["bias"], out)
            inputs.append(b.const(self._value(u.conv, "bias"), f"{path}.bias"))
        x = b.add("Conv", x, *inputs, place=path, pads=(pad,) * 4, dilations=(1, 1), group=group,
                  strides=None if stride is None else (stride, stride))
        for m in u.after:
            x = self._norm(b, x, m) if m.kind == "bn" else self._act(b, x, m)
        if path in self.slopes:
            slope = b.const(np.full((1, 1, 1), self.slopes[path]), f"{path} (--act)")
            x = b.add("PRelu", x, slope, place=f"{path} (--act)")
        return x

    def _norm(self, b: Builder, x: Node, m: Module) -> Node:
        out = x.channels or 0
        _modules.whole(m, out)
        values = [self._value(m, theirs) if theirs in m.own
                  else np.full(out, float(theirs == "weight")) for theirs in BN_KEYS.values()]
        consts = [b.const(v, f"{m.path}.{theirs}")
                  for v, theirs in zip(values, BN_KEYS.values(), strict=True)]
        return b.add("BatchNorm", x, *consts, place=m.path, eps=self.eps)

    def _act(self, b: Builder, x: Node, m: Module) -> Node:
        if m.own["weight"] != (1,):
            _modules.channels(m.keys["weight"], m.own["weight"], x.channels or 0)
        slope = b.const(self._value(m, "weight").reshape(-1, 1, 1), f"{m.path}.weight")
        return b.add("PRelu", x, slope, place=m.path)

    def _value(self, m: Module, name: str) -> Array:
        return self.values[m.keys[name]]


def original(arch: Arch, tensors: Mapping[str, Array]) -> Iterator[tuple[str, Array | None]]:
    """EFM3's tensors under the original project's keys, in its order; None is a step counter."""
    names = modules(arch)
    for layer in layers(arch):
        name = names[layer.name]
        for ours in ("conv.w", *BN_KEYS):
            yield f"{name}.{KEYS[ours]}", tensors[f"{layer.name}.{ours}"]
        yield f"{name}.bn.{_modules.COUNTER}", None
        if layer.act:
            yield f"{name}.{KEYS['act.w']}", tensors[f"{layer.name}.act.w"]
