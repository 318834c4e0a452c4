# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Caffe's layers, each with its parameters' defaults, as nodes of the graph."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from efm3.arrays import Array
from efm3.convert._caffe_model import Model
from efm3.convert._layers import MOST_PARTS, Call, Foreign, Made
from efm3.convert._protobuf import Message
from efm3.convert.graph import Node
from efm3.findings import refuse


@dataclass
class Layer(Call):
    """A layer of a network; `tops` is the number of its outputs."""

    message: Message
    model: Model
    tops: int

    def arrays(self, *counts: int) -> list[Array]:
        """Its arrays, of which there must be so many."""
        return self.model.arrays(self.message.word("name"), self.place, counts)

    def vector(self, values: Array) -> Array:
        """An array of values for each channel, which old files write as 1×1×1×C."""
        return values.reshape(-1) if values.size == max(values.shape, default=1) else values

    def sides(self, p: Message, name: str, default: int, short: str = "") -> tuple[int, int]:
        """(height, width) of a kernel's parameter: one number, two, or each by its own name."""
        short = short or name
        both = p.wholes(name) or [default]
        if len(both) > 2:
            raise Foreign(f"{self.op} in {len(both)} dimensions")
        return p.whole(f"{short}_h", both[0]), p.whole(f"{short}_w", both[-1])


def _convolution(c: Layer) -> Node:
    p = c.message.sub("convolution_param")
    kernel = c.sides(p, "kernel_size", 0, "kernel")
    bias = p.flag("bias_term", True)
    weight, *more = c.arrays(2 if bias else 1)
    x = c.one()
    out, group = p.whole("num_output", 0), p.whole("group", 1)
    if "epthwise" in c.op and "group" not in p:
        group = c.shape(x)[1]
    if p.whole("axis", 1) != 1:
        raise Foreign(f"{c.op} along axis {p.whole('axis', 1)}")
    if weight.ndim != 4 or weight.shape[:1] + weight.shape[2:] != (out, *kernel):
        refuse("X006", f"{c.place} states {out} outputs and the kernel {[*kernel]}, its weight "
                       f"has shape {[*weight.shape]}", c.place)
    top, left = c.sides(p, "pad", 0)
    return c.add("Conv", x, c.const(weight), *(c.const(c.vector(b)) for b in more), group=group,
                 strides=c.sides(p, "stride", 1), dilations=c.sides(p, "dilation", 1),
                 pads=(top, left, top, left))


def _norm(c: Layer) -> Node:
    """(x - mean / f) / sqrt(var / f + eps), with the third array as f; Scale has the rest."""
    p = c.message.sub("batch_norm_param")
    if not p.flag("use_global_stats", True):
        raise Foreign("BatchNorm by the statistics of its own input (use_global_stats: false)")
    mean, var, factor = c.arrays(3)
    if factor.size != 1:
        refuse("X006", f"{c.place} has a scale factor of shape {[*factor.shape]}", c.place)
    f = factor.reshape(-1)[0]
    with np.errstate(all="ignore"):
        # As Caffe does, in float32: a product with the reciprocal. Mostly f is 1.
        stats = [c.vector(v) * (f.dtype.type(0) if f == 0 else 1 / f) for v in (mean, var)]
    one = np.ones(stats[0].shape, np.float32)
    return c.add("BatchNorm", c.one(), c.const(one), c.const(np.zeros_like(one)),
                 *map(c.const, stats), eps=p.real("eps", 1e-5))


def _placed(c: Layer, p: Message, x: Node, values: Node) -> Node:
    """The operand of Scale or Bias, along the axes from `axis` on."""
    return c.along(x, values, c.axis(p.whole("axis", 1), len(c.shape(x))))


def _scale(c: Layer) -> Node:
    p = c.message.sub("scale_param")
    c.takes(1, 2)
    x, bias = c.inputs[0], int(p.flag("bias_term", False))
    own = 2 - len(c.inputs)
    found = [c.const(a) for a in c.arrays(own + bias)] if own + bias else []
    values = [*c.inputs[1:], *found]
    y = c.add("Mul", x, _fitted(c, p, x, values[0]))
    return c.add("Add", y, _fitted(c, p, x, values[1])) if bias else y


def _fitted(c: Layer, p: Message, x: Node, values: Node) -> Node:
    """`_placed`, for an array of the file also where it is written as 1×1×1×C."""
    if values.value is not None and p.whole("num_axes", 1) == 1:
        values = c.const(c.vector(values.value))
    return _placed(c, p, x, values)


def _bias(c: Layer) -> Node:
    p = c.message.sub("bias_param")
    c.takes(1, 2)
    x = c.inputs[0]
    values = c.inputs[1] if len(c.inputs) == 2 else c.const(c.arrays(1)[0])
    return c.add("Add", x, _fitted(c, p, x, values))


def _prelu(c: Layer) -> Node:
    (slope,) = c.arrays(1)
    x, values = c.one(), c.const(c.vector(slope))
    shared = c.message.sub("prelu_param").flag("channel_shared", False)
    if values.value is not None and shared != (values.value.size == 1) and (
            c.shape(x)[1:2] != (1,)):
        refuse("X006", f"{c.place} has {slope.size} slopes, and channel_shared: "
                       f"{str(shared).lower()}", c.place, slope.size)
    return c.add("PRelu", x, c.along(x, values))


def _relu(c: Layer) -> Node:
    slope = c.message.sub("relu_param").real("negative_slope", 0.0)
    return c.add("LeakyRelu", c.one(), alpha=slope) if slope else c.add("Relu", c.one())


def _dense(c: Layer) -> Node:
    p = c.message.sub("inner_product_param")
    bias = p.flag("bias_term", True)
    weight, *more = c.arrays(2 if bias else 1)
    out, x = p.whole("num_output", 0), c.one()
    # Old files write a matrix as 1×1×rows×columns.
    matrix = weight.reshape(weight.shape[-2:]) if weight.size == math.prod(weight.shape[-2:]) and (
        weight.ndim > 2) else weight
    matrix = matrix.T if p.flag("transpose", False) else matrix
    if matrix.ndim != 2 or len(matrix) != out:
        refuse("X006", f"{c.place} states {out} outputs, its weight has shape {[*weight.shape]}",
               c.place)
    return c.add("Dense", c.flat(x, p.whole("axis", 1)), c.const(matrix),
                 *(c.const(c.vector(b)) for b in more))


OPERATIONS = ("PROD", "SUM", "MAX")


def _eltwise(c: Layer) -> Node:
    p = c.message.sub("eltwise_param")
    operation, by = p.choice("operation", OPERATIONS, "SUM"), p.reals("coeff")
    if operation not in OPERATIONS:
        raise Foreign(f"Eltwise {operation[:20]}")
    inputs = list(c.inputs)
    if by and (operation != "SUM" or len(by) != len(inputs)):
        refuse("X006", f"{c.place} has {len(by)} coefficients for {len(inputs)} inputs", c.place)
    if by:
        inputs = [x if k == 1 else c.add("Mul", x, c.const(k))
                  for x, k in zip(inputs, by, strict=True)]
    return c.chain({"PROD": "Mul", "SUM": "Add", "MAX": "Max"}[operation], inputs)


def _power(c: Layer) -> Node:
    """(shift + scale · x) ^ power."""
    p, x = c.message.sub("power_param"), c.one()
    for op, name, default in (("Mul", "scale", 1.0), ("Add", "shift", 0.0), ("Pow", "power", 1.0)):
        if p.real(name, default) != default:
            x = c.add(op, x, c.const(p.real(name, default)))
    return x


def _exp(c: Layer) -> Node:
    p = c.message.sub("exp_param")
    if (p.real("base", -1.0), p.real("scale", 1.0), p.real("shift", 0.0)) != (-1, 1, 0):
        raise Foreign("Exp of a base")
    return c.add("Exp", c.one())


def _pool(c: Layer) -> Node:
    p = c.message.sub("pooling_param")
    kind = p.choice("pool", ("MAX", "AVE", "STOCHASTIC"), "MAX")
    return c.pooled(c.one(), {"MAX": "max", "AVE": "avg"}.get(kind, kind[:20]),
                    p.flag("global_pooling", False), c.sides(p, "kernel_size", 1, "kernel"),
                    c.sides(p, "stride", 1), c.sides(p, "pad", 0))


def _flatten(c: Layer) -> Node:
    p = c.message.sub("flatten_param")
    return c.flat(c.one(), p.whole("axis", 1), p.whole("end_axis", -1))


def _reshape(c: Layer) -> Node:
    """0 keeps a size, -1 is the rest; only the axes from `axis` on, `num_axes` of them."""
    p, x = c.message.sub("reshape_param"), c.one()
    have, want = list(c.shape(x)), p.sub("shape").wholes("dim")
    first = p.whole("axis", 0)
    first = c.axis(first, len(have) + 1)
    count = p.whole("num_axes", -1)
    last = len(have) if count == -1 else first + count
    if not first <= last <= len(have) or len(want) > MOST_PARTS:
        refuse("X006", f"{c.place} reshapes {count} axes of {have} from {first} on", c.place)
    inner = have[first:last]
    for i, w in enumerate(want):
        if w == 0 and i < len(inner):
            want[i] = inner[i]
    return c.reshape(x, have[:first] + want + have[last:])


def _concat(c: Layer) -> Node:
    p = c.message.sub("concat_param")
    for x in c.inputs:
        c.shape(x)
    if len(c.inputs) > MOST_PARTS:
        refuse("X007", f"{c.place} has {len(c.inputs):,} inputs", c.place)
    return c.add("Concat", *c.inputs, axis=p.whole("axis", p.whole("concat_dim", 1)))


def _slice(c: Layer) -> Made:
    p, x = c.message.sub("slice_param"), c.one()
    shape = c.shape(x)
    axis = c.axis(p.whole("axis", p.whole("slice_dim", 1)), len(shape))
    size, points = shape[axis], p.wholes("slice_point")
    if not points and c.tops and size % c.tops == 0 and c.tops <= MOST_PARTS:
        points = [size // c.tops * i for i in range(1, c.tops)]
    ends = [0, *points, size]
    if len(points) != c.tops - 1 or any(a >= b for a, b in pairwise(ends)):
        refuse("X006", f"{c.place} cuts {[*shape]} at {points[:9]} for {c.tops} tops", c.place)
    return [c.part(x, axis, a, b) for a, b in pairwise(ends)]


def _permute(c: Layer) -> Node:
    x = c.one()
    order = list(dict.fromkeys(c.message.sub("permute_param").wholes("order")))
    rank = len(c.shape(x))
    # Axes that are not named keep their order, at the end.
    return c.add("Transpose", x, perm=(*order, *(a for a in range(rank) if a not in order)))


def _normalize(c: Layer) -> Node:
    """x / sqrt(sum of x² + eps), times a scale: SSD's layer. Others of this name differ."""
    if "norm_param" not in c.message:
        raise Foreign("Normalize without norm_param")
    p, x = c.message.sub("norm_param"), c.one()
    axes = tuple(range(1, len(c.shape(x)))) if p.flag("across_spatial", True) else (1,)
    y = c.builder.normalised(x, axes, c.place, added=p.real("eps", 1e-10))
    return c.add("Mul", y, c.along(x, c.const(c.vector(c.arrays(1)[0]))))


REDUCTIONS = {"SUM": "ReduceSum", "ASUM": "ReduceL1", "SUMSQ": "ReduceSumSquare",
              "MEAN": "ReduceMean"}


def _reduction(c: Layer) -> Node:
    p, x = c.message.sub("reduction_param"), c.one()
    operation = p.choice("operation", ("", *REDUCTIONS), "SUM")
    if operation not in REDUCTIONS:
        raise Foreign(f"Reduction {operation[:20]}")
    rank = len(c.shape(x))
    axes = tuple(range(c.axis(p.whole("axis", 0), rank), rank))
    y = c.add(REDUCTIONS[operation], x, axes=axes, keepdims=False)
    k = p.real("coeff", 1.0)
    return y if k == 1 else c.add("Mul", y, c.const(k))


def _clip(c: Layer) -> Node:
    p = c.message.sub("clip_param")
    return c.add("Clip", c.one(), low=p.real("min", -math.inf), high=p.real("max", math.inf))


def _unary(op: str) -> Callable[[Layer], Node]:
    return lambda c: c.add(op, c.one())


def _copies(c: Layer) -> Sequence[Node]:
    return [c.one()] * min(c.tops, MOST_PARTS)


TABLE: dict[str, Callable[[Layer], Node | Made]] = {
    "Convolution": _convolution, "ConvolutionDepthwise": _convolution,
    "DepthwiseConvolution": _convolution, "ConvolutionDepthWise": _convolution,
    "BatchNorm": _norm, "Scale": _scale, "Bias": _bias, "PReLU": _prelu, "ReLU": _relu,
    "ReLU6": lambda c: c.add("Clip", c.one(), low=0.0, high=6.0),
    "InnerProduct": _dense, "Eltwise": _eltwise, "Power": _power, "Exp": _exp, "Pooling": _pool,
    "Flatten": _flatten, "Reshape": _reshape, "Concat": _concat, "Slice": _slice,
    "Permute": _permute, "Normalize": _normalize, "Reduction": _reduction, "Clip": _clip,
    "AbsVal": _unary("Abs"), "Sigmoid": _unary("Sigmoid"), "TanH": _unary("Tanh"),
    "Dropout": _copies, "Split": _copies, "ELU": lambda c: c.foreign("Elu"),
}
"""Each layer's function by its type: its one output, or all of them."""

OLD = {"CONVOLUTION": "Convolution", "INNER_PRODUCT": "InnerProduct", "RELU": "ReLU",
       "ELTWISE": "Eltwise", "POWER": "Power", "EXP": "Exp", "POOLING": "Pooling",
       "FLATTEN": "Flatten", "CONCAT": "Concat", "SLICE": "Slice", "ABSVAL": "AbsVal",
       "SIGMOID": "Sigmoid", "TANH": "TanH", "DROPOUT": "Dropout", "SPLIT": "Split",
       "SOFTMAX": "Softmax", "SOFTMAX_LOSS": "SoftmaxWithLoss", "DATA": "Data"}
"""Types by their names in texts of before 2014."""
