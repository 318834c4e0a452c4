# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""ncnn's layers as operations of the graph: those that compute. See `_ncnn_shapes` for the others.

A blob of ncnn has no batch: [W], [H, W] or [C, H, W]. In the graph it is [1, W], [1, H, W] or
[1, C, H, W], so ncnn's axis i, counted from the outermost, is axis i + 1, and a layer's channels
are axis 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from efm3.arrays import Array
from efm3.convert._ncnn_param import Layer, Params
from efm3.convert.graph.build import Builder
from efm3.convert.graph.nodes import Node
from efm3.convert.graph.ops import OPS, per_channel
from efm3.findings import refuse

SAME_UPPER, SAME_LOWER = -233, -234
"""Pads that depend on the map's size, with the odd one after, or before."""
UNBOUNDED = 3.4e38
"""A bound of Clip of this magnitude is none: ncnn's default is the largest float32."""
BINARY: Mapping[int, str] = {0: "Add", 1: "Sub", 2: "Mul", 3: "Div", 4: "Max", 5: "Min", 6: "Pow"}
SWAPPED: Mapping[int, str] = {7: "Sub", 8: "Div", 9: "Pow"}
"""BinaryOp's codes: of (a, b), and of (b, a)."""
UNARY: Mapping[int, str] = {0: "Abs", 1: "Neg", 5: "Sqrt", 7: "Exp", 15: "Reciprocal", 16: "Tanh"}

CALLED: Mapping[str, str] = {"ELU": "Elu", "GELU": "Gelu", "SELU": "Selu"}
"""Names of the graph's own for types that nothing can match."""
POINTWISE = ("BNLL", "CELU", "Cast", "ELU", "Erf", "Exp", "GELU", "LRN", "Log", "MVN", "Mish",
             "SELU", "Shrink", "Softmax", "Softplus", "Threshold", "UnaryOp")
"""Types whose output has its input's shape, among those that nothing can match."""


@dataclass(frozen=True)
class Step:
    """One layer being built: its parameters, its arrays, and the builder."""

    builder: Builder
    layer: Layer
    arrays: Mapping[str, Array]

    @property
    def params(self) -> Params:
        """The layer's parameters."""
        return self.layer.params

    @property
    def place(self) -> str:
        """What a refusal calls the layer."""
        return self.layer.place

    def add(self, op: str, *inputs: Node, **attrs: Any) -> Node:
        """A node of this layer."""
        return self.builder.add(op, *inputs, place=self.place, **attrs)

    def const(self, value: Any) -> Node:
        """A constant of this layer."""
        return self.builder.const(value, self.place)

    def vector(self, name: str, x: Node) -> Node:
        """An array of the layer along the channels of x; one value is for all of them."""
        v, channels = self.arrays[name], x.channels
        if channels is not None and v.size not in (1, channels):
            refuse("X006", f"{self.place} has {v.size} values for {channels} channels", self.place,
                   v.size, channels)
        return self.const(per_channel(v, rank(x)))

    def foreign(self, *inputs: Node, name: str = "", pointwise: bool = False) -> Node:
        """An operation that nothing can match or run: the layer's type, or `name`."""
        kind = self.layer.kind
        name = name or CALLED.get(kind, kind)
        node = self.add(name + "?" if name in OPS else name, *inputs)
        if pointwise or kind in POINTWISE:
            node.shape = inputs[0].shape if inputs else None
        return node

    def reshape(self, x: Node, shape: tuple[int, ...]) -> Node:
        """x in another shape, -1 for the rest."""
        return self.builder.reshape(x, shape, self.place, zero=False)


def sizes(x: Node) -> tuple[int, ...]:
    """x's shape. Where it is known each size is, for ncnn's inputs and parameters are numbers."""
    return tuple(s or 0 for s in x.shape or ())


def rank(x: Node) -> int:
    """x's axes; those of a map where they are not known."""
    return 4 if x.shape is None else len(x.shape)


def _activated(step: Step, x: Node) -> Node:
    """What follows in the same layer: parameter 9, with the numbers of parameter 10."""
    code, a = step.params.whole(9), step.params.reals(10)
    wanted = {2: 1, 3: 2, 6: 2}.get(code, 0)
    if len(a) < wanted:
        refuse("X006", f"{step.place}: activation {code} has {len(a)} parameters", step.place,
               len(a), wanted)
    if code == 1:
        return step.add("Relu", x)
    if code == 2:
        return step.add("LeakyRelu", x, alpha=a[0])
    if code == 3:
        return _clipped(step, x, a[0], a[1])
    if code == 4:
        return step.add("Sigmoid", x)
    if code == 6:
        return _hard_swish(step, x, a[0], a[1])
    if code == 0:
        return x
    return step.foreign(x, name="Mish" if code == 5 else f"activation {code}", pointwise=True)


def _clipped(step: Step, x: Node, low: float, high: float) -> Node:
    """x between two bounds; either may be none."""
    return step.add("Clip", x, low=low if low > -UNBOUNDED else -math.inf,
                    high=high if high < UNBOUNDED else math.inf)


def _hard_sigmoid(step: Step, x: Node, alpha: float, beta: float) -> Node:
    if _usual(alpha, beta):
        return step.add("HardSigmoid", x)
    scaled = step.add("Mul", x, step.const(alpha))
    return step.add("Clip", step.add("Add", scaled, step.const(beta)), low=0.0, high=1.0)


def _hard_swish(step: Step, x: Node, alpha: float, beta: float) -> Node:
    if _usual(alpha, beta):
        return step.add("HardSwish", x)
    return step.add("Mul", x, _hard_sigmoid(step, x, alpha, beta))


def _usual(alpha: float, beta: float) -> bool:
    """True for x / 6 + 0.5, as the graph has it; a sixth is printed with seven digits."""
    return abs(alpha - 1 / 6) < 1e-6 and beta == 0.5


def _line(step: Step) -> tuple[float, float]:
    return step.params.real(0, 0.2), step.params.real(1, 0.5)


def _biased(step: Step) -> list[Node]:
    return [step.const(step.arrays["bias"])] if "bias" in step.arrays else []


def _convolution(step: Step, x: Node, *more: Node) -> Node:
    p = step.params
    if more or p.whole(19):
        return step.foreign(x, *more)
    weight = step.arrays["weight"]
    if rank(x) == 2 and weight.shape[2:] == (1, 1):
        dense = step.const(weight.reshape(len(weight), -1))
        return _activated(step, step.add("Dense", x, dense, *_biased(step)))
    strides = p.whole(13, p.whole(3, 1)), p.whole(3, 1)
    dilations = p.whole(12, p.whole(2, 1)), p.whole(2, 1)
    extent = [(k - 1) * d + 1 for k, d in zip(weight.shape[2:], dilations, strict=True)]
    pads = _pads(step, x, extent, strides)
    if pads is None:
        return step.foreign(x)
    if p.real(18) and any(pads):
        top, left, bottom, right = pads
        x = step.add("Pad", x, pads=((0, 0), (0, 0), (top, bottom), (left, right)),
                     value=p.real(18), mode="constant")
        pads = (0, 0, 0, 0)
    group = p.whole(7, 1) if step.layer.kind == "ConvolutionDepthWise" else 1
    y = step.add("Conv", x, step.const(weight), *_biased(step), strides=strides, pads=pads,
                 dilations=dilations, group=group)
    return _activated(step, y)


def _pads(step: Step, x: Node, extent: list[int],
          strides: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """Top, left, bottom, right; None where they depend on a size that is not known."""
    p = step.params
    left, top = p.whole(4), p.whole(14, p.whole(4))
    pads = (top, left, p.whole(16, top), p.whole(15, left))
    if min(*extent, *strides) < 1 or rank(x) != 4:
        refuse("X006", f"{step.place}: a kernel over {extent} with strides {[*strides]} on a map "
                       f"of {[*sizes(x)[1:]]}", step.place)
    if set(pads) in ({SAME_UPPER}, {SAME_LOWER}):
        if x.shape is None:
            return None
        both = [max(0, e + (side - 1) // s * s - side)
                for e, s, side in zip(extent, strides, sizes(x)[2:], strict=True)]
        less, more = [b // 2 for b in both], [b - b // 2 for b in both]
        first, last = (less, more) if left == SAME_UPPER else (more, less)
        return first[0], first[1], last[0], last[1]
    if min(pads) < 0 or max(pads) > max(extent):
        refuse("X009", f"{step.place} pads by {[*pads]} (top, left, bottom, right) around a kernel "
                       f"of {extent[0]}×{extent[1]}", step.place, pads)
    return pads


def _inner_product(step: Step, x: Node) -> Node:
    weight = step.arrays["weight"]
    # A map of rows is multiplied row by row; anything else is one vector.
    if not (len(sizes(x)) == 3 and sizes(x)[2] == weight.shape[1]):
        _one_value_a_channel(step, x, weight.shape[1])
        x = step.reshape(x, (1, -1))
    return _activated(step, step.add("Dense", x, step.const(weight), *_biased(step)))


def _one_value_a_channel(step: Step, x: Node, wanted: int) -> None:
    """Refuses a map that is not 1×1 where the layer has weights for one that is."""
    if len(sizes(x)) != 4 or wanted != sizes(x)[1] or sizes(x)[2:] == (1, 1):
        return
    while x.op in ("BatchNorm", "PRelu", "Add", "Mul"):
        x = x.inputs[0]
    if x.op == "Conv":
        kernel, side = ("×".join(str(s) for s in sizes(n)[2:]) for n in (x.inputs[1], x.inputs[0]))
        refuse("X009", f"{x.place} has a kernel of {kernel} for the whole map, and the map is "
                       f"{side}: the network is for other pictures than EFM3's 112×112", x.place,
               kernel, side)


def _batch_norm(step: Step, x: Node) -> Node:
    eps, var = step.params.real(1), step.arrays["var"]
    # Where the root is 0, ncnn divides by 0.0001.
    var = np.where(var + eps == 0, 1e-8 - eps, var) if (var + eps == 0).any() else var
    named = (step.const(v) for v in (step.arrays["slope"], step.arrays["bias"],
                                     step.arrays["mean"], var))
    return step.add("BatchNorm", x, *named, eps=eps)


def _scale(step: Step, x: Node, *more: Node) -> Node:
    if not step.arrays or more:
        return step.foreign(x, *more)
    y = step.add("Mul", x, step.vector("scale", x))
    return step.add("Add", y, step.vector("bias", x)) if "bias" in step.arrays else y


def _bias(step: Step, x: Node) -> Node:
    # A blob of one or two axes is a single channel to this layer.
    bias = step.vector("bias", x) if rank(x) > 3 else step.const(step.arrays["bias"][:1])
    return step.add("Add", x, bias)


def _prelu(step: Step, x: Node) -> Node:
    return step.add("PRelu", x, step.vector("slope", x))


def _relu(step: Step, x: Node) -> Node:
    slope = step.params.real(0)
    return step.add("LeakyRelu", x, alpha=slope) if slope else step.add("Relu", x)


def _binary(step: Step, x: Node, *more: Node) -> Node:
    code, scalar = step.params.whole(0), step.params.whole(1)
    if bool(more) == bool(scalar) or code not in {**BINARY, **SWAPPED}:
        return step.foreign(x, *more, name=f"{step.layer.kind} {code}")
    other = more[0] if more else step.const(step.params.real(2))
    if more:
        x, other = _along(step, x, other), _along(step, other, x)
    if code in SWAPPED:
        return step.add(SWAPPED[code], other, x)
    return step.add(BINARY[code], x, other)


def _along(step: Step, x: Node, other: Node) -> Node:
    """x with as many axes as the other blob: it lies along the outermost ones, other than numpy
    has it; but a vector that does not fit there lies along the innermost one."""
    have, more = sizes(x), rank(other) - rank(x)
    if more <= 0:
        return x
    inner = len(have) == 2 and other.shape is not None and have[1] not in (1, other.channels)
    ones = (1,) * more
    return step.reshape(x, (1, *ones, have[1]) if inner else (*have, *ones))


def _unary(step: Step, x: Node) -> Node:
    code = step.params.whole(0)
    if code == 4:
        return step.add("Mul", x, x)
    if code == 6:
        return step.add("Reciprocal", step.add("Sqrt", x))
    return step.add(UNARY[code], x) if code in UNARY else step.foreign(x, name=f"UnaryOp {code}")


def _elementwise(step: Step, x: Node, *more: Node) -> Node:
    code, by = step.params.whole(0), step.params.reals(1)
    op = {0: "Mul", 1: "Add", 2: "Max"}.get(code)
    if op is None or (by and len(by) != len(more) + 1):
        return step.foreign(x, *more, name=f"{step.layer.kind} {code}")
    terms = [x, *more]
    if code == 1 and by:
        terms = [step.add("Mul", t, step.const(v)) for t, v in zip(terms, by, strict=True)]
    y = terms[0]
    for t in terms[1:]:
        y = step.add(op, y, t)
    return y


def _power(step: Step, x: Node) -> Node:
    p = step.params
    x = step.add("Mul", x, step.const(p.real(1, 1.0)))
    x = step.add("Add", x, step.const(p.real(2)))
    return x if p.real(0, 1.0) == 1 else step.add("Pow", x, step.const(p.real(0, 1.0)))


def _normalize(step: Step, x: Node) -> Node:
    """x / norm · scale. A blob of one or two axes is a single channel to this layer."""
    p, rank = step.params, len(sizes(x))
    across_spatial, across_channel, mode = p.whole(0), p.whole(4, 1), p.whole(9)
    if not across_spatial and not across_channel:
        return x
    if rank > 4 or mode not in (0, 1, 2):
        return step.foreign(x)
    spatial = tuple(range(2 if rank == 4 else 1, rank)) if across_spatial else ()
    axes = (1, *spatial) if rank == 4 and across_channel else spatial
    eps = p.real(2, 1e-4)
    y = step.builder.normalised(x, axes, step.place, added=eps if mode == 0 else 0.0,
                                least=(0.0, eps * eps, eps)[mode])
    scale = step.arrays["scale"]
    if p.whole(1) or rank < 4:
        scale = scale[:1]
    if (scale == 1).all():
        return y
    if scale.size != 1 and scale.size != sizes(x)[1]:
        refuse("X006", f"{step.place} has {scale.size} scales for {sizes(x)[1]} channels",
               step.place, scale.size, sizes(x)[1])
    return step.add("Mul", y, step.const(per_channel(scale, rank)))


def _memory_data(step: Step) -> Node:
    return step.const(step.arrays["data"][None])


class Row(NamedTuple):
    """What builds a layer, and how many blobs it takes at least and at most."""

    build: Callable[..., Node | list[Node]]
    least: int = 1
    most: int = 1


def _same(step: Step, x: Node) -> Node | list[Node]:
    """x itself, for each output."""
    return [x] * len(step.layer.outputs)


MANY = 1 << 10
LAYERS: dict[str, Row] = {
    "Convolution": Row(_convolution, 1, 3), "ConvolutionDepthWise": Row(_convolution, 1, 3),
    "InnerProduct": Row(_inner_product), "BatchNorm": Row(_batch_norm),
    "Scale": Row(_scale, 1, 2), "PReLU": Row(_prelu), "ReLU": Row(_relu),
    "Bias": Row(_bias),
    "Clip": Row(lambda s, x: _clipped(s, x, s.params.real(0, -UNBOUNDED),
                                      s.params.real(1, UNBOUNDED))),
    "BinaryOp": Row(_binary, 1, 2), "UnaryOp": Row(_unary), "Eltwise": Row(_elementwise, 1, MANY),
    "Power": Row(_power), "Normalize": Row(_normalize), "MemoryData": Row(_memory_data, 0, 0),
    "AbsVal": Row(lambda s, x: s.add("Abs", x)), "TanH": Row(lambda s, x: s.add("Tanh", x)),
    "Sigmoid": Row(lambda s, x: s.add("Sigmoid", x)),
    "Swish": Row(lambda s, x: s.add("Mul", x, s.add("Sigmoid", x))),
    "HardSigmoid": Row(lambda s, x: _hard_sigmoid(s, x, *_line(s))),
    "HardSwish": Row(lambda s, x: _hard_swish(s, x, *_line(s))),
    "Dropout": Row(lambda s, x: x if s.params.real(0, 1.0) == 1 else
                   s.add("Mul", x, s.const(s.params.real(0, 1.0)))),
    "Split": Row(_same), "Noop": Row(_same), "DeepCopy": Row(_same),
}
"""The layers that compute, and those that copy."""
