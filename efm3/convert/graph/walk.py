# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Reads a rewritten graph from its picture to its embedding, as a list of units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from efm3 import format as fmt
from efm3.arrays import Array
from efm3.convert._units import Unit
from efm3.convert.graph import fusing, layout, pairs, picture, slopes, tail
from efm3.convert.graph.nodes import CONST, INPUT, Graph, Node
from efm3.convert.graph.ops import OPS
from efm3.convert.graph.rewrite import applied, vector, wide
from efm3.findings import refuse

GATES = ("Sigmoid", "HardSigmoid")
WORDS = {"HardSwish": "HardSwish", "Tanh": "Tanh", "Sigmoid": "a sigmoid", "Elu": "ELU",
         "Softmax": "a softmax", "Gelu": "GELU", "Selu": "SELU", "Mish": "Mish",
         "Swish": "Swish", "Softplus": "softplus", "HardSigmoid": "a hard sigmoid"}
"""Activations by their names."""
STATISTICS = ("bn.w", "bn.b", "bn.mean", "bn.var")


@dataclass
class Found:
    """What a graph holds: its units, what is done with its picture, whether it ends in the norm,
    whether its picture is turned, and whether linear layers in a row were joined."""

    units: list[Unit]
    picture: picture.Picture
    normalises: bool
    turned: bool
    joined: bool


def reduced(graph: Graph) -> tuple[Graph, bool]:
    """The graph after all rewrites, and whether linear layers in a row were joined."""
    graph = slopes.spelled(layout.upright(graph))
    rules = {op: (*layout.RULES.get(op, ()), *fusing.RULES.get(op, ()))
             for op in {**layout.RULES, **fusing.RULES}}
    graph = applied(graph, rules)
    # A pair that was joined may leave a bias before a BatchNorm.
    again = pairs.joined(graph)
    return (graph, False) if again is graph else (applied(again, rules), True)


def found(graph: Graph, *, stated: bool = True, bgr: bool | None = None,
          input_range: tuple[float, float] | None = None) -> Found:
    """The units of a source's graph. Raises X008, X009, X016 with the network's own fact.

    `stated` is False for tensors alone, whose strides, padding and additions nothing shows.
    """
    graph, joined = reduced(graph)
    _supported(graph)
    convs = [n for n in graph.nodes if n.op == "Conv"]
    if not convs:
        refuse("X008", "there is no convolution in it: this is not a MobileFaceNet")
    entry = picture.of(graph, convs[0], bgr, input_range)
    walk = _Walk(graph, convs[0], stated)
    walk.units[0].weight = entry.weight(walk.units[0].weight)
    turned = stated and _turned(walk.convs, walk.units)
    return Found(walk.units, entry, tail.normalises(graph, walk.at), turned, joined)


def _supported(graph: Graph) -> None:
    """Refuses activations and layers that no rewrite takes away, by their names, the first one."""
    users = graph.users()
    for n in graph.nodes:
        if n.op in GATES and _gates(n, users):
            if n.shape is not None and len(n.shape) == 4 and n.shape[2:] != (1, 1):
                refuse("X008", f"Swish at {n.place}{_after(n)}; EFM3 has PReLU alone", n.place)
            refuse("X008", f"SE block at {n.place}: EFM3 has no squeeze-and-excitation", n.place)
        word = _word(n)
        if word and _spatial(n):
            refuse("X008", f"{word} at {n.place}{_after(n)}; EFM3 has PReLU alone", n.place,
                   word, "PReLU")
        if n.op not in OPS and n.op not in (INPUT, CONST, *WORDS):
            no_layer(n)


def _gates(n: Node, users: dict[int, list[Node]]) -> bool:
    """True where a value is multiplied with another one, perhaps after it was reshaped."""
    for _ in range(4):
        above = users.get(id(n), [])
        if any(u.op == "Mul" and all(i.value is None for i in u.inputs) for u in above):
            return True
        if len(above) != 1 or above[0].op not in ("Reshape", "Transpose", "Expand"):
            return False
        n = above[0]
    return False


def _word(n: Node) -> str:
    """The name of an activation that EFM3 has not; "" for anything else."""
    low, high = (n.attrs["low"], n.attrs["high"]) if n.op == "Clip" else (None, None)
    if n.op == "Min" and n.inputs[0].op == "PRelu" and n.inputs[1].value is not None and (
            n.inputs[1].value.size == 1):
        low, high = 0, float(n.inputs[1].value.reshape(()))
    if low is not None and high is not None:
        return f"ReLU{high:g}" if low == 0 else f"a clip to {low:g}..{high:g}"
    return WORDS.get(n.op, "")


def no_layer(node: Node) -> NoReturn:
    """Refuses an operation that no layer of EFM3 is."""
    if node.op.startswith("Reduce") or "pool" in node.op.lower():
        refuse("X008", f"{node.place} pools its map: EFM3 has no pooling", node.place)
    refuse("X008", f"{node.place}: EFM3 has no such layer", node.place, node.op)


def _spatial(n: Node) -> bool:
    """True for a value that is not the embedding at the end: a map, or of an unknown shape."""
    return n.shape is None or (len(n.shape) == 4 and n.shape[2:] != (1, 1)) or bool(
        n.inputs and n.inputs[0].op in ("Conv", "BatchNorm"))


def _after(n: Node) -> str:
    for _ in range(8):
        if n.op == "Conv":
            return f" after {n.place}"
        if not n.inputs:
            break
        n = next((i for i in n.inputs if i.value is None), n.inputs[0])
    return ""


class _Walk:
    """The chain of convolutions with what belongs to each; `at` is the embedding."""

    def __init__(self, graph: Graph, first: Node, stated: bool) -> None:
        self.stated = stated
        self.users = graph.users()
        self.units: list[Unit] = []
        self.convs: list[Node] = []
        self.at = first.inputs[0]
        self._entries: list[Node] = []
        self._skips: list[Node] = []
        self._last = max(i for i, n in enumerate(graph.nodes) if n.op in (
            "Conv", "Dense", "BatchNorm"))
        self._after = {id(n) for n in graph.nodes[self._last + 1:]}
        self._output = graph.output
        while True:
            node = self._next()
            if node is None:
                break
            self._step(node)
            self.at = node
        if self._skips:
            refuse("X008", f"{self._skips[0].place}: its other input is not added back",
                   self._skips[0].place)

    def _next(self) -> Node | None:
        """The next layer; None at the embedding, where the norm begins or the graph ends."""
        if self.at is self._output:
            return None
        above = self.users.get(id(self.at), [])
        if len(above) == 1 and above[0].op == "PRelu" and self.at.op in ("Conv", "BatchNorm"):
            return above[0]
        if self.units and all(id(n) in self._after for n in above) and not self._skips:
            return None
        if len(above) == 1:
            return above[0]
        adds = [n for n in above if n.op == "Add" and all(i.value is None for i in n.inputs)]
        ahead = [n for n in above if n not in adds]
        if len(adds) != 1 or [n.op for n in ahead] != ["Conv"]:
            self._forks(above)
        self._skips += adds
        return ahead[0]

    def _forks(self, above: list[Node]) -> None:
        place = self.at.place
        product = next((n for n in above if n.op == "Mul"), None)
        if product is not None:
            refuse("X008", f"{product.place} multiplies two maps: EFM3 has no such layer",
                   product.place)
        odd = next((n for n in above if n.op not in ("Conv", "Add")), None)
        if odd is not None:
            no_layer(odd)
        names = ", ".join(n.place for n in above) or "nobody"
        refuse("X008", f"{place} goes to {names}: EFM3's blocks add their input to their output, "
                       "and no more", place)

    def _step(self, node: Node) -> None:
        if node.op == "Conv":
            self._entries.append(self.at)
            self.units.append(self._conv(node))
            self.convs.append(node)
        elif node.op == "BatchNorm":
            self._norm(node)
        elif node.op == "PRelu":
            self._slope(node)
        elif node.op == "Add" and any(node is s for s in self._skips):
            self._residual(node)
        elif node.op == "Dense":
            self._dense(node)
        elif node.op == "Add" and all(i.value is None for i in node.inputs):
            refuse("X008", f"{node.place} adds what is not the input of a block of three "
                           "convolutions", node.place)
        else:
            self._other(node)

    def _other(self, node: Node) -> None:
        dense = next((n for n in self.users.get(id(node), ()) if n.op == "Dense"), None)
        if dense is not None:
            self._dense(dense)
        if node.op == "Pad" and node.attrs["value"] == 0 and node.attrs["mode"] == "constant":
            refuse("X009", f"{node.place} pads with zeros, and no convolution follows", node.place)
        if node.op == "Pad":
            refuse("X009", f"{node.place} pads with {node.attrs['mode']} "
                           f"{node.attrs['value']:g}: EFM3 pads with zeros", node.place)
        if node.op in ("Mul", "Add") and any(i.value is not None for i in node.inputs):
            c = next(i.value for i in node.inputs if i.value is not None)
            refuse("X009", f"{node.place} has constants of shape {[*c.shape]} between layers, "
                           "which no layer of EFM3 can take", node.place, [*c.shape])
        no_layer(node)

    def _dense(self, node: Node) -> None:
        below = node.inputs[0]
        for _ in range(8):
            if below.op not in ("Reshape", "Transpose") or below.inputs[0].shape is None:
                break
            below = below.inputs[0]
        if below.shape is not None and len(below.shape) == 4 and below.shape[2:] != (1, 1):
            side = "×".join(str(s) for s in below.shape[2:])
            refuse("X009", f"{node.place} takes the whole {side} map at once: EFM3 has a "
                           "depthwise convolution over the map before its last layer", node.place,
                   side)
        no_layer(node)

    def _conv(self, node: Node) -> Unit:
        w = self._constant(node, 1)
        if node.inputs[0] is not self.at:
            refuse("X008", f"{node.place} takes {self.at.place} as a parameter", node.place)
        bias = self._constant(node, 2) if len(node.inputs) > 2 else None
        if set(node.attrs["dilations"]) != {1}:
            refuse("X009", f"{node.place} has dilations {[*node.attrs['dilations']]}: EFM3 has "
                           "none", node.place)
        unit = Unit(node.place, w, bias, groups=node.attrs["group"])
        if self.stated:
            strides = node.attrs["strides"]
            if strides is None or strides[0] != strides[1]:
                refuse("X009", f"{node.place} has strides {strides}, EFM3's are square",
                       node.place)
            unit.stride, unit.padding, unit.adds = strides[0], 0, False
        return unit

    def _constant(self, node: Node, number: int) -> Array:
        value = node.inputs[number].value
        if value is None:
            refuse("X008", f"{node.place} takes {node.inputs[number].place} where only a constant "
                           "can be expressed", node.place)
        with np.errstate(all="ignore"):
            return np.asarray(value, np.float32)

    def _norm(self, node: Node) -> None:
        unit = self.units[-1]
        if unit.bn is not None or unit.slope is not None or unit.adds:
            refuse("X009", f"{node.place} does not follow a convolution, and cannot go into the "
                           "next one, which has padding", node.place)
        params = dict(zip(STATISTICS, (self._constant(node, i) for i in range(1, 5)), strict=True))
        unit.bn = _at_eps(params, [i.value for i in node.inputs[1:]], node.attrs["eps"])

    def _slope(self, node: Node) -> None:
        unit = self.units[-1]
        if unit.slope is not None or unit.adds:
            refuse("X009", f"{node.place} follows {'a residual sum' if unit.adds else 'a PReLU'}: "
                           "EFM3 has no activation there", node.place)
        slope = self._constant(node, 1)
        own = vector(slope, node.inputs[0].shape)
        if own is None:
            refuse("X009", f"{node.place} has slopes of shape {[*slope.shape]} that differ within "
                           f"a channel: EFM3 has one for each of {node.inputs[0].channels} "
                           "channels", node.place, [*slope.shape])
        unit.slope = own

    def _residual(self, node: Node) -> None:
        self._skips = [s for s in self._skips if s is not node]
        other = next((i for i in node.inputs if i is not self.at), self.at)
        unit = self.units[-1]
        if len(self.units) >= 5 and other is self._entries[-3] and unit.slope is not None:
            refuse("X009", f"{unit.place} has an activation before the sum at {node.place}: "
                           "EFM3's project has none", unit.place)
        if len(self.units) < 5 or other is not self._entries[-3]:
            refuse("X008", f"{node.place} adds {other.place}, not the input of a block of three "
                           "convolutions to its output", node.place)
        unit.adds = True


def _at_eps(bn: dict[str, Array], exact: list[Array | None], eps: float) -> dict[str, Array]:
    """BatchNorm's tensors for EFM3's epsilon: the difference goes into the variance, or, where
    that would be negative, into the scale."""
    if np.float32(eps) == np.float32(fmt.BN_EPS):
        return bn
    var = wide(exact[3] if exact[3] is not None else bn["bn.var"])
    moved = var + (eps - fmt.BN_EPS)
    with np.errstate(all="ignore"):
        if (moved >= 0).all():
            return {**bn, "bn.var": moved.astype(np.float32)}
        scale = wide(exact[0] if exact[0] is not None else bn["bn.w"])
        factor = np.sqrt(wide(bn["bn.var"]) + fmt.BN_EPS) / np.sqrt(var + eps)
        return {**bn, "bn.w": (scale * factor).astype(np.float32)}


def _turned(convs: list[Node], units: list[Unit]) -> bool:
    """Sets each unit's padding; True where strided layers pad below and right alone.

    What a convolution uses of its padding counts: above p, below what its last window reaches.
    EFM3's layer uses p above and as much below as the map's side asks for; TensorFlow's SAME the
    other way round. Turned by 180 degrees, kernels and picture, the one is the other.
    """
    ways: dict[str, Node] = {}
    for conv, unit in zip(convs, units, strict=True):
        used = _used(conv)
        k = unit.weight.shape[2]
        want = _wanted(conv, unit, 0 if unit is units[-2 % len(units)] else k // 2)
        mirrored = [want[1], want[0]]
        if used == [want, want]:
            unit.padding = want[0]
            if want[0] != want[1]:
                ways.setdefault("upright", conv)
        elif used == [mirrored, mirrored]:
            unit.padding = k // 2
            ways.setdefault("turned", conv)
        else:
            top, left, bottom, right = conv.attrs["pads"]
            pads = [top, left, bottom, right]
            refuse("X009", f"{conv.place} has pads {pads} (above, left, below, right) at stride "
                           f"{unit.stride}: EFM3's {k}×{k} kernels have {k // 2} on each side",
                   conv.place, pads, [k // 2] * 4)
    if len(ways) == 2:
        refuse("X009", f"{ways['turned'].place} pads below and right, {ways['upright'].place} "
                       "above and left: EFM3's strided layers all pad alike", ways["turned"].place)
    return "turned" in ways


def _used(conv: Node) -> list[list[int]]:
    """[above, below] and [left, right]: the padding that the windows reach."""
    top, left, *_ = conv.attrs["pads"]
    w, shape, below = conv.inputs[1].shape or (), conv.shape or (), conv.inputs[0].shape or ()
    out = []
    for axis, first in ((2, top), (3, left)):
        stride = conv.attrs["strides"][axis - 2]
        reach = ((shape[axis] or 1) - 1) * stride + (w[axis] or 1)
        out.append([first, reach - (below[axis] or 0) - first])
    return out


def _wanted(conv: Node, unit: Unit, pad: int) -> list[int]:
    """[before, after] of EFM3's layer of this kernel, stride and padding on this map."""
    k, stride = unit.weight.shape[2], unit.stride or 1
    side = (conv.inputs[0].shape or (0, 0, 0, 0))[2] or 0
    count = (side + 2 * pad - k) // stride + 1
    return [pad, (count - 1) * stride + k - side - pad]
