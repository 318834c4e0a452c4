# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""ONNX operations that compute: layers, activations, arithmetic, sums over axes."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from efm3.convert._onnx_call import Call
from efm3.convert._onnx_shapes import axes
from efm3.convert._onnx_tensors import BFLOAT, HALF, computed_in
from efm3.convert.graph.nodes import Node, Shape
from efm3.convert.graph.ops import KINDS, window
from efm3.findings import refuse

DIRECT = {o: o for o in (
    "Relu", "Neg", "Abs", "Sqrt", "Reciprocal", "Exp", "Sign", "Not", "Sigmoid", "Tanh",
    "HardSwish", "Add", "Sub", "Mul", "Div", "Pow", "Greater", "Less", "Equal", "And", "Or",
    "Where")} | {"GreaterOrEqual": "GreaterEqual", "LessOrEqual": "LessEqual"}
"""Operations that the graph has too, with no attributes; HardSwish has none in ONNX either."""
SAME = (
    "Softmax", "LogSoftmax", "Hardmax", "Elu", "Selu", "Celu", "ThresholdedRelu", "Softplus",
    "Softsign", "Erf", "Gelu", "Mish", "Swish", "Shrink", "LRN", "InstanceNormalization",
    "LayerNormalization", "GroupNormalization", "RMSNormalization", "MeanVarianceNormalization",
    "Floor", "Ceil", "Round", "Log", "Sin", "Cos")
"""Operations that stay foreign, whose output has their input's shape."""
REAL, WHOLE, TRUTH = (1, 10, 11, 16), (2, 3, 4, 5, 6, 7, 12, 13), (9,)
"""Element types by kind."""


def _direct(op: str) -> Callable[[Call], Node]:
    return lambda c: c.add(op, *(c.need(i) for i in range(len(c.inputs))))


def _constant_input(c: Call) -> bool:
    # A layer of constants alone is no layer, and would take long to compute.
    return c.x.value is not None


def _sides(c: Call, kernel: list[int]) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Strides, dilations and pads (top, left, bottom, right) of a window over a map."""
    x = c.x.shape
    rank = len(kernel)
    strides = c.integers("strides") or [1] * rank
    dilations = c.integers("dilations") or [1] * rank
    pads = c.integers("pads") or [0] * 2 * rank
    if len(strides) != rank or len(dilations) != rank or len(pads) != 2 * rank:
        refuse("X006", f"{c.place} has strides {strides}, dilations {dilations}, pads {pads} for "
                       f"a kernel of {kernel}", c.place)
    auto = c.text("auto_pad")
    if auto == "VALID":
        pads = [0] * 2 * rank
    elif auto.startswith("SAME"):
        if x is None or None in x[2:] or len(x) != rank + 2 or min(strides) < 1:
            refuse("X008", f"{c.place} has auto_pad {auto} on a map of unknown size", c.place)
        before, after = [], []
        for side, k, step, d in zip(x[2:], kernel, strides, dilations, strict=True):
            total = max((-(-(side or 0) // step) - 1) * step + (k - 1) * d + 1 - (side or 0), 0)
            less, more = total // 2, total - total // 2
            before.append(less if auto == "SAME_UPPER" else more)
            after.append(more if auto == "SAME_UPPER" else less)
        pads = before + after
    return tuple(strides), tuple(dilations), tuple(pads)


def _conv(c: Call) -> Node:
    weight, bias = c.need(1, "weight"), c.at(2)
    if _constant_input(c) or weight.shape is None or None in weight.shape:
        return c.foreign()
    kernel = [s or 0 for s in weight.shape[2:]]
    if len(kernel) != 2:
        if c.rank == 4:
            refuse("X006", f"{c.place} has a weight of shape {[*weight.shape]}, not of 4 "
                           "dimensions", c.place, [*weight.shape])
        return c.foreign()
    stated = c.integers("kernel_shape")
    if stated is not None and stated != kernel:
        refuse("X006", f"{c.place} states kernel_shape {stated}, its weight has {kernel}", c.place,
               kernel, stated)
    strides, dilations, pads = _sides(c, kernel)
    return c.add("Conv", c.x, weight, *([] if bias is None else [bias]), strides=strides,
                 dilations=dilations, pads=pads, group=c.integer("group", 1))


def _turned(c: Call, node: Node) -> Node:
    return c.add("Transpose", node, perm=(1, 0))


def _gemm(c: Call) -> Node:
    weight, bias = c.need(1, "weight"), c.at(2)
    if _constant_input(c) or weight.value is None or weight.value.ndim != 2:
        return c.foreign()
    x = _turned(c, c.x) if c.integer("transA", 0) else c.x
    weight = weight if c.integer("transB", 0) else _turned(c, weight)
    alpha, beta = c.real("alpha", 1.0), c.real("beta", 1.0)
    if alpha != 1:
        weight = c.add("Mul", weight, c.const(alpha))
    if bias is None:
        return c.add("Dense", x, weight)
    if beta != 1:
        bias = c.add("Mul", bias, c.const(beta))
    out = weight.shape[0] if weight.shape else None
    if bias.value is not None and bias.value.size == out and bias.value.shape[-1:] == (out,):
        return c.add("Dense", x, weight, c.builder.reshape(bias, (out,), c.place))
    return c.add("Add", c.add("Dense", x, weight), bias)


def _matmul(c: Call) -> Node:
    weight = c.need(1, "weight")
    if _constant_input(c) or weight.value is None or weight.value.ndim != 2:
        return c.foreign()
    return c.add("Dense", c.x, _turned(c, weight))


def _batch_norm(c: Call) -> Node:
    if c.integer("training_mode", 0) or not c.integer("spatial", 1):
        refuse("X009", f"{c.place} is in training mode or not per channel", c.place)
    if len(c.inputs) != 5:
        refuse("X007", f"{c.place} has {len(c.inputs)} inputs, not 5", c.place, len(c.inputs), 5)
    return c.add("BatchNorm", *(c.need(i) for i in range(5)), eps=c.real("epsilon", 1e-5))


def _prelu(c: Call) -> Node:
    x, slope = c.x, c.need(1, "slope")
    if x.shape is not None and len(x.shape) > 2 and slope.shape is not None:
        channels = x.shape[1]
        if slope.shape == (channels,) and channels not in (1, x.shape[-1]):
            # By the ONNX text it applies along the width, and fails; exporters meant channels.
            c.mended = True
            slope = c.builder.reshape(slope, (-1, *[1] * (len(x.shape) - 2)), c.place)
    return c.add("PRelu", x, slope)


def _clip(c: Call) -> Node:
    x, low, high = c.x, c.at(1), c.at(2)
    ends = [c.real("min", -math.inf) if low is None else _number(low),
            c.real("max", math.inf) if high is None else _number(high)]
    known = [e for e in ends if e is not None]
    if len(known) == 2 and x.value is None:
        # Older opsets state the largest float32 for "no end".
        most = float(np.finfo(np.float32).max)
        bottom, top = (math.copysign(math.inf, e) if abs(e) >= most else e for e in known)
        if (bottom, top) == (-math.inf, math.inf):
            return x
        return c.add("Clip", x, low=bottom, high=top)
    # An end that is computed; or whole numbers, which stay whole so.
    for op, node, end in (("Max", low, ends[0]), ("Min", high, ends[1])):
        if node is not None:
            x = c.add(op, x, node)
        elif end is not None and not math.isinf(end):
            x = c.add(op, x, c.const(end))
    return x


def _number(node: Node) -> float | None:
    """A constant of one value."""
    return None if node.value is None or node.value.size != 1 else float(node.value.reshape(-1)[0])


def _many(op: str) -> Callable[[Call], Node]:
    """Of two or more inputs, one after the other."""
    def made(c: Call) -> Node:
        total = c.x
        for i in range(1, len(c.inputs)):
            total = c.add(op, total, c.need(i))
        return total
    return made


def _mean(c: Call) -> Node:
    return c.add("Div", _many("Add")(c), c.const(float(len(c.inputs))))


def _hard_sigmoid(c: Call) -> Node:
    alpha, beta = c.real("alpha", 0.2), c.real("beta", 0.5)
    if beta == 0.5 and math.isclose(alpha, 1 / 6, rel_tol=1e-6):
        return c.add("HardSigmoid", c.x)
    line = c.add("Add", c.add("Mul", c.x, c.const(alpha)), c.const(beta))
    return c.add("Clip", line, low=0.0, high=1.0)


def _cast(c: Call) -> Node:
    to = c.integer("to", 0)
    if c.op == "CastLike":
        like = c.need(1)
        kind = ({"f": "float", "b": "bool"}.get(like.value.dtype.kind, "int")
                if like.value is not None else str(like.attrs.get("kind", "float")))
    else:
        kind = next((k for k, of in (("float", REAL), ("int", WHOLE), ("bool", TRUTH))
                     if to in of), "")
    if kind not in KINDS:
        return c.foreign(c.x.shape)
    if c.x.value is None and to in (HALF, BFLOAT):
        c.rounds = computed_in(to)
    if kind == "float" and c.x.value is not None and c.x.value.dtype == np.float32:
        # What it would become holds it exactly, or is said to be approximate.
        return c.x
    return c.add("Cast", c.x, kind=kind)


def _dropout(c: Call) -> Node:
    training = c.at(2)
    if training is not None and (training.value is None or training.value.any()):
        refuse("X009", f"{c.place} is in training mode", c.place)
    return c.x


def _reduce(c: Call) -> Node:
    if c.rank is None:
        return c.foreign()
    given = c.numbers("axes", 1)
    if not given and c.integer("noop_with_empty_axes", 0):
        return c.x if c.op in ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd"
                               ) else c.foreign()
    return c.add(c.op, c.x, axes=axes(c, given or range(c.rank), c.rank),
                 keepdims=bool(c.integer("keepdims", 1)))


def _global_pool(op: str) -> Callable[[Call], Node]:
    def made(c: Call) -> Node:
        if c.rank is None or c.rank < 3:
            return c.foreign()
        return c.add(op, c.x, axes=tuple(range(2, c.rank)), keepdims=True)
    return made


def _pool(c: Call) -> Node:
    """A mean over the whole map is a sum over axes; any other stays foreign, of known shape."""
    x, kernel = c.x.shape, c.integers("kernel_shape") or []
    if x is None or None in x or len(x) != len(kernel) + 2:
        return c.foreign()
    strides, dilations, pads = _sides(c, kernel)
    if c.op == "AveragePool" and tuple(kernel) == x[2:] and not any(pads):
        return c.add("ReduceMean", c.x, axes=tuple(range(2, len(x))), keepdims=True)
    return c.foreign(_pooled(c, x, kernel, strides, dilations, pads))


def _pooled(c: Call, x: tuple[int | None, ...], kernel: list[int], strides: tuple[int, ...],
            dilations: tuple[int, ...], pads: tuple[int, ...]) -> Shape:
    out: list[int | None] = [*x[:2]]
    for i, k in enumerate(kernel):
        # Rounded up, the last window may reach over the edge, but begins before the last pads.
        more = strides[i] - 1 if c.integer("ceil_mode", 0) else 0
        side, step, before, after = x[i + 2] or 0, strides[i], pads[i], pads[i + len(kernel)]
        try:
            count = window(side, (k - 1) * dilations[i] + 1, step, before, after + more)
        except ValueError as e:
            refuse("X006", f"{c.place}: {e}", c.place)
        out.append(count - (more > 0 and (count - 1) * step >= side + before))
    return tuple(out)


def _lp(c: Call) -> Node:
    p = c.integer("p", 2)
    if c.rank is None or p not in (1, 2):
        return c.foreign(c.x.shape)
    axis = axes(c, [c.integer("axis", -1)], c.rank)
    if p == 2:
        return c.builder.normalised(c.x, axis, c.place)
    return c.add("Div", c.x, c.add("ReduceL1", c.x, axes=axis, keepdims=True))


LAYERS: dict[str, Callable[[Call], Node]] = {
    "Conv": _conv, "Gemm": _gemm, "MatMul": _matmul, "BatchNormalization": _batch_norm,
    "PRelu": _prelu, "LeakyRelu": lambda c: c.add("LeakyRelu", c.x, alpha=c.real("alpha", 0.01)),
    "Clip": _clip, "Max": _many("Max"), "Min": _many("Min"), "Sum": _many("Add"), "Mean": _mean,
    "HardSigmoid": _hard_sigmoid, "Cast": _cast, "CastLike": _cast, "Identity": lambda c: c.x,
    "Dropout": _dropout, "LpNormalization": _lp, "GlobalAveragePool": _global_pool("ReduceMean"),
    "GlobalMaxPool": _global_pool("ReduceMax"), "AveragePool": _pool, "MaxPool": _pool,
    **{o: _reduce for o in ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd",
                            "ReduceL1", "ReduceL2", "ReduceSumSquare")},
    **{o: _direct(to) for o, to in DIRECT.items()},
    **{o: lambda c: c.foreign(c.x.shape) for o in SAME},
}
"""How each operation is read."""
