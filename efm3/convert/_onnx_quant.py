# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""ONNX operations with numbers of 8 bits, read as the real numbers that they stand for.

A constant is dequantised. A map that is quantised and dequantised again stays what it was: that
loses the rounding, and the clipping at the ends of its range, but for the one clipping that tools
put in the place of a ReLU, where the least number stands for zero. In between the graph holds a
foreign node QuantizeLinear, so what computes with the bare numbers is refused by its name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from efm3.arrays import Array
from efm3.convert._onnx_call import Call
from efm3.convert._onnx_layers import LAYERS
from efm3.convert._onnx_shapes import Made, axes
from efm3.convert.graph.nodes import Node
from efm3.findings import refuse

ROUNDS = "weights of 8 bits"
MAP = "QuantizeLinear"
MOVED = ("Reshape", "Transpose", "Slice", "Gather")


def _parameter(c: Call, number: int, rank: int, axis: int = 0) -> Array:
    """A scale, or a zero point where it is not left out: one, or one for each place of an axis.
    Raises X006, X008."""
    node = c.at(number)
    if node is None:
        return np.zeros((), np.float32)
    if node.value is None:
        refuse("X008", f"{c.place} takes {node.place} where only a constant can be expressed",
               c.place)
    values = node.value.astype(np.float32)
    if values.size == 1:
        return values.reshape(())
    if values.ndim != 1:
        refuse("X008", f"{c.place} has scales of shape {[*values.shape]}: one, or one for each "
                       "channel, is read", c.place)
    (axis,) = axes(c, [axis], rank)
    return values.reshape(-1, *[1] * (rank - 1 - axis))


def _weights(c: Call, at: int, scale: int | None, zero: int, axis: int) -> Node:
    """Constants of 8 or 32 bits, dequantised as onnxruntime does it, in float32."""
    value = c.need(at).value
    if value is None:
        refuse("X008", f"{c.place} has a weight that is no constant", c.place)
    c.spend(4 * value.size)
    less, times = _parameter(c, zero, value.ndim, axis), np.ones((), np.float32)
    if scale is not None:
        c.need(scale, "scale")
        times = _parameter(c, scale, value.ndim, axis)
    real = value.astype(np.float32)
    try:
        with np.errstate(all="ignore"):
            real -= less
            real *= times
    except ValueError as e:
        refuse("X006", f"{c.place}: {e}", c.place)
    return c.const(real)


def _wrapped(c: Call, x: Node, scale: int, zero: int) -> Node:
    """A map that is quantised from here on. Raises X008."""
    c.need(scale, "scale")
    rank = len(x.shape or ())
    axis = c.integer("axis", 1)
    points, kind = c.at(zero), np.dtype(np.uint8)
    if points is not None and points.value is not None:
        kind = points.value.dtype
    lowest = np.iinfo(kind).min if kind.kind in "iu" else 0
    at = _parameter(c, zero, rank, axis)
    if (at == lowest).all() and x.op != "Relu":
        x = c.add("Relu", x)
    return _map(c, x, scale=_parameter(c, scale, rank, axis), zero=at)


def _map(c: Call, x: Node, **attrs: Any) -> Node:
    node = c.builder.add(MAP, x, place=c.place, **attrs)
    node.shape = x.shape
    return node


def _real(c: Call, at: int = 0) -> Node | None:
    """The real numbers of an input, a quantised map with the two parameters that follow it; None
    where it is none."""
    inside, attrs = _unwrapped(c, c.need(at))
    rank = len(c.need(at).shape or ())
    same = inside is not None and "scale" in attrs and all(
        np.array_equal(attrs[k], _parameter(c, n, rank, c.integer("axis", 1)))
        for k, n in (("scale", at + 1), ("zero", at + 2)))
    return inside if same else None


def _unwrapped(c: Call, node: Node) -> tuple[Node | None, dict[str, Any]]:
    moves = []
    while node.op in MOVED:
        moves.append(node)
        node = node.inputs[0]
    if node.op != MAP or not node.attrs:
        return None, {}
    real = node.inputs[0]
    for move in reversed(moves):
        real = c.add(move.op, real, *move.inputs[1:], **move.attrs)
    return real, dict(node.attrs)


def _quantize(c: Call) -> Node:
    c.rounds = ROUNDS
    x, points = c.x, c.at(2)
    if x.value is None:
        return _wrapped(c, x, 1, 2)
    kind = np.dtype(np.uint8) if points is None or points.value is None else points.value.dtype
    if kind.kind not in "iu":
        return c.foreign(x.shape)
    rank, axis, ends = x.value.ndim, c.integer("axis", 1), np.iinfo(kind)
    c.need(1, "scale")
    c.spend(4 * x.value.size)
    unit, more = _parameter(c, 1, rank, axis), _parameter(c, 2, rank, axis)
    whole = x.value.astype(np.float32)
    try:
        with np.errstate(all="ignore"):
            whole /= unit
            np.rint(whole, out=whole)
            whole += more
    except ValueError as e:
        refuse("X006", f"{c.place}: {e}", c.place)
    np.clip(np.nan_to_num(whole, copy=False), ends.min, ends.max, out=whole)
    return c.const(whole.astype(kind))


def _dequantize(c: Call) -> Node:
    c.rounds = ROUNDS
    if c.x.value is not None:
        return _weights(c, 0, 1, 2, c.integer("axis", 1))
    if _unwrapped(c, c.x)[0] is not None:
        return _real(c) or c.foreign(c.x.shape)
    # A picture of whole numbers.
    rank, axis = len(c.x.shape or ()), c.integer("axis", 1)
    c.need(1, "scale")
    x = c.add("Sub", c.x, c.const(_parameter(c, 2, rank, axis)))
    return c.add("Mul", x, c.const(_parameter(c, 1, rank, axis)))


def _linear(name: str) -> Callable[[Call], Node]:
    """QLinearConv and QLinearMatMul, whose bias is in units of both scales."""
    def made(c: Call) -> Node:
        c.rounds = ROUNDS
        real = _real(c)
        if real is None:
            return c.foreign()
        weight = c.need(3, "weight")
        axis = 0 if name == "Conv" else len(weight.shape or ()) - 1
        inputs: list[Node] = [real, _weights(c, 3, 4, 5, axis)]
        bias = c.at(8) if name == "Conv" else None
        if bias is not None and bias.value is not None:
            units = [_parameter(c, n, 1) for n in (1, 4)]
            try:
                with np.errstate(all="ignore"):
                    real_bias = bias.value.astype(np.float32) * units[0] * units[1]
                inputs.append(c.const(real_bias))
            except ValueError as e:
                refuse("X006", f"{c.place}: {e}", c.place)
        return _wrapped(c, LAYERS[name](c.of(inputs)), 6, 7)
    return made


def _add(c: Call) -> Node:
    c.rounds = ROUNDS
    first, second = _real(c), _real(c, 3)
    if first is None or second is None:
        return c.foreign()
    return _wrapped(c, c.add("Add", first, second), 6, 7)


def _dynamic(c: Call) -> Made:
    """Real numbers, with scale 1 and zero point 0: what follows multiplies and subtracts them."""
    c.rounds = ROUNDS
    zero = c.const(np.zeros((), np.uint8))
    return [_map(c, c.x, dynamic=zero), c.const(np.ones((), np.float32)), zero]


def _integer(name: str) -> Callable[[Call], Node]:
    """ConvInteger and MatMulInteger of a map that is quantised by its own range each time."""
    def made(c: Call) -> Node:
        c.rounds = ROUNDS
        real, attrs = _unwrapped(c, c.x)
        weight = c.need(1, "weight")
        if real is None or c.at(2) is not attrs.get("dynamic") or weight.value is None:
            return c.foreign()
        axis = 0 if name == "Conv" else weight.value.ndim - 1
        return LAYERS[name](c.of([real, _weights(c, 1, None, 3, axis)]))
    return made


QUANTISED: dict[str, Callable[[Call], Made]] = {
    "QuantizeLinear": _quantize, "DequantizeLinear": _dequantize,
    "DynamicQuantizeLinear": _dynamic, "QLinearConv": _linear("Conv"),
    "QLinearMatMul": _linear("MatMul"), "com.microsoft.QLinearAdd": _add,
    "ConvInteger": _integer("Conv"), "MatMulInteger": _integer("MatMul"),
}
"""How each operation is read; QLinearAdd is onnxruntime's own, and what its quantiser writes."""
